#pragma once

#include "daemon/operations/route_verdict.hpp"

#include <optional>
#include <vector>

namespace netlab::operations {

/// What is known of a hop that its report does not say, or only in words.
struct HopFacts {
    std::optional<std::size_t> place;  ///< of its namespace; absent where the packet leaves what is known:
                                       ///< several targets may have one name
    bool duplicate_next_hop = false;   ///< more than one on its segment has the next hop's address
};

/// Follows a packet from namespace to namespace: by what each kernel says, by the way of the frame over each
/// segment (segment_path.hpp) and by who has the next hop's address there. The first hop is `place` itself.
/// It ends where the packet is delivered or lost, where it leaves what is known, or after 16 namespaces. The
/// mark is left behind with the first: it does not survive a veth. errc as `ask.route`'s, of the first
/// namespace only.
/// `facts`, where they are wanted, become those of each hop.
[[nodiscard]] Result<std::vector<api::RouteHop>> walk(const Topology& topology, std::size_t place,
                                                      const kernel::RouteQuery& query, const AskKernel& ask,
                                                      std::vector<HopFacts>* facts = nullptr);

}  // namespace netlab::operations
