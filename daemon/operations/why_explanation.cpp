#include "daemon/operations/why_explanation.hpp"

#include "common/endpoint.hpp"
#include "daemon/operations/host_command.hpp"
#include "daemon/operations/known_namespaces.hpp"
#include "daemon/operations/listener_explanation.hpp"
#include "daemon/operations/network_facts.hpp"
#include "daemon/operations/network_family.hpp"
#include "daemon/operations/route_verdict.hpp"
#include "daemon/operations/rule_explanation.hpp"

#include <algorithm>
#include <cerrno>

namespace netlab::operations {

namespace {

using api::RouteStep;
using api::WhyProtocol;
using api::WhyVerdict;

class Explainer {
  public:
    Explainer(const WhyFacts& facts, const WhyDecision& decision) : facts_(facts), decision_(decision) {}

    Explanation explain() {
        switch (decision_.verdict) {
            case WhyVerdict::delivered:
                return delivered();
            case WhyVerdict::refused:
                return refused();
            case WhyVerdict::dropped:
            case WhyVerdict::rejected:
                return decision_.rule ? stopped() : local();
            case WhyVerdict::unreachable:
                return unreachable();
            case WhyVerdict::lost:
                return lost();
            default:
                return undecided();
        }
    }

  private:
    [[nodiscard]] const api::Target& from() const { return facts_.context.targets.front(); }
    [[nodiscard]] std::string what() const {
        if (facts_.flow.protocol == WhyProtocol::icmp) return "the echo";
        return facts_.flow.protocol == WhyProtocol::tcp ? "the SYN" : "the datagram";
    }
    /// Of the target where the way ends, as the engine has it.
    [[nodiscard]] const api::Target* final_target() const {
        if (!facts_.way.end_place) return nullptr;
        return &target_at(facts_.context, *facts_.way.end_place);
    }

    [[nodiscard]] Explanation delivered() const {
        if (facts_.stale) return stale();
        const auto* target = final_target();
        if (target != nullptr && target->state == api::State::paused)
            return {target->name + " is paused: its kernel answers, and no program in it does",
                    engine_command(target->runtime) + " unpause " + target->name};
        return {};
    }

    /// It works for whoever begins now, and not for who goes on.
    [[nodiscard]] Explanation stale() const {
        return {"a new flow arrives, but an old conntrack entry still leads those who go on astray: " +
                    facts_.stale->explanation,
                facts_.stale->suggestion};
    }

    [[nodiscard]] Explanation by_listener() const {
        const auto& listener = facts_.proxied ? facts_.proxied->listener : facts_.listener;
        if (!listener) return {};
        const auto to = facts_.proxied ? facts_.proxied->to : facts_.destination();
        ReachRequest request(facts_.request);
        const ListenerQuestion question{facts_.proxied ? facts_.proxied->target : facts_.final_target,
                                        to.address,
                                        to.port,
                                        facts_.flow.protocol == WhyProtocol::udp,
                                        {},
                                        {},
                                        {},
                                        request};
        auto out = explain_listeners(question, *listener);
        const bool family = listener->verdict == ListenerVerdict::ipv4_only ||
                            listener->verdict == ListenerVerdict::ipv6_only;
        // An address that was typed has the family that it has.
        if (family && IpAddress::parse(facts_.request.to)) out.suggestion.clear();
        return out;
    }

    [[nodiscard]] Explanation stopped() const {
        // It met the rule because it was on the wrong way.
        const auto* step = ending_step(facts_.trace);
        if (step == nullptr && !decision_.by_table && queueing_step(facts_.trace) != nullptr) return queued();
        if (facts_.stray && step != nullptr && step->step.output == facts_.stray->output) return by_stray();
        // A policy drops what should not have come there: by a veth, say, that is on no bridge.
        if (!decision_.rule->handle && !facts_.segment.explanation.empty()) return facts_.segment;
        return explain_rule(facts_, *decision_.rule, decision_.answer);
    }

    /// A process of the engine's has it, and what came of its own connection is not fine.
    [[nodiscard]] Explanation behind_proxy() const {
        using Leg = BehindProxy::Leg;
        const auto& proxied = *facts_.proxied;
        const auto to = endpoint_text(proxied.to.address, proxied.to.port) + " of " + proxied.target;
        const auto* target = publisher();
        if (proxied.paused)
            return {proxied.target +
                        " is paused: docker-proxy on the host takes it, its kernel too, and no "
                        "program in it does",
                    target == nullptr ? std::string()
                                      : engine_command(target->runtime) + " unpause " + target->name};
        const bool udp = facts_.flow.protocol == WhyProtocol::udp;
        std::string text = "docker-proxy on the host takes it, and ";
        if (proxied.leg == Leg::waiting)
            text += "its own connection to " + to + " gets no answer";
        else if (proxied.leg == Leg::given_up)
            text += "gives it up: its own connection to " + to + " has not come about";
        else if (udp)
            text += "nothing has come back: whether it has sent it on to " + to + " netlab does not see";
        else
            text += "whether its own connection to " + to + " comes about netlab has not seen";
        return {text, "netlab why host " + endpoint_text(proxied.to.address, proxied.to.port) +
                          (udp ? "/udp" : "")};
    }

    [[nodiscard]] const api::Target* publisher() const {
        const auto& all = facts_.context.publishers;
        const auto found = std::ranges::find(all, facts_.proxied->target, &api::Target::name);
        return found == all.end() ? nullptr : &*found;
    }

    [[nodiscard]] Explanation refused() const {
        auto out = by_listener();
        if (out.explanation.empty())
            out.explanation = facts_.end && facts_.end->from
                                  ? facts_.end->from->to_string() + " says that nothing has that port"
                                  : "the connection was refused";
        const auto& listener = facts_.proxied ? facts_.proxied->listener : facts_.listener;
        if (listener && listener->verdict == ListenerVerdict::loopback_only) {
            const auto port =
                std::to_string((facts_.proxied ? facts_.proxied->to : facts_.destination()).port);
            out.explanation += ": a program there must listen on 0.0.0.0:" + port + " to be reached";
        }
        return out;
    }

    /// FROM's kernel would not send, and no trace says why.
    [[nodiscard]] Explanation local() const {
        return {facts_.request.from + " does not send it: a rule of its own forbids it",
                "netlab firewall " + facts_.request.from};
    }

    [[nodiscard]] Explanation by_stray() const {
        return facts_.stray ? explain_stray(*facts_.stray) : Explanation();
    }

    /// Of the packet, or of its answer.
    [[nodiscard]] Explanation by_wrong_neighbour() const {
        const auto& wrong = decision_.answer ? facts_.wrong_back : facts_.wrong;
        if (!wrong) return {};
        return explain_wrong_neighbour(*wrong, target_at(facts_.context, wrong->at.place));
    }

    /// Of the packet's family, where the engine says.
    [[nodiscard]] const std::optional<IpAddress>& gateway_of(const api::Membership& network) const {
        return facts_.flow.remote.is_v4() ? network.gateway : network.gateway_v6;
    }

    /// FROM's own way out is not by its network's gateway.
    [[nodiscard]] Explanation by_gateway() const {
        if (!facts_.next_hop || !facts_.route || !is_container(from())) return {};
        // Of a link-local router it is not known whose it is.
        if (facts_.next_hop->is_v6() && facts_.next_hop->is_link_local()) return {};
        std::vector<std::string> gateways;
        std::optional<IpAddress> right;
        for (const auto& network : from().networks) {
            const auto& gateway = gateway_of(network);
            if (!gateway) continue;
            if (*gateway == *facts_.next_hop) return {};
            gateways.push_back(gateway->to_string() + " of " + network.name);
            if (!right) right = gateway;
        }
        if (!right) return {};
        const auto sends = from().name + " sends it to " + facts_.next_hop->to_string();
        if (!facts_.route->is_default)
            // Who is a target may well be a router on purpose.
            return {sends + " by its route " + facts_.route->entry,
                    is_known(*facts_.next_hop) ? std::string()
                                               : command_in(from(), ip_command(facts_.flow.remote) +
                                                                        "route del " + facts_.route->entry)};
        return {sends + ", and its networks' gateway is " + list_and(gateways),
                command_in(from(), ip_command(facts_.flow.remote) + "route replace default via " +
                                       right->to_string())};
    }

    /// A route says on purpose that nothing passes.
    [[nodiscard]] Explanation by_refusing_route() const {
        if (!facts_.refusing || facts_.refusing->target != facts_.way.end_target) return {};
        const auto* target = final_target();
        return {facts_.refusing->target + " has the route " + facts_.refusing->entry +
                    ", which says that nothing goes there",
                target == nullptr ? std::string()
                                  : command_in(*target, ip_command(facts_.flow.remote) + "route del " +
                                                            facts_.refusing->entry)};
    }

    [[nodiscard]] Explanation unreachable() const {
        if (!facts_.segment.explanation.empty()) return facts_.segment;
        if (auto stray = by_stray(); !stray.explanation.empty()) return stray;
        const auto& way = facts_.way;
        if (is_lost(way.end)) {
            if (auto refusing = by_refusing_route(); !refusing.explanation.empty()) return refusing;
        }
        if (auto gateway = by_gateway(); !gateway.explanation.empty()) return gateway;
        if (way.end == RouteStep::not_forwarded) return not_forwarded();
        if (way.end == RouteStep::unreachable && way.end_target == from().name) return no_route();
        if (facts_.silent)
            return {"nobody answers for " + facts_.silent->address.to_string() + " on " +
                        facts_.silent->interface + " of " + facts_.silent->target + dead_translation(),
                    stale_entry()};
        if (is_lost(way.end) && !way.note.empty()) return {way.end_target + ": " + way.note, {}};
        if (facts_.end && facts_.end->from)
            return {
                facts_.end->from->to_string() + owner_text(*facts_.end->from) + " says: " + facts_.end->what,
                {}};
        return {facts_.end ? facts_.end->what : way.note, {}};
    }

    [[nodiscard]] std::string owner_text(const IpAddress& address) const {
        for (const auto& name : facts_.context.names) {
            if (name.address == address) return " (" + name.name + ")";
        }
        return {};
    }

    [[nodiscard]] Explanation not_forwarded() const {
        const auto setting =
            facts_.flow.remote.is_v4() ? "net.ipv4.ip_forward" : "net.ipv6.conf.all.forwarding";
        return {facts_.way.end_target + " does not forward packets (" + setting + " is 0)",
                final_target() == nullptr
                    ? std::string()
                    : command_in(*final_target(), std::string("sysctl -w ") + setting + "=1")};
    }

    [[nodiscard]] Explanation no_route() const {
        Explanation out{from().name + " has no route to " + facts_.flow.remote.to_string(), {}};
        if (!facts_.way.note.empty()) out.explanation += " (" + facts_.way.note + ")";
        // Only of ENETUNREACH it follows that there is no default route either.
        if (!is_container(from()) || !facts_.way.note.starts_with("there is no route")) return out;
        const auto family = facts_.flow.remote.family();
        if (facts_.context.peer) {
            if (auto apart = explain_apart(from(), *facts_.context.peer, family)) {
                out.explanation += ": " + apart->explanation;
                out.suggestion = apart->suggestion;
                return out;
            }
        }
        const std::string name = family == Family::ipv4 ? "IPv4" : "IPv6";
        std::vector<std::string> inside;
        const api::Membership* with_gateway = nullptr;
        for (const auto& network : from().networks) {
            if (has_family(network, family)) inside.push_back(network.name);
            if (with_gateway == nullptr && gateway_of(network)) with_gateway = &network;
        }
        if (inside.empty())
            return {out.explanation + ": it has no " + name + " address (" + where_it_is(from()) + ")", {}};
        out.explanation += ": it is on " + list_and(inside) + " alone";
        if (with_gateway == nullptr) {
            out.explanation += ", which is an internal network, or has no " + name + " gateway";
            return out;
        }
        out.explanation +=
            ", and its default route, by the gateway of " + with_gateway->name + ", is not there";
        out.suggestion = command_in(from(), ip_command(facts_.flow.remote) + "route add default via " +
                                                gateway_of(*with_gateway)->to_string());
        return out;
    }

    [[nodiscard]] bool is_known(const IpAddress& address) const {
        return std::ranges::any_of(facts_.context.names,
                                   [&](const auto& name) { return name.address == address; });
    }

    /// "; conntrack still sends it to …": a translation to an address that nobody has.
    [[nodiscard]] std::string dead_translation() const {
        if (!facts_.translated || is_known(facts_.translated->address)) return {};
        const auto to = endpoint_text(facts_.translated->address, facts_.translated->port);
        return ": its destination has been translated to " + to + ", which no target has" +
               (by_rule() ? "" : "; no rule does that now, so it is an old conntrack entry");
    }

    /// A rule of the trace has translated it.
    [[nodiscard]] bool by_rule() const {
        return std::ranges::any_of(facts_.trace, [&](const TracedStep& step) {
            return !step.step.answer && step.step.text.find("dnat to") != std::string::npos;
        });
    }

    [[nodiscard]] std::string stale_entry() const {
        if (!facts_.translated || is_known(facts_.translated->address) || by_rule()) return {};
        const std::string protocol = facts_.flow.protocol == WhyProtocol::udp   ? "udp"
                                     : facts_.flow.protocol == WhyProtocol::tcp ? "tcp"
                                                                                : "icmp";
        return "conntrack -D -p " + protocol + " --orig-dst " + facts_.flow.remote.to_string() +
               " --reply-src " + facts_.translated->address.to_string();
    }

    [[nodiscard]] Explanation lost() const {
        if (facts_.proxied) return behind_proxy();
        if (!facts_.segment.explanation.empty()) return facts_.segment;
        if (auto stray = by_stray(); !stray.explanation.empty()) return stray;
        if (auto wrong = by_wrong_neighbour(); !wrong.explanation.empty()) return wrong;
        if (facts_.end && facts_.end->kind == ProbeEnd::Kind::answered)
            return {"something else answers for " + facts_.flow.remote.to_string() + ": " +
                        facts_.final_target + " has not seen the packet",
                    {}};
        if (facts_.small_passes.value_or(false)) return black_hole();
        if (const auto dead = dead_translation(); !dead.empty())
            return {what() + " leads nowhere" + dead, stale_entry()};
        if (auto gateway = by_gateway(); !gateway.explanation.empty()) return gateway;
        auto listener = by_listener();
        const auto* last = facts_.way.points.empty() ? nullptr : &facts_.way.points.back();
        if (last != nullptr && last->hop.seen.value_or(false) && !decision_.answer) {
            if (!listener.explanation.empty()) return listener;
            return {what() + " came to " + facts_.final_target + ", and its kernel has not answered", {}};
        }
        const bool outside = last != nullptr && last->hop.kind == "outside";
        if (decision_.answer)
            return {(outside ? std::string("somebody outside") : facts_.final_target) +
                        " has answered, and the answer has come no further than " + place_text() +
                        by_ingress(),
                    ingress_command()};
        if (last != nullptr && !last->hop.seen) {
            if (auto untranslated = not_masqueraded(); !untranslated.explanation.empty()) return untranslated;
            if (outside && left_host())
                return {what() + " left, and nothing has come back from outside of what netlab sees", {}};
        }
        return {what() + " went no further, and no rule that netlab sees has dropped it" + by_ingress(),
                ingress_command()};
    }

    /// "veth12 and eth0 of host": between those.
    [[nodiscard]] std::string place_text() const {
        return decision_.where ? decision_.where->point.substr(0, decision_.where->point.find(' ')) + " of " +
                                     decision_.where->target
                               : std::string("the host");
    }

    /// The last point that could be looked at.
    [[nodiscard]] const WayPoint* last_inside() const {
        const auto& points = facts_.way.points;
        const auto found = std::find_if(points.rbegin(), points.rend(),
                                        [](const WayPoint& one) { return one.hop.seen.has_value(); });
        return found == points.rend() ? nullptr : &*found;
    }
    [[nodiscard]] bool left_host() const {
        const auto* inside = last_inside();
        return inside == nullptr || inside->hop.seen.value_or(true);
    }

    [[nodiscard]] std::string by_ingress() const {
        if (facts_.ingress.empty()) return {};
        return "; rules at the ingress of an interface on the way may drop it, which no trace shows: " +
               list_and(facts_.ingress);
    }
    [[nodiscard]] std::string ingress_command() const {
        return facts_.ingress.empty() ? std::string() : "netlab firewall " + facts_.host + " --hook ingress";
    }

    [[nodiscard]] Explanation queued() const {
        const auto& step = queueing_step(facts_.trace)->step;
        return {"a rule of " + step.family + " " + step.table + " " + step.chain + " of " + step.target +
                    " hands it to a program (NFQUEUE), and none has given it back",
                {}};
    }

    /// It left the host with an address that nobody outside can answer.
    [[nodiscard]] Explanation not_masqueraded() const {
        const auto* inside = last_inside();
        if (inside == nullptr || !inside->port || !inside->hop.seen.value_or(false)) return {};
        const auto sighting = std::ranges::find_if(facts_.sightings, [&](const Sighting& one) {
            return !one.answer && one.outgoing && one.port == *inside->port;
        });
        if (sighting == facts_.sightings.end() || !is_private(sighting->source.address)) return {};
        const auto& source = sighting->source.address;
        for (const auto& network : from().networks) {
            for (const auto& prefix : network.addresses) {
                if (prefix.address() != source) continue;
                const auto& output = inside->hop.interface;
                return {what() + " left " + inside->hop.target + " by " + output + " with " + from().name +
                            "'s own private address " + source.to_string() +
                            ", to which whoever is outside has no way back: no MASQUERADE or SNAT rule is "
                            "there for " +
                            network.name,
                        is_plain_word(output) ? "iptables -t nat -A POSTROUTING -s " + network_text(prefix) +
                                                    " -o " + output + " -j MASQUERADE"
                                              : std::string()};
            }
        }
        return {};
    }

    [[nodiscard]] Explanation black_hole() const {
        const auto size = std::to_string(facts_.request.size);
        const auto between = decision_.where ? " between " + decision_.where->point : std::string();
        return {
            "packets of " + size + " bytes are lost" + between +
                " and small ones pass: a link on the way has a smaller MTU, and the ICMP error that should "
                "say so does not come",
            "docker network create -o com.docker.network.driver.mtu=" + std::string("MTU") + " …"};
    }

    [[nodiscard]] Explanation undecided() const {
        if (facts_.proxied && facts_.probed) return behind_proxy();
        if (!facts_.probed) {
            if (facts_.way.end == RouteStep::delivered)
                return {
                    "the way is there by the kernels' tables; whether a rule stops the packet only a "
                    "probe tells",
                    {}};
            return {facts_.way.note, {}};
        }
        if (facts_.flow.protocol == WhyProtocol::udp)
            return {"the datagram left, and nothing came back: of UDP that says nothing", {}};
        return {facts_.way.note, {}};
    }

    /// Nothing was sent, and nothing stands in the way.
    [[nodiscard]] Explanation by_tables() const {
        std::string text = "the way is there by the kernels' tables";
        if (facts_.rules && !facts_.rules->doubt.empty())
            text += "; whether this rule stops it netlab cannot say: " + facts_.rules->doubt;
        else if (facts_.rules && facts_.rules->known)
            text += ", and no rule of the host's stops the packet as netlab reads them";
        return {text + "; only a probe tells", {}};
    }

    const WhyFacts& facts_;
    const WhyDecision& decision_;
};

}  // namespace

Explanation explain_why(const WhyFacts& facts, const WhyDecision& decision) {
    return Explainer(facts, decision).explain();
}

namespace {

/// What the rules say as a table, and what the packet met.
void add_disagreement(std::vector<std::string>& notes, const WhyFacts& facts, const WhyDecision& decision) {
    if (!facts.probed || !facts.rules || !facts.rules->known || decision.by_table) return;
    const auto& rules = *facts.rules;
    const bool stopped = decision.rule && !decision.answer && decision.rule->target == facts.host;
    if (rules.rule && decision.verdict == WhyVerdict::delivered)
        notes.push_back("as netlab reads the host's rules, " + rules.rule->family + " " + rules.rule->table +
                        " " + rules.rule->chain + " (" + rules.rule->text +
                        ") should have stopped it; the packet has come through");
    else if (stopped && !rules.rule && rules.doubt.empty())
        notes.emplace_back("as netlab reads the host's rules, none of them should have stopped it");
}

}  // namespace

std::vector<std::string> notes_of(const WhyFacts& facts, const WhyDecision& decision) {
    std::vector<std::string> notes;
    const bool answered = facts.end && facts.end->kind == ProbeEnd::Kind::answered;
    if (facts.probed && !facts.traced && !(decision.verdict == WhyVerdict::delivered && answered))
        notes.push_back("the packet's way through the rules was not traced (" + facts.untraced +
                        "): what stopped it is told from where it was seen alone");
    if (decision.by_table && facts.probed)
        notes.emplace_back(facts.rules->legacy
                               ? "iptables-legacy's rules cannot be traced: this one is what they say by "
                                 "themselves, and the packet was not seen behind it"
                               : "the rule is what the host's rules say by themselves");
    add_disagreement(notes, facts, decision);
    if (facts.proxied)
        notes.push_back(
            "a process of the engine's on the host takes it (docker-proxy), and makes a connection of "
            "its own to " +
            endpoint_text(facts.proxied->to.address, facts.proxied->to.port) + " of " +
            facts.proxied->target);
    if (!facts.saw_all) notes.emplace_back("some packets were not seen: the kernel had no room for them");
    if (facts.probed && decision.verdict == WhyVerdict::delivered && is_lost(facts.way.end))
        notes.push_back("by the tables it should not arrive: " + facts.way.note);
    return notes;
}

}  // namespace netlab::operations
