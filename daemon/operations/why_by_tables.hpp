#pragma once

#include "daemon/operations/explanation.hpp"
#include "daemon/operations/why_facts.hpp"

/// What follows from the kernels' tables alone, where nothing was sent. Pure.
namespace netlab::operations {

/// The first thing on the way that stops the packet for certain, or its answer; else unknown. Never
/// delivered.
[[nodiscard]] WhyDecision decide_by_tables(const WhyFacts& facts);

/// Settles it by the rule of `rules`, which must be there: not as the kernel told it, but as its rules read.
void stop_by_table(WhyDecision& decision, const RulesDecision& rules);

/// The same by WhyFacts::leg, where that certainly stops the process' own connection or its answer; false:
/// it does not.
bool stop_leg_by_table(WhyDecision& decision, const WhyFacts& facts);

/// Of that decision, where its reason is one that only the tables tell; where it is unknown, what speaks
/// against an arrival. Else empty.
[[nodiscard]] Explanation explain_by_tables(const WhyFacts& facts, const WhyDecision& decision);

/// WhyFacts::stray is there, and the packet or its answer is routed by whose route it is: what is only
/// switched past does not meet it.
[[nodiscard]] bool meets_stray_route(const WhyFacts& facts);

}  // namespace netlab::operations
