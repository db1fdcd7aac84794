#pragma once

#include "daemon/operations/scoped_address.hpp"

#include <optional>
#include <vector>

namespace netlab::operations {

/// What the kernel would do with a packet, without one being sent.
struct RouteProbe {
    int error_number = 0;  ///< of connect(2): ENETUNREACH no route, EACCES a broadcast address, …
    std::optional<IpAddress> source;  ///< the address it would leave from
};

/// A UDP socket is connected in the current namespace and closed again. `interface_index` 0: any interface.
[[nodiscard]] RouteProbe probe_route(const ScopedAddress& to, std::uint32_t interface_index);

/// The address is on that link of the namespace (0: on any), and nobody there has answered for it. False
/// where that cannot be told.
[[nodiscard]] bool neighbour_is_silent(int route_socket, const IpAddress& address,
                                       std::uint32_t interface_index = 0);

/// The order in which a program would try the addresses of one name (RFC 6724, as far as it shows in
/// practice): IPv6 before IPv4 where a route and a source of fitting scope are there, then IPv4, then the
/// rest; within a family as they came.
[[nodiscard]] std::vector<IpAddress> in_order_of_preference(const std::vector<IpAddress>& addresses,
                                                            std::uint32_t interface_index);

}  // namespace netlab::operations
