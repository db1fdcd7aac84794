#pragma once

#include "common/address.hpp"
#include "daemon/kernel/netlink.hpp"

#include <array>
#include <cstddef>
#include <optional>
#include <span>
#include <string>

#include <linux/rtnetlink.h>

namespace netlab::kernel {

/// One way that a route goes: its only one, or one of several.
struct NextHop {
    std::optional<IpAddress> gateway;  ///< of the other family where it was given as RTA_VIA
    std::uint32_t index = 0;           ///< of the interface; 0: none
    std::uint32_t weight = 1;          ///< as ip(8) counts: 1 to 256
    std::uint32_t flags = 0;           ///< RTNH_F_
    std::uint16_t encapsulation = 0;   ///< LWTUNNEL_ENCAP_
    friend bool operator==(const NextHop&, const NextHop&) = default;
};

/// RTA_METRICS: what the route says of the path.
struct PathMetrics {
    std::array<std::optional<std::uint32_t>, RTAX_MAX + 1> values{};  ///< by RTAX_
    std::string congestion;                                           ///< RTAX_CC_ALGO
    std::uint32_t locked = 0;  ///< bit N: value N is not to be changed by what the path says
    friend bool operator==(const PathMetrics&, const PathMetrics&) = default;
};

/// One entry of a routing table, or the kernel's answer to "which way?" (RTM_NEWROUTE).
struct Route {
    std::uint8_t family = AF_INET;
    std::uint8_t kind = RTN_UNICAST;  ///< RTN_
    std::uint8_t protocol = 0;        ///< RTPROT_
    std::uint8_t scope = 0;           ///< RT_SCOPE_
    std::uint8_t tos = 0;
    std::uint32_t table = 0;
    std::uint32_t flags = 0;                  ///< RTNH_F_ of the only next hop, and RTM_F_
    IpPrefix destination;                     ///< length 0: the default route
    std::optional<IpPrefix> from;             ///< only for packets from there
    std::optional<IpAddress> source;          ///< RTA_PREFSRC
    std::optional<std::uint32_t> metric;      ///< RTA_PRIORITY: lower is preferred
    NextHop hop;                              ///< where there is only one; else without gateway and interface
    std::vector<NextHop> hops;                ///< of a multipath route
    std::optional<std::uint32_t> nexthop_id;  ///< of a next hop object
    PathMetrics metrics;
    std::optional<std::uint8_t> preference;  ///< ICMPV6_ROUTER_PREF_
    std::int32_t expires = 0;                ///< clock ticks (sysconf(_SC_CLK_TCK)); 0: never
    std::uint32_t error = 0;                 ///< negative errno that a packet gets, 0: none
    friend bool operator==(const Route&, const Route&) = default;
};

/// The RTM_NEWROUTE messages of IPv4 and IPv6 among `bytes`; what is malformed or of another family is left
/// out.
[[nodiscard]] std::vector<Route> parse_routes(std::span<const std::byte> bytes);

/// The routes of one table, or of all for 0; IPv4 first, without entries that are only cached. A table that
/// does not exist has none. errc as dump().
[[nodiscard]] Result<Dump<Route>> dump_routes(int route_socket, std::uint32_t table);

}  // namespace netlab::kernel
