#pragma once

#include "common/address.hpp"
#include "common/api/inspection.hpp"
#include "common/api/role.hpp"

#include <optional>

namespace netlab::api {

/// POST /v1/routes: the routing tables of targets, as `ip route show` and `ip -6 route show` have them. A
/// stream of RouteRow, then an InspectionReport.
struct RoutesRequest {
    std::vector<std::string> targets;
    bool all = false;
    std::string table;             ///< "main" (also ""), "local", "default", "all", or a number
    std::optional<Family> family;  ///< only of this one
    friend bool operator==(const RoutesRequest&, const RoutesRequest&) = default;
};
BOOST_DESCRIBE_STRUCT(RoutesRequest, (), (targets, all, table, family))

/// The number of a table by its word, 0 for all of them. errc::bad_request with the words that there are.
[[nodiscard]] Result<std::uint32_t> parse_table(std::string_view word);
[[nodiscard]] Result<void> check(const RoutesRequest& request, Roles roles);

/// What a route says of the path (RTA_METRICS); what it does not say is absent.
struct PathMetrics {
    std::optional<std::uint32_t> mtu;
    std::optional<std::uint32_t> advmss;
    std::optional<std::uint32_t> window;
    std::optional<std::uint32_t> rtt_ms;
    std::optional<std::uint32_t> rttvar_ms;
    std::optional<std::uint32_t> rto_min_ms;
    std::optional<std::uint32_t> ssthresh;
    std::optional<std::uint32_t> cwnd;
    std::optional<std::uint32_t> initcwnd;
    std::optional<std::uint32_t> initrwnd;
    std::optional<std::uint32_t> reordering;
    std::optional<std::uint32_t> hoplimit;
    std::optional<std::uint32_t> quickack;
    std::optional<std::uint32_t> features;  ///< RTAX_FEATURE_
    std::optional<std::uint32_t> fastopen_no_cookie;
    std::optional<std::string> congctl;
    std::vector<std::string> locked;  ///< names of those that the path cannot change
};
BOOST_DESCRIBE_STRUCT(PathMetrics, (),
                      (mtu, advmss, window, rtt_ms, rttvar_ms, rto_min_ms, ssthresh, cwnd, initcwnd, initrwnd,
                       reordering, hoplimit, quickack, features, fastopen_no_cookie, congctl, locked))

/// One of several ways of a route.
struct RouteNextHop {
    std::optional<IpAddress> gateway;
    std::string interface;
    std::uint32_t weight = 1;
    std::vector<std::string> flags;
    std::optional<std::string> encapsulation;
};
BOOST_DESCRIBE_STRUCT(RouteNextHop, (), (gateway, interface, weight, flags, encapsulation))

/// A route by the words of ip(8). (Its type is `kind`: `type` is the line's.)
struct RouteEntry {
    std::string target;
    Family family = Family::ipv4;
    std::string kind;                      ///< unicast, local, blackhole, unreachable, prohibit, throw, …
    std::string destination;               ///< "default", "172.18.0.0/16", "192.0.2.7"
    std::optional<std::string> from;       ///< only for packets from this prefix
    std::optional<IpAddress> gateway;      ///< absent: the destination is on the link, or `nexthops`
    std::optional<std::string> interface;  ///< absent: none, or `nexthops`
    std::optional<IpAddress> source;       ///< what a program that binds to nothing sends from
    std::string table;
    std::string protocol;                 ///< who made it: kernel, boot, static, ra, dhcp, …
    std::string scope;                    ///< global, link, host, …
    std::optional<std::uint32_t> metric;  ///< lower is preferred
    std::optional<std::string> tos;       ///< "0x10"
    std::vector<std::string> flags;       ///< onlink, linkdown, dead, pervasive, …
    std::optional<PathMetrics> metrics;
    std::optional<std::string> preference;  ///< RFC 4191: low, medium, high
    std::vector<RouteNextHop> nexthops;     ///< of a multipath route
    std::optional<std::uint32_t> nexthop_id;
    std::optional<std::string> encapsulation;  ///< mpls, ip, seg6, …
    std::optional<std::uint32_t> expires_seconds;
};
BOOST_DESCRIBE_STRUCT(RouteEntry, (),
                      (target, family, kind, destination, from, gateway, interface, source, table, protocol,
                       scope, metric, tos, flags, metrics, preference, nexthops, nexthop_id, encapsulation,
                       expires_seconds))

struct RouteRow : RouteEntry {
    static constexpr std::string_view type = "route";
};
BOOST_DESCRIBE_STRUCT(RouteRow, (RouteEntry), ())

}  // namespace netlab::api
