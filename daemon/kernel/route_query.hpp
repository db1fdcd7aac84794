#pragma once

#include "daemon/kernel/route_entry.hpp"

namespace netlab::kernel {

/// A packet that is only asked about.
struct RouteQuery {
    IpAddress destination;
    std::optional<IpAddress> from;  ///< of the same family
    std::uint32_t mark = 0;
    std::uint32_t input = 0;   ///< index of the interface it comes in by; 0: it is made here
    std::uint32_t output = 0;  ///< index of the interface it must leave by; 0: the routes decide
    bool which_entry = false;  ///< the table's entry that decides, instead of what becomes of the packet
    std::uint8_t protocol =
        0;  ///< IPPROTO_TCP, _UDP, _ICMP or _ICMPV6, for policy rules that ask; 0: not said
    std::uint16_t source_port = 0;       ///< with a protocol
    std::uint16_t destination_port = 0;  ///< the same
};

/// What the kernel says to it.
struct RouteReply {
    int error = 0;               ///< the errno that a sender would get, 0 for none
    std::optional<Route> route;  ///< absent where it answered with the error alone
};

/// RTM_GETROUTE as `ip route get` asks it; needs no capability. errc as ask().
[[nodiscard]] Result<RouteReply> query_route(int route_socket, const RouteQuery& query);

/// The request's bytes.
[[nodiscard]] std::vector<std::byte> route_request(const RouteQuery& query);

}  // namespace netlab::kernel
