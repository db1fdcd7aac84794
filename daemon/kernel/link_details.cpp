#include "daemon/kernel/link_details.hpp"

#include "daemon/kernel/link_request.hpp"

#include <algorithm>
#include <array>

#include <arpa/inet.h>
#include <linux/if_arp.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>

namespace netlab::kernel {

namespace {

using Bytes = std::span<const std::byte>;

/// An attribute that is one number, or 0.
template <class T>
T number(Bytes value) {
    T out{};
    return read(value, out) ? out : T{};
}

bool truth(Bytes value) {
    return number<std::uint8_t>(value) != 0;
}

std::string hex_address(Bytes value) {
    constexpr std::string_view digits = "0123456789abcdef";
    std::string out;
    for (const auto byte : value) {
        if (!out.empty()) out += ':';
        out += digits[static_cast<unsigned>(byte) >> 4];
        out += digits[static_cast<unsigned>(byte) & 15];
    }
    return out;
}

std::optional<IpAddress> ip_address(Bytes value, std::size_t size) {
    if (value.size() != size) return std::nullopt;
    return IpAddress::from_bytes({reinterpret_cast<const std::uint8_t*>(value.data()), value.size()});
}

/// ip prints the end of an IP tunnel as the IP address that it is.
std::string hardware_address(std::uint16_t type, Bytes value) {
    const bool v4 = type == ARPHRD_TUNNEL || type == ARPHRD_SIT || type == ARPHRD_IPGRE;
    const bool v6 = type == ARPHRD_TUNNEL6 || type == ARPHRD_IP6GRE;
    if ((v4 && value.size() == 4) || (v6 && value.size() == 16))
        return ip_address(value, value.size())->to_string();
    return hex_address(value);
}

LinkStatistics parse_statistics(Bytes value) {
    // An older kernel's is shorter.
    rtnl_link_stats64 raw{};
    std::memcpy(&raw, value.data(), std::min(value.size(), sizeof raw));
    LinkStatistics out;
    out.rx_bytes = raw.rx_bytes;
    out.rx_packets = raw.rx_packets;
    out.rx_errors = raw.rx_errors;
    out.rx_dropped = raw.rx_dropped;
    out.rx_over_errors = raw.rx_over_errors;
    out.rx_multicast = raw.multicast;
    out.tx_bytes = raw.tx_bytes;
    out.tx_packets = raw.tx_packets;
    out.tx_errors = raw.tx_errors;
    out.tx_dropped = raw.tx_dropped;
    out.tx_carrier_errors = raw.tx_carrier_errors;
    out.tx_collisions = raw.collisions;
    return out;
}

/// struct ifla_bridge_id: two bytes of priority, the address.
std::string bridge_id(Bytes value) {
    if (value.size() != sizeof(ifla_bridge_id)) return {};
    auto priority = hex_address(value.first(2));
    std::erase(priority, ':');
    return priority + "." + hex_address(value.subspan(2));
}

BridgeDetails parse_bridge(Bytes data) {
    BridgeDetails out;
    for_each_attribute(data, [&](int type, Bytes value) {
        switch (type) {
            case IFLA_BR_STP_STATE:
                out.stp = number<std::uint32_t>(value) != 0;
                break;
            case IFLA_BR_VLAN_FILTERING:
                out.vlan_filtering = truth(value);
                break;
            case IFLA_BR_VLAN_DEFAULT_PVID:
                out.default_vlan = number<std::uint16_t>(value);
                break;
            case IFLA_BR_BRIDGE_ID:
                out.id = bridge_id(value);
                break;
            case IFLA_BR_ROOT_ID:
                out.root_id = bridge_id(value);
                break;
            case IFLA_BR_ROOT_PORT:
                out.root_port = number<std::uint16_t>(value);
                break;
            case IFLA_BR_ROOT_PATH_COST:
                out.root_path_cost = number<std::uint32_t>(value);
                break;
            case IFLA_BR_AGEING_TIME:
                out.ageing_time = number<std::uint32_t>(value);
                break;
            case IFLA_BR_MCAST_SNOOPING:
                out.multicast_snooping = truth(value);
                break;
            case IFLA_BR_NF_CALL_IPTABLES:
                out.call_iptables = truth(value);
                break;
            default:
                break;
        }
    });
    return out;
}

BridgePortDetails parse_bridge_port(Bytes data) {
    BridgePortDetails out;
    for_each_attribute(data, [&](int type, Bytes value) {
        switch (type) {
            case IFLA_BRPORT_STATE:
                out.state = number<std::uint8_t>(value);
                break;
            case IFLA_BRPORT_NO:
                out.number = number<std::uint16_t>(value);
                break;
            case IFLA_BRPORT_PRIORITY:
                out.priority = number<std::uint16_t>(value);
                break;
            case IFLA_BRPORT_COST:
                out.cost = number<std::uint32_t>(value);
                break;
            case IFLA_BRPORT_MODE:
                out.hairpin = truth(value);
                break;
            case IFLA_BRPORT_GUARD:
                out.guard = truth(value);
                break;
            case IFLA_BRPORT_PROTECT:
                out.root_block = truth(value);
                break;
            case IFLA_BRPORT_FAST_LEAVE:
                out.fast_leave = truth(value);
                break;
            case IFLA_BRPORT_LEARNING:
                out.learning = truth(value);
                break;
            case IFLA_BRPORT_UNICAST_FLOOD:
                out.flood = truth(value);
                break;
            case IFLA_BRPORT_ISOLATED:
                out.isolated = truth(value);
                break;
            default:
                break;
        }
    });
    return out;
}

std::string macvlan_mode(Bytes data) {
    std::string mode;
    for_each_attribute(data, [&](int type, Bytes value) {
        if (type != IFLA_MACVLAN_MODE) return;
        switch (const auto raw = number<std::uint32_t>(value)) {
            case MACVLAN_MODE_PRIVATE:
                mode = "private";
                break;
            case MACVLAN_MODE_VEPA:
                mode = "vepa";
                break;
            case MACVLAN_MODE_BRIDGE:
                mode = "bridge";
                break;
            case MACVLAN_MODE_PASSTHRU:
                mode = "passthru";
                break;
            case MACVLAN_MODE_SOURCE:
                mode = "source";
                break;
            default:
                mode = std::to_string(raw);
        }
    });
    return mode;
}

std::string ipvlan_mode(Bytes data) {
    static constexpr std::array names{"l2", "l3", "l3s"};
    std::string mode;
    for_each_attribute(data, [&](int type, Bytes value) {
        if (type != IFLA_IPVLAN_MODE) return;
        const auto raw = number<std::uint16_t>(value);
        mode = raw < names.size() ? names[raw] : std::to_string(raw);
    });
    return mode;
}

std::string ipvlan_isolation(Bytes data) {
    std::uint16_t flags = 0;
    for_each_attribute(data, [&](int type, Bytes value) {
        if (type == IFLA_IPVLAN_FLAGS) flags = number<std::uint16_t>(value);
    });
    if ((flags & IPVLAN_F_PRIVATE) != 0) return "private";
    return (flags & IPVLAN_F_VEPA) != 0 ? "vepa" : "bridge";
}

VlanDetails parse_vlan(Bytes data) {
    VlanDetails out;
    for_each_attribute(data, [&](int type, Bytes value) {
        if (type == IFLA_VLAN_ID) out.id = number<std::uint16_t>(value);
        if (type == IFLA_VLAN_PROTOCOL) out.protocol = ntohs(number<std::uint16_t>(value));
    });
    return out;
}

VxlanDetails parse_vxlan(Bytes data) {
    VxlanDetails out;
    for_each_attribute(data, [&](int type, Bytes value) {
        switch (type) {
            case IFLA_VXLAN_ID:
                out.id = number<std::uint32_t>(value);
                break;
            case IFLA_VXLAN_PORT:
                out.port = ntohs(number<std::uint16_t>(value));
                break;
            case IFLA_VXLAN_LINK:
                out.parent = number<std::uint32_t>(value);
                break;
            case IFLA_VXLAN_GROUP:
                out.group = ip_address(value, 4);
                break;
            case IFLA_VXLAN_GROUP6:
                out.group = ip_address(value, 16);
                break;
            case IFLA_VXLAN_LOCAL:
                out.local = ip_address(value, 4);
                break;
            case IFLA_VXLAN_LOCAL6:
                out.local = ip_address(value, 16);
                break;
            case IFLA_VXLAN_LEARNING:
                out.learning = truth(value);
                break;
            default:
                break;
        }
    });
    return out;
}

/// IFLA_LINKINFO: its kind has been read already.
void take_info(Bytes info, LinkDetails& out) {
    Bytes data;
    Bytes port_data;
    for_each_attribute(info, [&](int type, Bytes value) {
        if (type == IFLA_INFO_DATA) data = value;
        if (type == IFLA_INFO_SLAVE_KIND) out.port_kind = text(value);
        if (type == IFLA_INFO_SLAVE_DATA) port_data = value;
    });
    const auto& kind = out.link.kind;
    if (kind == "bridge") out.bridge = parse_bridge(data);
    if (kind == "macvlan" || kind == "macvtap") out.mode = macvlan_mode(data);
    if (kind == "ipvlan" || kind == "ipvtap") {
        out.mode = ipvlan_mode(data);
        out.isolation = ipvlan_isolation(data);
    }
    if (kind == "vlan") out.vlan = parse_vlan(data);
    if (kind == "vxlan") out.vxlan = parse_vxlan(data);
    if (out.port_kind == "bridge") out.bridge_port = parse_bridge_port(port_data);
}

void take_attribute(int type, Bytes value, LinkDetails& out) {
    switch (type) {
        case IFLA_ADDRESS:
            out.hardware_address = hardware_address(out.type, value);
            break;
        case IFLA_BROADCAST:
            out.hardware_broadcast = hardware_address(out.type, value);
            break;
        case IFLA_OPERSTATE:
            out.state = number<std::uint8_t>(value);
            break;
        case IFLA_QDISC:
            out.qdisc = text(value);
            break;
        case IFLA_TXQLEN:
            out.tx_queue_length = number<std::uint32_t>(value);
            break;
        case IFLA_GROUP:
            out.group = number<std::uint32_t>(value);
            break;
        case IFLA_PROMISCUITY:
            out.promiscuity = number<std::uint32_t>(value);
            break;
        case IFLA_IFALIAS:
            out.alias = text(value);
            break;
        case IFLA_STATS64:
            out.statistics = parse_statistics(value);
            break;
        case IFLA_LINKINFO:
            take_info(value, out);
            break;
        default:
            break;
    }
}

}  // namespace

std::vector<LinkDetails> parse_link_details(Bytes bytes) {
    std::vector<LinkDetails> out;
    for_each_message(bytes, [&](std::uint16_t type, Bytes message) {
        if (type != RTM_NEWLINK) return;
        auto link = parse_link(message);
        ifinfomsg header;
        if (!link || !read(message, header)) return;
        auto& details = out.emplace_back();
        details.link = std::move(*link);
        details.type = header.ifi_type;
        for_each_attribute(message.subspan(sizeof header),
                           [&](int attribute, Bytes value) { take_attribute(attribute, value, details); });
    });
    return out;
}

Result<Dump<LinkDetails>> dump_link_details(int route_socket, bool statistics) {
    // RTEXT_FILTER_BRVLAN is of no effect outside of AF_BRIDGE.
    LinkRequest request(statistics ? RTEXT_FILTER_BRVLAN : RTEXT_FILTER_SKIP_STATS);
    const auto raw = dump(route_socket, request.bytes());
    if (!raw) return raw.error();
    return Dump<LinkDetails>{parse_link_details(raw->rows), raw->consistent, raw->notified};
}

}  // namespace netlab::kernel
