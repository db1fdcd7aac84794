#pragma once

#include "common/api/route.hpp"
#include "daemon/kernel/route_query.hpp"
#include "daemon/operations/topology.hpp"

#include <functional>

namespace netlab::operations {

/// What the kernel's reply means for a packet.
[[nodiscard]] api::RouteStep step_of(const kernel::RouteReply& reply);

/// True of the steps after which the packet is gone.
[[nodiscard]] bool is_lost(api::RouteStep step);

/// Asks the kernel of the namespace in that place.
using AskKernel = std::function<Result<kernel::RouteReply>(std::size_t place, const kernel::RouteQuery&)>;

/// Follows a packet from namespace to namespace: by what each kernel says, by veths, bridges and who has the
/// next hop's address on the segment. The first hop is `place` itself. It ends where the packet is delivered
/// or lost, where it leaves what is known, or after 16 namespaces. The mark is left behind with the first: it
/// does not survive a veth. errc as `ask`'s, of the first namespace only.
[[nodiscard]] Result<std::vector<api::RouteHop>> walk(const Topology& topology, std::size_t place,
                                                      const kernel::RouteQuery& query, const AskKernel& ask);

}  // namespace netlab::operations
