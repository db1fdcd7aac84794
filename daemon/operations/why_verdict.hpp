#pragma once

#include "daemon/operations/why_facts.hpp"

namespace netlab::operations {

/// Fills in at which points the packet and its answer were seen.
void mark_sightings(Way& way, const std::vector<Sighting>& sightings, const std::set<std::size_t>& observed,
                    bool saw_all);

/// Pure: the verdict and its place. What does not follow from the facts is unknown.
[[nodiscard]] WhyDecision decide(const WhyFacts& facts);

}  // namespace netlab::operations
