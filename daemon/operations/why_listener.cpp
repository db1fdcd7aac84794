#include "daemon/operations/why_listener.hpp"

#include "common/endpoint.hpp"
#include "daemon/operations/listener_explanation.hpp"
#include "daemon/operations/why_asleep.hpp"

#include <algorithm>

namespace netlab::operations {

using api::WhyProtocol;

Explanation explain_listener(const WhyFacts& facts) {
    const auto& listener = facts.proxied ? facts.proxied->listener : facts.listener;
    if (!listener) return {};
    const auto to = facts.proxied ? facts.proxied->to : facts.inside.value_or(facts.destination());
    ReachRequest request(facts.request);
    const ListenerQuestion question{facts.proxied ? facts.proxied->target : facts.final_target,
                                    to.address,
                                    to.port,
                                    facts.flow.protocol == WhyProtocol::udp,
                                    {},
                                    {},
                                    {},
                                    request};
    auto out = explain_listeners(question, *listener);
    const bool family =
        listener->verdict == ListenerVerdict::ipv4_only || listener->verdict == ListenerVerdict::ipv6_only;
    const bool translated = facts.proxied || facts.translated;
    // The port that was asked for is the host's, and who asks may not come to the container's.
    if (translated && (family || listener->verdict == ListenerVerdict::other_address))
        out.suggestion = "let it bind to " +
                         endpoint_text(*IpAddress::parse(to.address.is_v4() ? "0.0.0.0" : "::"), to.port);
    // An address that was typed has the family that it has.
    else if (family && IpAddress::parse(facts.request.to))
        out.suggestion.clear();
    return out;
}

Explanation explain_behind_proxy(const WhyFacts& facts) {
    using Leg = BehindProxy::Leg;
    const auto& proxied = *facts.proxied;
    const auto to = endpoint_text(proxied.to.address, proxied.to.port) + " of " + proxied.target;
    if (is_asleep(proxied.asleep)) {
        auto why = explain_paused(proxied.asleep);
        why.explanation =
            proxied.asleep->target.name +
            " is paused: docker-proxy on the host takes it, its kernel too, and no program in it does";
        return why;
    }
    if (proxied.listener && proxied.listener->verdict == ListenerVerdict::full)
        return explain_listener(facts);
    const bool udp = facts.flow.protocol == WhyProtocol::udp;
    const auto target = std::ranges::find(facts.context.publishers, proxied.target, &api::Target::name);
    if (target != facts.context.publishers.end() && target->runtime == api::Runtime::podman)
        return {"no rule leads it to " + to +
                    ": a process of Podman's has the port on the host, which accepts nothing where it only "
                    "keeps it from others (conmon)",
                "podman network reload " + target->name};
    std::string text = "docker-proxy on the host takes it, and ";
    if (proxied.leg == Leg::waiting)
        text += "its own connection to " + to + " gets no answer";
    else if (proxied.leg == Leg::given_up)
        text += "gives it up: its own connection to " + to + " has not come about";
    else if (udp)
        text += "nothing has come back: whether it has sent it on to " + to + " netlab does not see";
    else
        text += "whether its own connection to " + to + " comes about netlab has not seen";
    if (!facts.segment.explanation.empty())
        return {text + ": " + facts.segment.explanation, facts.segment.suggestion};
    return {text,
            "netlab why host " + endpoint_text(proxied.to.address, proxied.to.port) + (udp ? "/udp" : "")};
}

}  // namespace netlab::operations
