#pragma once

#include "daemon/operations/why_facts.hpp"

/// Why whoever is outside cannot answer the source that a packet leaves the host with. Pure.
namespace netlab::operations {

/// Empty where nothing speaks against that source.
[[nodiscard]] Explanation explain_source(const WhyFacts& facts);

/// No rule translates what conntrack does not see: `what`, and the rule that keeps it from that.
[[nodiscard]] Explanation explain_untracked(const std::string& what, const api::NatRule& rule);

}  // namespace netlab::operations
