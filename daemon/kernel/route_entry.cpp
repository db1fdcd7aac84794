#include "daemon/kernel/route_entry.hpp"

#include "daemon/kernel/ip_attribute.hpp"

namespace netlab::kernel {

namespace {

/// The request, and the table as an attribute: the header has only eight bits for it.
struct TableRequest {
    nlmsghdr message{};
    rtmsg header{};
    nlattr attribute{};
    std::uint32_t table = 0;
};

void take_hop(int type, std::span<const std::byte> value, NextHop& hop) {
    if (type == RTA_GATEWAY) hop.gateway = ip_attribute(value);
    if (type == RTA_VIA && value.size() > sizeof(rtvia))
        hop.gateway = ip_attribute(value.subspan(sizeof(rtvia)));
    if (std::uint16_t kind = 0; type == RTA_ENCAP_TYPE && read(value, kind)) hop.encapsulation = kind;
    if (std::uint32_t index = 0; type == RTA_OIF && read(value, index)) hop.index = index;
}

std::vector<NextHop> parse_hops(std::span<const std::byte> bytes) {
    std::vector<NextHop> hops;
    rtnexthop header;
    while (read(bytes, header) && header.rtnh_len >= sizeof header && header.rtnh_len <= bytes.size()) {
        auto& hop = hops.emplace_back();
        for_each_attribute(bytes.subspan(sizeof header, header.rtnh_len - sizeof header),
                           [&](int type, std::span<const std::byte> value) { take_hop(type, value, hop); });
        hop.index = static_cast<std::uint32_t>(header.rtnh_ifindex);
        hop.weight = header.rtnh_hops + 1U;
        hop.flags = header.rtnh_flags;
        bytes = bytes.subspan(std::min(bytes.size(), static_cast<std::size_t>(RTNH_ALIGN(header.rtnh_len))));
    }
    return hops;
}

PathMetrics parse_metrics(std::span<const std::byte> bytes) {
    PathMetrics metrics;
    for_each_attribute(bytes, [&](int type, std::span<const std::byte> value) {
        if (type == RTAX_CC_ALGO) {
            metrics.congestion = text(value);
        } else if (type == RTAX_LOCK) {
            if (std::uint32_t bits = 0; read(value, bits)) metrics.locked = bits;
        } else if (std::uint32_t number = 0; type > 0 && type <= RTAX_MAX && read(value, number)) {
            metrics.values[static_cast<std::size_t>(type)] = number;
        }
    });
    return metrics;
}

void take_attribute(int type, std::span<const std::byte> value, Route& route) {
    take_hop(type, value, route.hop);
    std::uint32_t number = 0;
    const bool whole = read(value, number);
    switch (type) {
        case RTA_TABLE:
            if (whole) route.table = number;
            break;
        case RTA_PRIORITY:
            if (whole) route.metric = number;
            break;
        case RTA_NH_ID:
            if (whole) route.nexthop_id = number;
            break;
        case RTA_PREFSRC:
            route.source = ip_attribute(value);
            break;
        case RTA_MULTIPATH:
            route.hops = parse_hops(value);
            break;
        case RTA_METRICS:
            route.metrics = parse_metrics(value);
            break;
        case RTA_PREF:
            if (std::uint8_t preference = 0; read(value, preference)) route.preference = preference;
            break;
        case RTA_CACHEINFO:
            if (rta_cacheinfo info; read(value, info)) {
                route.expires = info.rta_expires;
                route.error = info.rta_error;
            }
            break;
        default:
            break;
    }
}

std::optional<Route> parse_route(std::span<const std::byte> message) {
    rtmsg header;
    if (!read(message, header) || (header.rtm_family != AF_INET && header.rtm_family != AF_INET6))
        return std::nullopt;
    Route route;
    route.family = header.rtm_family;
    route.kind = header.rtm_type;
    route.protocol = header.rtm_protocol;
    route.scope = header.rtm_scope;
    route.tos = header.rtm_tos;
    route.table = header.rtm_table;
    route.flags = header.rtm_flags;
    // An answer to a question carries RTCF_ flags of its own above these.
    if ((route.flags & RTM_F_CLONED) != 0) route.flags &= 0xFFFF;
    auto destination = any_address(header.rtm_family);
    auto from = destination;
    for_each_attribute(message.subspan(sizeof header), [&](int type, std::span<const std::byte> value) {
        const auto address = ip_attribute(value);
        const bool fits = address && address->family() == destination.family();
        if (type == RTA_DST && fits) destination = *address;
        if (type == RTA_SRC && fits) from = *address;
        take_attribute(type, value, route);
    });
    const auto prefix = IpPrefix::make(destination, header.rtm_dst_len);
    const auto source = IpPrefix::make(from, header.rtm_src_len);
    if (!prefix || !source) return std::nullopt;
    route.destination = *prefix;
    // An answer to a question without a source says "from ::".
    const bool said =
        header.rtm_src_len != 0 && !((header.rtm_flags & RTM_F_CLONED) != 0 && from.is_unspecified());
    if (said) route.from = *source;
    route.hop.flags = header.rtm_flags;
    return route;
}

}  // namespace

std::vector<Route> parse_routes(std::span<const std::byte> bytes) {
    std::vector<Route> out;
    for_each_message(bytes, [&](std::uint16_t type, std::span<const std::byte> message) {
        if (type != RTM_NEWROUTE) return;
        if (auto route = parse_route(message)) out.push_back(std::move(*route));
    });
    return out;
}

Result<Dump<Route>> dump_routes(int route_socket, std::uint32_t table) {
    // Of both families at once: asked for one, a table that does not exist would be an error.
    TableRequest request;
    request.message.nlmsg_type = RTM_GETROUTE;
    request.attribute.nla_type = RTA_TABLE;
    request.attribute.nla_len = sizeof request.attribute + sizeof request.table;
    request.table = table;
    const auto all = std::as_writable_bytes(std::span(&request, 1));
    const auto whole = table == 0 ? all.first(sizeof request.message + sizeof request.header) : all;
    const auto raw = dump(route_socket, whole);
    if (!raw) return raw.error();
    Dump<Route> routes{parse_routes(raw->rows), raw->consistent, raw->notified};
    std::erase_if(routes.rows, [table](const Route& route) {
        return (route.flags & RTM_F_CLONED) != 0 || (table != 0 && route.table != table);
    });
    return routes;
}

}  // namespace netlab::kernel
