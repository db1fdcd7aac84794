#include "daemon/operations/flow_tracking.hpp"

#include <arpa/inet.h>  // before the kernel's headers, which then leave out what it has
#include <linux/netfilter.h>

namespace netlab::operations {

using kernel::SideEffects;

namespace {

/// That an answer is looked up in; nullopt where it is not known.
std::optional<std::uint16_t> zone_of(const SideEffects& effects) {
    if (effects.zones == nullptr) return std::uint16_t{0};
    return effects.surely_zones ? effects.zones->zone->of_answers : std::nullopt;
}

}  // namespace

SideEffects effects_at(const FamilyRules& rules, std::uint32_t hook, const kernel::PacketFacts& packet) {
    return kernel::find_drop(rules.chains, hook, packet).effects;
}

Tracked tracked_by_zone(const SideEffects& there, const SideEffects& back) {
    const auto zone = zone_of(there);
    const auto zone_back = zone_of(back);
    if (zone && zone == zone_back) return {};
    const bool by_answer = there.zones == nullptr;
    const auto& by = by_answer ? back : there;
    return {zone && zone_back ? Tracking::apart : Tracking::doubtful,
            describe_rule(*by.zone_chain, *by.zones), by_answer, true};
}

Tracked tracked(const SideEffects& there, const SideEffects& back) {
    for (const auto* one : {&there, &back}) {
        if (one->untracks == nullptr) continue;
        return {one->surely_untracks ? Tracking::apart : Tracking::doubtful,
                describe_rule(*one->untrack_chain, *one->untracks), one == &back};
    }
    return tracked_by_zone(there, back);
}

kernel::PacketFacts alone(kernel::PacketFacts packet, Tracking tracking, bool is_first) {
    if (tracking == Tracking::one_flow) return packet;
    kernel::forget_flow(packet);
    // A SYN's answer begins no flow of TCP's (nf_conntrack_tcp_packet() of
    // net/netfilter/nf_conntrack_proto_tcp.c); a datagram always may.
    if (is_first && tracking == Tracking::apart)
        packet.flow = packet.protocol == IPPROTO_TCP ? kernel::flow_is_invalid : kernel::flow_is_new;
    return packet;
}

Explanation explain_zone(const api::NatRule& by, const std::string& what, const std::string& other) {
    return {place_of(by) + " gives " + what + " another zone of conntrack's than " + other +
                " have, so that nothing leads those back: " + by.text,
            removal_of(by)};
}

}  // namespace netlab::operations
