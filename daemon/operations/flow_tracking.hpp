#pragma once

#include "daemon/operations/explanation.hpp"
#include "daemon/operations/host_rules.hpp"

#include <optional>
#include <string>

/// Whether conntrack takes a packet and its answer for one flow, by what rules do to either. Pure.
namespace netlab::operations {

enum class Tracking : std::uint8_t { one_flow, doubtful, apart };
struct Tracked {
    Tracking tracking = Tracking::one_flow;
    std::optional<api::NatRule> by{};  ///< the rule that says otherwise
    bool by_answer = false;            ///< it is one that the answer meets
    bool by_zone = false;              ///< it gives one of them another zone; else it keeps it from conntrack
};

/// What the hook's chains do to the packet besides.
[[nodiscard]] kernel::SideEffects effects_at(const FamilyRules& rules, std::uint32_t hook,
                                             const kernel::PacketFacts& packet);

/// By the effects of the rules that a packet has met before conntrack, and of those that its answer has.
[[nodiscard]] Tracked tracked(const kernel::SideEffects& there, const kernel::SideEffects& back);
/// The same by their zones alone.
[[nodiscard]] Tracked tracked_by_zone(const kernel::SideEffects& there, const kernel::SideEffects& back);

/// A packet that is not of its flow; `is_first`: of an answer the first.
[[nodiscard]] kernel::PacketFacts alone(kernel::PacketFacts packet, Tracking tracking, bool is_first);

/// `by` gives `what` another zone than `other` has. Both in words.
[[nodiscard]] Explanation explain_zone(const api::NatRule& by, const std::string& what,
                                       const std::string& other);

}  // namespace netlab::operations
