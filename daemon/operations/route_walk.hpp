#pragma once

#include "daemon/operations/route_verdict.hpp"

#include <optional>
#include <vector>

namespace netlab::operations {

/// Follows a packet from namespace to namespace: by what each kernel says, by the way of the frame over each
/// segment (segment_path.hpp) and by who has the next hop's address there. The first hop is `place` itself.
/// It ends where the packet is delivered or lost, where it leaves what is known, or after 16 namespaces. The
/// mark is left behind with the first: it does not survive a veth. errc as `ask.route`'s, of the first
/// namespace only.
/// `places`, where it is wanted, becomes the place of each hop's namespace, absent where it leaves: several
/// targets may have one name.
[[nodiscard]] Result<std::vector<api::RouteHop>> walk(
    const Topology& topology, std::size_t place, const kernel::RouteQuery& query, const AskKernel& ask,
    std::vector<std::optional<std::size_t>>* places = nullptr);

}  // namespace netlab::operations
