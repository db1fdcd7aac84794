#include "daemon/operations/port_trace.hpp"

#include <arpa/inet.h>  // before the kernel's headers, which then leave out what it has
#include <linux/netfilter.h>

/// Whether conntrack takes a packet and its answer for one flow.
namespace netlab::operations {

using api::PortVerdict;

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
    const auto tracking = tracked_by_zone(there_effects, back_effects);
    if (tracking.tracking == Tracking::one_flow) return std::nullopt;
    if (tracking.tracking == Tracking::doubtful) {
        const auto& by = tracking.by_answer ? back_effects : there_effects;
        return doubt(by.zone_chain, by.zones);
    }
    const std::string there = "what comes from outside";
    const std::string back_words = "its answers";
    PortTrace out;
    out.verdict = PortVerdict::blocked;
    out.why = tracking.by_answer ? explain_zone(*tracking.by, back_words, there)
                                 : explain_zone(*tracking.by, there, back_words);
    return out;
}

}  // namespace netlab::operations
