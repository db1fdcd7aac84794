#pragma once

#include "daemon/operations/explanation.hpp"
#include "daemon/operations/why_facts.hpp"

/// A TO that the packet comes to, and that answers nothing: its programs are paused, or its kernel is told to
/// keep silent. Pure.
namespace netlab::operations {

/// Whose programs are paused, and what ends that; empty where nobody's are.
[[nodiscard]] Explanation explain_paused(const std::optional<Sleep>& asleep);

/// Of where the way ends: the setting by which its kernel answers no echo (WhyFacts::ignores_echoes).
[[nodiscard]] Explanation explain_ignored_echoes(const WhyFacts& facts);

}  // namespace netlab::operations
