#include "daemon/operations/port_trace.hpp"

#include <arpa/inet.h>  // before the kernel's headers, which then leave out what it has
#include <linux/netfilter.h>
#include <linux/netfilter_bridge.h>

/// The part of the way between the host's outside and the container.
namespace netlab::operations {

using api::PortVerdict;
using kernel::HookPart;

std::optional<PortTrace> HostTrace::not_forwarded(const HostWay& way) const {
    const auto& outside = host_.outside(row_.family);
    const bool in = outside.forwards == false;
    if (!in && way.forwards != false) return std::nullopt;
    PortTrace out;
    out.verdict = PortVerdict::blocked;
    out.why = in ? explain_not_forwarded(outside.interface, outside.forwarding)
                 : explain_not_forwarded(way.output, way.forwarding);
    return out;
}

std::optional<PortTrace> HostTrace::stopped(const api::Endpoint& to, bool marked) const {
    const auto way = host_.way(to.address);
    if (auto stop = not_forwarded(way)) return stop;
    Stops stops;
    for (const bool is_later : {false, true}) {
        forward(to, way, marked, is_later, stops);
        forward_answer(to, way, is_later, stops);
    }
    return stops.first();
}

void HostTrace::forward(const api::Endpoint& to, const HostWay& way, bool marked, bool is_later,
                        Stops& stops) const {
    const auto who = role(BlockedPacket::on_host, is_later);
    auto facts = translated(to);
    if (is_later) facts = later(std::move(facts));
    if (marked) facts.mark.reset();
    if (const auto own = address_outside(); is_later && own) {
        auto arriving = later(packet(*own, true));
        stops.add(stop_at(rules(), NF_INET_PRE_ROUTING, arriving, who, HookPart::before_dnat));
        stops.add(stop_at(rules(), NF_INET_PRE_ROUTING, facts, who, HookPart::behind_dnat));
    }
    stops.add(stop_by_route(facts, way.output, who));
    facts.output = way.output;
    stops.add(stop_at(rules(), NF_INET_FORWARD, facts, who));
    // Rules of the last hook do not see the interface it came in by with every kernel.
    facts.input.reset();
    stops.add(stop_at(rules(), NF_INET_POST_ROUTING, facts, who));
    if (!is_later) stops.add(stop_by_nat(rules(), NF_INET_POST_ROUTING, facts, who));
    pass_bridge(rules(), way, facts, who, stops);
}

std::optional<PortTrace> HostTrace::stop_by_nat(const FamilyRules& rules, std::uint32_t hook,
                                                const kernel::PacketFacts& packet,
                                                const PacketRole& role) const {
    const auto nat = kernel::find_nat(rules.chains, hook, packet);
    // Whose address a translated packet has is asked by who has to know it.
    if (nat.uncertain)
        return hook == NF_INET_LOCAL_OUT ? std::optional(doubt(nat.doubtful_chain, nat.doubtful))
                                         : std::nullopt;
    if (kernel::is_drop(nat)) return blocked({true, nat.chain, nat.rule, false}, role, packet);
    if (hook != NF_INET_LOCAL_OUT || nat.rule == nullptr) return std::nullopt;
    const auto to = nat.rule->action == kernel::RuleAction::dnat
                        ? nat.rule->to_address.value_or(packet.destination)
                        : IpAddress();
    if (to == packet.destination &&
        nat.rule->to_port.value_or(packet.destination_port) == packet.destination_port)
        return std::nullopt;
    PortTrace out;
    out.verdict = PortVerdict::shadowed;
    out.why = explain_sent_elsewhere(describe_rule(*nat.chain, *nat.rule),
                                     {packet.destination, packet.destination_port});
    return out;
}

void HostTrace::pass_bridge(const FamilyRules& rules, const HostWay& way, const kernel::PacketFacts& packet,
                            const PacketRole& role, Stops& stops) const {
    using Kind = kernel::FramePoint::Kind;
    const bool back = role.kind == BlockedPacket::answer_on_host;
    const auto device = back ? Kind::ingress : Kind::egress;
    if (!way.port.empty()) {
        stops.add(stop_at(rules, {device, way.port}, packet, role));
        const std::uint32_t first = back ? NF_BR_PRE_ROUTING : NF_BR_LOCAL_OUT;
        const std::uint32_t last = back ? NF_BR_LOCAL_IN : NF_BR_POST_ROUTING;
        for (const auto hook : {first, last})
            stops.add(stop_at(rules, {Kind::bridge, {}, hook}, packet, role));
    }
    stops.add(stop_at(rules, {device, way.output}, packet, role));
}

void HostTrace::forward_answer(const api::Endpoint& to, const HostWay& way, bool is_later,
                               Stops& stops) const {
    const auto& outside = host_.outside(row_.family).interface;
    const auto who = role(BlockedPacket::answer_on_host, is_later);
    auto back = answer(to);
    back.flow = kernel::flow_is_established | kernel::flow_has_dnat;
    back.masqueraded_as = address_outside();  // or rather: what it was sent to is given back
    if (is_later) back = later(std::move(back));
    pass_bridge(rules(), way, back, who, stops);
    back.input = way.output;
    back.output = "";
    if (!is_later) stops.add(zoned_apart(back));
    stops.add(stop_at(rules(), NF_INET_PRE_ROUTING, back, who));
    stops.add(stop_by_route(back, outside, who));
    back.output = outside;
    stops.add(stop_at(rules(), NF_INET_FORWARD, back, who));
    back.input.reset();
    stops.add(stop_at(rules(), NF_INET_POST_ROUTING, back, who));
    stops.add(stop_at(rules(), {kernel::FramePoint::Kind::egress, outside}, back, who));
}

std::optional<PortTrace> HostTrace::stopped_from_host(const api::Endpoint& to) const {
    const auto way = host_.way(to.address);
    // Its rules may be those of another family than the row's.
    const auto& rules = host_.rules.of(to.address.family());
    if (!rules.known || !way.own) return std::nullopt;
    auto there = first_from_host(to, way);
    there.output = way.output;
    const auto effects = effects_at(rules, NF_INET_LOCAL_OUT, there);
    const auto effects_back = effects_at(rules, NF_INET_PRE_ROUTING, first_back_to_host(to, way));
    return with_cause(tracked(effects, effects_back), [&](Tracking tracking) {
        Stops stops;
        for (const bool is_later : {false, true})
            from_host(to, way, tracking, is_later, stops);
        return stops.first();
    });
}

kernel::PacketFacts HostTrace::first_from_host(const api::Endpoint& to, const HostWay& way) const {
    auto out = packet(to.address, true);
    out.source = *way.own;
    out.destination_port = to.port;
    out.input = "";
    out.destination_local = false;
    return out;
}

kernel::PacketFacts HostTrace::first_back_to_host(const api::Endpoint& to, const HostWay& way) const {
    auto out = answer(to);
    out.destination = *way.own;
    out.input = way.output;
    out.output = "";
    out.destination_local = true;
    return out;
}

void HostTrace::from_host(const api::Endpoint& to, const HostWay& way, Tracking tracking, bool is_later,
                          Stops& stops) const {
    const auto& rules = host_.rules.of(to.address.family());
    auto facts = first_from_host(to, way);
    if (is_later) facts = alone(later(std::move(facts)), tracking, false);
    auto who = role(BlockedPacket::from_host, is_later);
    stops.add(stop_by_route(facts, way.output, who));
    facts.output = way.output;
    for (const std::uint32_t hook : {NF_INET_LOCAL_OUT, NF_INET_POST_ROUTING}) {
        stops.add(stop_at(rules, hook, facts, who));
        if (!is_later) stops.add(stop_by_nat(rules, hook, facts, who));
    }
    pass_bridge(rules, way, facts, who, stops);
    auto back = first_back_to_host(to, way);
    if (is_later) back = later(std::move(back));
    back = alone(std::move(back), tracking, !is_later);
    who.kind = BlockedPacket::answer_on_host;
    pass_bridge(rules, way, back, who, stops);
    for (const std::uint32_t hook : {NF_INET_PRE_ROUTING, NF_INET_LOCAL_IN})
        stops.add(stop_at(rules, hook, back, who));
}

std::optional<PortTrace> HostTrace::down(const api::Endpoint& to) const {
    const auto way = host_.way(to.address);
    if (way.down.empty()) return std::nullopt;
    PortTrace out;
    out.verdict = PortVerdict::blocked;
    out.why = explain_down(row_, way.down);
    return out;
}

std::optional<IpAddress> HostTrace::client_of_container(const api::Endpoint& to, bool translated,
                                                        bool marked) const {
    const auto way = host_.way(to.address);
    if (!translated) return way.own;
    auto facts = HostTrace::translated(to);
    facts.input.reset();
    facts.output = way.output;
    if (marked) facts.mark.reset();
    const auto nat = kernel::find_nat(rules().chains, NF_INET_POST_ROUTING, facts);
    if (nat.uncertain) return std::nullopt;
    if (nat.rule == nullptr) return client_.address;
    const bool given = nat.rule->action == kernel::RuleAction::snat && nat.rule->to_address;
    return given ? nat.rule->to_address : way.own;
}

}  // namespace netlab::operations
