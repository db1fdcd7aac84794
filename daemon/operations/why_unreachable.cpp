#include "daemon/operations/why_unreachable.hpp"

#include "common/endpoint.hpp"
#include "daemon/operations/host_command.hpp"
#include "daemon/operations/known_namespaces.hpp"
#include "daemon/operations/network_facts.hpp"
#include "daemon/operations/network_family.hpp"
#include "daemon/operations/route_verdict.hpp"
#include "daemon/operations/why_by_tables.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string_view>

namespace netlab::operations {

namespace {

using api::RouteStep;
using api::WhyProtocol;

constexpr std::string_view no_route_at_all = "there is no route";

class Explainer {
  public:
    explicit Explainer(const WhyFacts& facts) : facts_(facts) {}

    [[nodiscard]] Explanation unreachable() const {
        if (!facts_.segment.explanation.empty()) return facts_.segment;
        if (meets_stray_route(facts_)) return explain_stray(*facts_.stray);
        const auto& way = facts_.way;
        if (is_lost(way.end) && facts_.refusing) return by_refusal();
        if (auto gateway = by_gateway(); !gateway.explanation.empty()) return gateway;
        if (way.end == RouteStep::not_forwarded) return not_forwarded();
        // A reverse path filter looks for the same way.
        if (way.end == RouteStep::refused && facts_.no_way_back) return no_way_back();
        if (way.end == RouteStep::unreachable && way.end_target == from().name) return no_route();
        if (facts_.silent) {
            const auto more =
                facts_.silent->stop
                    ? explain_neighbour_stop(*facts_.silent->stop,
                                             &target_at(facts_.context, facts_.silent->stop->place))
                    : dead_translation();
            return {"nobody answers for " + facts_.silent->address.to_string() + " on " +
                        facts_.silent->interface + " of " + facts_.silent->target + more.explanation,
                    more.suggestion};
        }
        if (way.end == RouteStep::unreachable && way.note.starts_with(no_route_at_all))
            return {way.end_target + " has no route to " + facts_.destination().address.to_string(), {}};
        if (is_lost(way.end) && !way.note.empty()) return {way.end_target + ": " + way.note, {}};
        if (!facts_.end) return {way.note, {}};
        const auto narrow = facts_.narrow ? "; " + facts_.narrow->name + " has an MTU of " +
                                                std::to_string(facts_.narrow->mtu)
                                          : std::string();
        if (facts_.end->from)
            return {facts_.end->from->to_string() + owner_text(*facts_.end->from) +
                        " says: " + facts_.end->what + narrow,
                    {}};
        return {facts_.end->what + narrow, {}};
    }

    [[nodiscard]] Explanation no_way_back() const {
        const auto& back = *facts_.no_way_back;
        const auto& target = target_at(facts_.context, back.place);
        const std::string lost = "its answer does not leave: ";
        if (back.refusing)
            return {lost + target.name + " has " + back.refusing->what +
                        ", which says that nothing goes to " + back.to.to_string(),
                    command_in(target, back.refusing->command)};
        auto out = no_route_of(target, back.to,
                               back.error == ENETUNREACH ? std::string(no_route_at_all)
                                                         : std::string(std::strerror(back.error)));
        out.explanation = lost + out.explanation;
        return out;
    }

    [[nodiscard]] Explanation lost_answer() const {
        auto out = where_answer_is_lost();
        const auto gateway = is_lost_at_next_hop() ? by_gateway_back() : Explanation();
        if (gateway.explanation.empty()) return out;
        return {out.explanation + "; " + gateway.explanation, gateway.suggestion};
    }

    [[nodiscard]] Explanation where_answer_is_lost() const {
        const auto& answer = *facts_.lost_answer;
        const auto& target = target_at(facts_.context, answer.place);
        const auto& to = answer.to.to_string();
        if (answer.silent)
            return {"its answer is lost: nobody answers for " + answer.silent->address.to_string() + " on " +
                        answer.silent->interface + " of " + answer.silent->target + ", to whom it is sent" +
                        sent_off(answer),
                    {}};
        const auto lost = "its answer is lost on " + target.name + ", which ";
        if (answer.step == RouteStep::leaves)
            return {lost + "sends what is for " + to + " out" + sent_off(answer), {}};
        if (answer.refusing)
            return {lost + "has " + answer.refusing->what + ", so that nothing goes to " + to,
                    command_in(target, answer.refusing->command)};
        if (answer.shut) return not_forwarded_by(lost, *answer.shut, &target);
        if (answer.step == RouteStep::unreachable && answer.note.starts_with(no_route_at_all))
            return {lost + "has no route to " + to, {}};
        return {lost + "says: " + answer.note, {}};
    }

    /// FROM's own way out is not by its network's gateway.
    [[nodiscard]] Explanation by_gateway() const {
        if (!facts_.next_hop || !facts_.route) return {};
        return by_gateway_of(from(), *facts_.route, *facts_.next_hop);
    }

    /// TO's is not.
    [[nodiscard]] Explanation by_gateway_back() const {
        const auto* to = final_target();
        const auto& route = facts_.route_back;
        if (to == nullptr || !route || !route->gateway) return {};
        return by_gateway_of(*to, *route, *route->gateway);
    }

    /// "; conntrack still sends it to …": a translation to an address that nobody has.
    [[nodiscard]] Explanation dead_translation() const {
        if (!facts_.translated || is_known(facts_.translated->address)) return {};
        const auto to = endpoint_text(facts_.translated->address, facts_.translated->port);
        return {": its destination has been translated to " + to + ", which no target has" +
                    (by_rule() ? "" : "; no rule does that now, so it is an old conntrack entry"),
                stale_entry()};
    }

  private:
    [[nodiscard]] const api::Target& from() const { return facts_.context.targets.front(); }
    /// Of the target where the way ends, as the engine has it.
    [[nodiscard]] const api::Target* final_target() const {
        if (!facts_.way.end_place) return nullptr;
        return &target_at(facts_.context, *facts_.way.end_place);
    }

    /// What that container sends by `route` goes to none of its networks' gateways.
    [[nodiscard]] Explanation by_gateway_of(const api::Target& target, const DecisiveRoute& route,
                                            const IpAddress& next_hop) const {
        // Of a link-local router it is not known whose it is.
        if (!is_container(target) || (next_hop.is_v6() && next_hop.is_link_local())) return {};
        std::vector<std::string> gateways;
        std::optional<IpAddress> right;
        for (const auto& network : target.networks) {
            const auto& gateway = gateway_of(network, next_hop);
            if (!gateway) continue;
            if (*gateway == next_hop) return {};
            gateways.push_back(gateway->to_string() + " of " + network.name);
            if (!right) right = gateway;
        }
        if (!right) return {};
        const auto sends = target.name + " sends it to " + next_hop.to_string();
        if (!route.is_default)
            // Who is a target may well be a router on purpose.
            return {sends + " by its route " + route.entry,
                    is_known(next_hop) || !route.is_plain
                        ? std::string()
                        : command_in(target, ip_command(next_hop) + "route del " + route.entry)};
        return {sends + ", and its networks' gateway is " + list_and(gateways),
                command_in(target, ip_command(next_hop) + "route replace default via " + right->to_string())};
    }

    /// The answer, at TO's.
    [[nodiscard]] bool is_lost_at_next_hop() const {
        const auto* to = final_target();
        const auto& answer = *facts_.lost_answer;
        if (answer.silent) return to != nullptr && answer.silent->target == to->name;
        return is_container(target_at(facts_.context, answer.place));
    }

    /// Of the address' family, where the engine says.
    [[nodiscard]] static const std::optional<IpAddress>& gateway_of(const api::Membership& network,
                                                                    const IpAddress& to) {
        return to.is_v4() ? network.gateway : network.gateway_v6;
    }

    /// A route or rule says on purpose that nothing passes.
    [[nodiscard]] Explanation by_refusal() const {
        if (!facts_.refusing) return {};
        const auto* target = final_target();
        return {
            facts_.way.end_target + " has " + facts_.refusing->what + ", which says that nothing goes there",
            target == nullptr ? std::string() : command_in(*target, facts_.refusing->command)};
    }

    [[nodiscard]] std::string owner_text(const IpAddress& address) const {
        for (const auto& name : facts_.context.names) {
            if (name.address == address) return " (" + name.name + ")";
        }
        return {};
    }

    [[nodiscard]] Explanation not_forwarded() const {
        if (!facts_.shut) return {facts_.way.end_target + ": " + facts_.way.note, {}};
        return not_forwarded_by(facts_.way.end_target + " ", *facts_.shut, final_target());
    }

    /// `who`: "host ". `target`: nullptr where it is none that netlab knows.
    [[nodiscard]] static Explanation not_forwarded_by(const std::string& who, const std::string& setting,
                                                      const api::Target* target) {
        const bool one = setting.starts_with("net.ipv4.conf.");
        return {who + "does not forward packets" + (one ? " that come in by this interface" : "") + " (" +
                    setting + " is 0)",
                target == nullptr || !is_plain_word(setting)
                    ? std::string()
                    : command_in(*target, "sysctl -w " + setting + "=1")};
    }

    /// " by eth1 (by the policy rule …)"
    [[nodiscard]] static std::string sent_off(const LostAnswer& answer) {
        return answer.led.empty() ? std::string() : " by " + answer.led;
    }

    [[nodiscard]] Explanation no_route() const {
        auto out = no_route_of(from(), facts_.flow.remote, facts_.way.note);
        const auto& peer = facts_.context.peer;
        // Only of ENETUNREACH it follows that there is no default route either.
        if (!peer || !facts_.way.note.starts_with(no_route_at_all)) return out;
        auto apart = explain_apart(from(), *peer, facts_.flow.remote.family());
        if (!apart) return out;
        return {
            from().name + " has no route to " + facts_.flow.remote.to_string() + ": " + apart->explanation,
            apart->suggestion};
    }

    /// `note`: as its kernel has it, ENETUNREACH as "there is no route".
    [[nodiscard]] static Explanation no_route_of(const api::Target& target, const IpAddress& to,
                                                 const std::string& note) {
        Explanation out{target.name + " has no route to " + to.to_string(), {}};
        if (!note.empty()) out.explanation += " (" + note + ")";
        if (!is_container(target) || !note.starts_with(no_route_at_all)) return out;
        const auto family = to.family();
        const std::string name = family == Family::ipv4 ? "IPv4" : "IPv6";
        std::vector<std::string> inside;
        const api::Membership* with_gateway = nullptr;
        for (const auto& network : target.networks) {
            if (has_family(network, family)) inside.push_back(network.name);
            if (with_gateway == nullptr && gateway_of(network, to)) with_gateway = &network;
        }
        if (inside.empty())
            return {out.explanation + ": it has no " + name + " address (" + where_it_is(target) + ")", {}};
        out.explanation += ": it is on " + list_and(inside) + " alone";
        if (with_gateway == nullptr) {
            out.explanation += ", which is an internal network, or has no " + name + " gateway";
            return out;
        }
        out.explanation +=
            ", and its default route, by the gateway of " + with_gateway->name + ", is not there";
        out.suggestion = command_in(
            target, ip_command(to) + "route add default via " + gateway_of(*with_gateway, to)->to_string());
        return out;
    }

    [[nodiscard]] bool is_known(const IpAddress& address) const {
        return std::ranges::any_of(facts_.context.names,
                                   [&](const auto& name) { return name.address == address; });
    }

    /// A rule of the trace has translated it; where nothing was sent, one that reads so.
    [[nodiscard]] bool by_rule() const {
        return !facts_.probed || std::ranges::any_of(facts_.trace, [&](const TracedStep& step) {
            return !step.step.answer && step.step.text.find("dnat to") != std::string::npos;
        });
    }

    [[nodiscard]] std::string stale_entry() const {
        if (by_rule()) return {};
        const std::string protocol = facts_.flow.protocol == WhyProtocol::udp   ? "udp"
                                     : facts_.flow.protocol == WhyProtocol::tcp ? "tcp"
                                                                                : "icmp";
        return "conntrack -D -p " + protocol + " --orig-dst " + facts_.flow.remote.to_string() +
               " --reply-src " + facts_.translated->address.to_string();
    }

    const WhyFacts& facts_;
};

}  // namespace

Explanation explain_unreachable(const WhyFacts& facts) {
    return Explainer(facts).unreachable();
}

Explanation explain_gateway(const WhyFacts& facts) {
    return Explainer(facts).by_gateway();
}

Explanation explain_gateway_back(const WhyFacts& facts) {
    return Explainer(facts).by_gateway_back();
}

Explanation explain_mark(const WhyFacts& facts, bool answer) {
    const auto& rule = answer ? facts.by_mark_back : facts.by_mark;
    if (rule.empty()) return {};
    return {"a rule of " + facts.host + "'s sets " + (answer ? "the answer's" : "its") +
                " mark, and the policy rule " + rule +
                ", which asks for a mark, may refuse it or send it elsewhere",
            "netlab rules " + facts.host};
}

Explanation explain_no_way_back(const WhyFacts& facts) {
    return Explainer(facts).no_way_back();
}

Explanation explain_lost_answer(const WhyFacts& facts) {
    return Explainer(facts).lost_answer();
}

Explanation explain_dead_translation(const WhyFacts& facts) {
    return Explainer(facts).dead_translation();
}

}  // namespace netlab::operations
