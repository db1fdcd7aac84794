#pragma once

#include "daemon/operations/explanation.hpp"
#include "daemon/operations/topology.hpp"
#include "daemon/operations/why_facts.hpp"

#include <cstdint>
#include <optional>

/// Links on the way that are too small for a packet which is not to be fragmented. Pure.
namespace netlab::operations {

/// The first where it ends, else the first that is smaller; `size` is the IP packet's, in bytes.
[[nodiscard]] std::optional<NarrowLink> find_narrow(const Topology& topology, const Way& way,
                                                    std::uint32_t size);

/// What WhyFacts::narrow, which must be there, makes of the packet where nothing was sent.
[[nodiscard]] Explanation explain_narrow(const WhyFacts& facts);

}  // namespace netlab::operations
