#pragma once

#include "daemon/operations/why_facts.hpp"

#include <string>
#include <vector>

namespace netlab::operations {

/// The decision in the user's terms, and what to do about it. It says only what follows from the facts.
/// Pure.
[[nodiscard]] Explanation explain_why(const WhyFacts& facts, const WhyDecision& decision);

/// Weaker evidence, and where the tables and what was seen disagree.
[[nodiscard]] std::vector<std::string> notes_of(const WhyFacts& facts, const WhyDecision& decision);

}  // namespace netlab::operations
