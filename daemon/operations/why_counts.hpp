#pragma once

#include "daemon/operations/rule_counts.hpp"

#include <functional>

namespace netlab::operations {

/// What the host's rules decide of a packet that was sent and not answered, as they read and as their
/// counters have it: `decide` is decide_by_rules() or decide_answer_by_rules(). A rule of iptables-legacy's
/// that has counted nothing was not met, whatever it reads like; of one whose conditions are not all
/// understood its counter is the word where nothing else that has counted would stop the packet. Pure.
[[nodiscard]] RulesDecision decide_by_counts(const FamilyRules& rules, const RuleCounts& counts,
                                             const std::function<RulesDecision(const FamilyRules&)>& decide);

}  // namespace netlab::operations
