#include "daemon/operations/route_row.hpp"

#include "daemon/kernel/names.hpp"
#include "daemon/kernel/route_names.hpp"

#include <unistd.h>

namespace netlab::operations {

namespace {

struct MetricField {
    std::size_t number;  ///< RTAX_
    const char* name;
    std::optional<std::uint32_t> api::PathMetrics::*member;
    std::uint32_t divisor;  ///< the kernel keeps RTTs in eighths and quarters of milliseconds
};

constexpr MetricField metric_fields[] = {
    {RTAX_MTU, "mtu", &api::PathMetrics::mtu, 1},
    {RTAX_WINDOW, "window", &api::PathMetrics::window, 1},
    {RTAX_RTT, "rtt", &api::PathMetrics::rtt_ms, 8},
    {RTAX_RTTVAR, "rttvar", &api::PathMetrics::rttvar_ms, 4},
    {RTAX_SSTHRESH, "ssthresh", &api::PathMetrics::ssthresh, 1},
    {RTAX_CWND, "cwnd", &api::PathMetrics::cwnd, 1},
    {RTAX_ADVMSS, "advmss", &api::PathMetrics::advmss, 1},
    {RTAX_REORDERING, "reordering", &api::PathMetrics::reordering, 1},
    {RTAX_HOPLIMIT, "hoplimit", &api::PathMetrics::hoplimit, 1},
    {RTAX_INITCWND, "initcwnd", &api::PathMetrics::initcwnd, 1},
    {RTAX_FEATURES, "features", &api::PathMetrics::features, 1},
    {RTAX_RTO_MIN, "rto_min", &api::PathMetrics::rto_min_ms, 1},
    {RTAX_INITRWND, "initrwnd", &api::PathMetrics::initrwnd, 1},
    {RTAX_QUICKACK, "quickack", &api::PathMetrics::quickack, 1},
    {RTAX_FASTOPEN_NO_COOKIE, "fastopen_no_cookie", &api::PathMetrics::fastopen_no_cookie, 1},
};

std::optional<api::PathMetrics> metrics_of(const kernel::PathMetrics& metrics) {
    api::PathMetrics out;
    bool any = false;
    for (const auto& field : metric_fields) {
        const auto& value = metrics.values[field.number];
        if (!value) continue;
        // "no hop limit of its own" is how the kernel says that none was given.
        if (field.number == RTAX_HOPLIMIT && *value == 0xFFFFFFFF) continue;
        out.*field.member = *value / field.divisor;
        if ((metrics.locked & (1U << field.number)) != 0) out.locked.emplace_back(field.name);
        any = true;
    }
    if (!metrics.congestion.empty()) {
        out.congctl = metrics.congestion;
        if ((metrics.locked & (1U << RTAX_CC_ALGO)) != 0) out.locked.emplace_back("congctl");
        any = true;
    }
    return any ? std::optional(std::move(out)) : std::nullopt;
}

/// As ip(8) writes it: "default", no length behind a single address.
std::string prefix_text(const IpPrefix& prefix) {
    if (prefix.length() == 0) return "default";
    const unsigned whole = prefix.address().is_v4() ? 32 : 128;
    return prefix.length() == whole ? prefix.address().to_string() : prefix.to_string();
}

std::optional<std::string> encapsulation_of(const kernel::NextHop& hop) {
    return hop.encapsulation == 0 ? std::nullopt
                                  : std::optional(kernel::encapsulation_name(hop.encapsulation));
}

api::RouteNextHop next_hop(const kernel::NextHop& hop, const InterfaceNames& names) {
    return {hop.gateway, names[hop.index], hop.weight, kernel::route_flag_names(hop.flags),
            encapsulation_of(hop)};
}

}  // namespace

api::RouteEntry route_entry(const std::string& target, const kernel::Route& route,
                            const InterfaceNames& names) {
    static const long ticks_per_second = ::sysconf(_SC_CLK_TCK);
    api::RouteEntry row;
    row.target = target;
    row.family = route.family == AF_INET ? Family::ipv4 : Family::ipv6;
    row.kind = kernel::route_kind_name(route.kind);
    row.destination = prefix_text(route.destination);
    if (route.from) row.from = prefix_text(*route.from);
    row.gateway = route.hop.gateway;
    if (route.hop.index != 0) row.interface = names[route.hop.index];
    row.source = route.source;
    row.table = kernel::table_name(route.table);
    row.protocol = kernel::protocol_name(route.protocol);
    row.scope = kernel::scope_name(route.scope);
    row.metric = route.metric;
    if (route.tos != 0) row.tos = kernel::hexadecimal(route.tos);
    row.flags = kernel::route_flag_names(route.flags);
    row.metrics = metrics_of(route.metrics);
    if (route.preference) row.preference = kernel::preference_name(*route.preference);
    for (const auto& hop : route.hops)
        row.nexthops.push_back(next_hop(hop, names));
    row.nexthop_id = route.nexthop_id;
    row.encapsulation = encapsulation_of(route.hop);
    if (route.expires > 0) row.expires_seconds = static_cast<std::uint32_t>(route.expires / ticks_per_second);
    return row;
}

}  // namespace netlab::operations
