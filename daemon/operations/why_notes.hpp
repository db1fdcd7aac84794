#pragma once

#include "daemon/operations/why_facts.hpp"

#include <string>
#include <vector>

namespace netlab::operations {

/// What a report says beside its verdict: weaker evidence, what the tables and the packet disagree on, whose
/// namespaces are shared. Pure.
[[nodiscard]] std::vector<std::string> notes_of(const WhyFacts& facts, const WhyDecision& decision);

}  // namespace netlab::operations
