#pragma once

#include "daemon/operations/explanation.hpp"
#include "daemon/operations/why_facts.hpp"

namespace netlab::operations {

/// What speaks against an arrival by the tables alone, and does not settle it; empty only where nothing is
/// known of the way. Pure.
[[nodiscard]] Explanation explain_doubts(const WhyFacts& facts);

}  // namespace netlab::operations
