#pragma once

#include "daemon/operations/explanation.hpp"
#include "daemon/operations/why_facts.hpp"

/// A TO that the packet comes to, and that answers nothing: its programs are paused, or its kernel is told to
/// keep silent. Pure.
namespace netlab::operations {

/// That the target is paused, and what ends that; empty where it is not.
[[nodiscard]] Explanation explain_paused(const api::Target& target);

/// Of where the way ends: the setting by which its kernel answers no echo (WhyFacts::ignores_echoes).
[[nodiscard]] Explanation explain_ignored_echoes(const WhyFacts& facts);

}  // namespace netlab::operations
