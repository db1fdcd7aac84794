#pragma once

#include "common/address.hpp"
#include "daemon/kernel/netlink.hpp"

#include <cstddef>
#include <span>

namespace netlab::kernel {

/// A way out of the namespace through a gateway.
struct DefaultRoute {
    IpAddress gateway;
    std::uint32_t index = 0;   ///< of the interface
    std::uint32_t metric = 0;  ///< lower is preferred
    friend bool operator==(const DefaultRoute&, const DefaultRoute&) = default;
};

/// The unicast default routes with a gateway among the RTM_NEWROUTE messages in `bytes`; each next hop of a
/// multipath route is one.
[[nodiscard]] std::vector<DefaultRoute> parse_default_routes(std::span<const std::byte> bytes);

/// The default routes of the main table: IPv4's first, each family's preferred first. errc as dump().
[[nodiscard]] Result<std::vector<DefaultRoute>> default_routes(int route_socket);

}  // namespace netlab::kernel
