#pragma once

#include "daemon/operations/why_facts.hpp"

namespace netlab::operations {

/// Why the rule that stopped a packet is there, and what lets the packet pass. `leg`: WhyDecision's. Pure.
[[nodiscard]] Explanation explain_rule(const WhyFacts& facts, const api::WhyRule& rule, bool answer,
                                       bool leg = false);

}  // namespace netlab::operations
