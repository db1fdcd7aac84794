#include "daemon/operations/port_trace.hpp"

#include <arpa/inet.h>  // before the kernel's headers, which then leave out what it has
#include <linux/netfilter.h>

/// Whether conntrack takes a packet and its answer for one flow.
namespace netlab::operations {

using api::PortVerdict;
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

HostTrace::Tracked HostTrace::tracked(const SideEffects& there, const SideEffects& back) {
    const auto zone = zone_of(there);
    const auto zone_back = zone_of(back);
    for (const auto* one : {&there, &back}) {
        if (one->untracks == nullptr) continue;
        return {one->surely_untracks ? Tracking::apart : Tracking::doubtful,
                describe_rule(*one->untrack_chain, *one->untracks)};
    }
    if (zone && zone == zone_back) return {};
    const auto& by = there.zones != nullptr ? there : back;
    return {zone && zone_back ? Tracking::apart : Tracking::doubtful,
            describe_rule(*by.zone_chain, *by.zones)};
}

kernel::PacketFacts HostTrace::alone(kernel::PacketFacts packet, Tracking tracking, bool is_first) const {
    if (tracking == Tracking::one_flow) return packet;
    kernel::forget_flow(packet);
    // A SYN's answer begins no flow of TCP's (nf_conntrack_tcp_packet() of
    // net/netfilter/nf_conntrack_proto_tcp.c); a datagram always may.
    if (is_first && tracking == Tracking::apart)
        packet.flow = is_tcp() ? kernel::flow_is_invalid : kernel::flow_is_new;
    return packet;
}

std::optional<IpAddress> HostTrace::address_outside() const {
    return port_.host_address->is_unspecified() ? host_.outside(row_.family).address : port_.host_address;
}

std::optional<api::NatRule> HostTrace::untracked_by() const {
    const auto own = address_outside();
    if (!own) return std::nullopt;
    const auto effects = effects_at(rules(), NF_INET_PRE_ROUTING, packet(*own, true));
    if (!effects.surely_untracks) return std::nullopt;
    return describe_rule(*effects.untrack_chain, *effects.untracks);
}

std::optional<PortTrace> HostTrace::zoned_apart(const kernel::PacketFacts& back) const {
    const auto own = address_outside();
    if (!own) return std::nullopt;
    const auto there_effects = effects_at(rules(), NF_INET_PRE_ROUTING, packet(*own, true));
    const auto back_effects = effects_at(rules(), NF_INET_PRE_ROUTING, back);
    const bool there = there_effects.zones != nullptr;
    const auto& by = there ? there_effects : back_effects;
    const auto zone = zone_of(there_effects);
    const auto zone_back = zone_of(back_effects);
    if (by.zones == nullptr || (zone && zone == zone_back)) return std::nullopt;
    if (!zone || !zone_back) return doubt(by.zone_chain, by.zones);
    PortTrace out;
    out.verdict = PortVerdict::blocked;
    const auto rule = describe_rule(*by.zone_chain, *by.zones);
    out.why = {place_of(rule) + " gives " + (there ? "what comes from outside" : "its answers") +
                   " another zone of conntrack's than " +
                   (there ? "its answers" : "what comes from outside") +
                   " have, so that nothing leads those back: " + rule.text,
               rule.owner_port ? ask_owner(rule.owner_port) : delete_command(rule)};
    return out;
}

}  // namespace netlab::operations
