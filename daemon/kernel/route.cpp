#include "daemon/kernel/route.hpp"

#include <optional>
#include <tuple>

#include <linux/rtnetlink.h>

namespace netlab::kernel {

namespace {

struct NextHop {
    std::optional<IpAddress> gateway;
    std::uint32_t index = 0;
};

std::optional<IpAddress> ip_address(std::span<const std::byte> bytes) {
    if (bytes.size() != 4 && bytes.size() != 16) return std::nullopt;
    return IpAddress::from_bytes({reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()});
}

/// RTA_GATEWAY, or RTA_VIA where the gateway is of the other family.
void take_gateway(int type, std::span<const std::byte> value, NextHop& hop) {
    if (type == RTA_GATEWAY) hop.gateway = ip_address(value);
    if (type == RTA_VIA && value.size() > sizeof(rtvia))
        hop.gateway = ip_address(value.subspan(sizeof(rtvia)));
}

std::vector<NextHop> parse_multipath(std::span<const std::byte> bytes) {
    std::vector<NextHop> hops;
    rtnexthop header;
    while (read(bytes, header) && header.rtnh_len >= sizeof header && header.rtnh_len <= bytes.size()) {
        auto& hop = hops.emplace_back();
        hop.index = static_cast<std::uint32_t>(header.rtnh_ifindex);
        for_each_attribute(
            bytes.subspan(sizeof header, header.rtnh_len - sizeof header),
            [&](int type, std::span<const std::byte> value) { take_gateway(type, value, hop); });
        bytes = bytes.subspan(std::min(bytes.size(), static_cast<std::size_t>(RTNH_ALIGN(header.rtnh_len))));
    }
    return hops;
}

void parse_route(std::span<const std::byte> message, std::vector<DefaultRoute>& out) {
    rtmsg header;
    if (!read(message, header)) return;
    if (header.rtm_dst_len != 0 || header.rtm_src_len != 0 || header.rtm_type != RTN_UNICAST) return;
    if ((header.rtm_flags & RTM_F_CLONED) != 0) return;
    NextHop single;
    std::vector<NextHop> hops;
    std::uint32_t metric = 0;
    std::uint32_t table = header.rtm_table;
    for_each_attribute(message.subspan(sizeof header), [&](int type, std::span<const std::byte> value) {
        take_gateway(type, value, single);
        if (type == RTA_MULTIPATH) hops = parse_multipath(value);
        if (std::uint32_t number = 0; read(value, number)) {
            if (type == RTA_OIF) single.index = number;
            if (type == RTA_PRIORITY) metric = number;
            if (type == RTA_TABLE) table = number;
        }
    });
    if (table != RT_TABLE_MAIN) return;
    if (hops.empty()) hops.push_back(single);
    for (const auto& hop : hops) {
        if (hop.gateway) out.push_back({*hop.gateway, hop.index, metric});
    }
}

}  // namespace

std::vector<DefaultRoute> parse_default_routes(std::span<const std::byte> bytes) {
    std::vector<DefaultRoute> out;
    for_each_message(bytes, [&](std::uint16_t type, std::span<const std::byte> message) {
        if (type == RTM_NEWROUTE) parse_route(message, out);
    });
    return out;
}

Result<std::vector<DefaultRoute>> default_routes(int route_socket) {
    DumpRequest<rtmsg> request(RTM_GETROUTE);
    request.header.rtm_table = RT_TABLE_MAIN;  // strict checking makes it a filter
    const auto raw = dump(route_socket, request.bytes());
    if (!raw) return raw.error();
    auto routes = parse_default_routes(raw->rows);
    std::ranges::stable_sort(routes, {},
                             [](const DefaultRoute& r) { return std::tuple(r.gateway.family(), r.metric); });
    return routes;
}

}  // namespace netlab::kernel
