#include "daemon/operations/link_row.hpp"

#include <linux/if_ether.h>

namespace netlab::operations {

namespace {

std::string group_name(std::uint32_t group) {
    return group == 0 ? "default" : std::to_string(group);
}

api::LinkStatistics statistics(const kernel::LinkStatistics& from) {
    api::LinkStatistics out;
    out.rx_bytes = from.rx_bytes;
    out.rx_packets = from.rx_packets;
    out.rx_errors = from.rx_errors;
    out.rx_dropped = from.rx_dropped;
    out.rx_over_errors = from.rx_over_errors;
    out.rx_multicast = from.rx_multicast;
    out.tx_bytes = from.tx_bytes;
    out.tx_packets = from.tx_packets;
    out.tx_errors = from.tx_errors;
    out.tx_dropped = from.tx_dropped;
    out.tx_carrier_errors = from.tx_carrier_errors;
    out.tx_collisions = from.tx_collisions;
    return out;
}

api::Vlan vlan(const kernel::VlanDetails& from) {
    switch (from.protocol) {
        case ETH_P_8021Q:
            return {from.id, "802.1Q"};
        case ETH_P_8021AD:
            return {from.id, "802.1ad"};
        default:
            return {from.id, std::to_string(from.protocol)};
    }
}

api::Vxlan vxlan(const kernel::VxlanDetails& from) {
    api::Vxlan out;
    out.id = from.id;
    out.port = from.port;
    // One attribute in the kernel, two words in ip(8).
    const bool any = from.group && !from.group->is_unspecified();
    if (any && from.group->is_multicast()) out.group = from.group;
    if (any && !from.group->is_multicast()) out.remote = from.group;
    if (from.local && !from.local->is_unspecified()) out.local = from.local;
    out.learning = from.learning;
    return out;
}

}  // namespace

api::BridgeSettings bridge_settings(const kernel::BridgeDetails& bridge) {
    api::BridgeSettings out;
    out.stp = bridge.stp;
    out.vlan_filtering = bridge.vlan_filtering;
    out.default_vlan = bridge.default_vlan;
    out.id = bridge.id;
    out.root_id = bridge.root_id;
    out.root_port = bridge.root_port;
    out.root_path_cost = bridge.root_path_cost;
    out.ageing_seconds = bridge.ageing_time / 100.0;
    out.multicast_snooping = bridge.multicast_snooping;
    out.call_iptables = bridge.call_iptables;
    return out;
}

api::BridgePortSettings bridge_port_settings(const kernel::BridgePortDetails& port) {
    api::BridgePortSettings out;
    out.state = kernel::port_state_name(port.state);
    out.number = port.number;
    out.priority = port.priority;
    out.cost = port.cost;
    out.hairpin = port.hairpin;
    out.guard = port.guard;
    out.root_block = port.root_block;
    out.fast_leave = port.fast_leave;
    out.learning = port.learning;
    out.flood = port.flood;
    out.isolated = port.isolated;
    return out;
}

api::LinkRow link_row(const kernel::LinkDetails& details) {
    api::LinkRow row;
    row.index = details.link.index;
    row.name = details.link.name;
    row.alternative_names = details.link.alternative_names;
    row.kind = details.link.kind;
    row.link_type = kernel::link_type_name(details.type);
    row.state = kernel::operational_state_name(details.state);
    row.mtu = details.link.mtu;
    row.mac = details.hardware_address;
    row.broadcast = details.hardware_broadcast;
    if (!details.port_kind.empty()) row.master_kind = details.port_kind;
    if (details.bridge_port) row.bridge_port = bridge_port_settings(*details.bridge_port);
    row.flags = kernel::link_flag_names(details.link.flags);
    row.qdisc = details.qdisc;
    row.tx_queue_length = details.tx_queue_length;
    row.group = group_name(details.group);
    row.promiscuity = details.promiscuity;
    if (!details.alias.empty()) row.alias = details.alias;
    if (!details.mode.empty()) row.mode = details.mode;
    if (details.vlan) row.vlan = vlan(*details.vlan);
    if (details.vxlan) row.vxlan = vxlan(*details.vxlan);
    if (details.bridge) row.bridge = bridge_settings(*details.bridge);
    row.statistics = statistics(details.statistics);
    return row;
}

}  // namespace netlab::operations
