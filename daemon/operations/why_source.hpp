#pragma once

#include "daemon/operations/why_facts.hpp"

/// Why whoever is outside cannot answer the source that a packet leaves the host with. Pure.
namespace netlab::operations {

/// Empty where nothing speaks against that source.
[[nodiscard]] Explanation explain_source(const WhyFacts& facts);

/// No rule translates what conntrack does not see: `what`, and the rule that keeps it from that.
[[nodiscard]] Explanation explain_untracked(const std::string& what, const api::NatRule& rule);

/// A packet that was translated, and its answer, are of different zones of conntrack's, as the rules read: no
/// translation is undone. Empty where that is not so.
[[nodiscard]] Explanation explain_zones(const WhyFacts& facts);

}  // namespace netlab::operations
