#pragma once

#include "daemon/operations/why_facts.hpp"

namespace netlab::operations {

/// The decision in the user's terms, and what to do about it. It says only what follows from the facts.
/// Pure.
[[nodiscard]] Explanation explain_why(const WhyFacts& facts, const WhyDecision& decision);

}  // namespace netlab::operations
