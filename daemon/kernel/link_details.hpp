#pragma once

#include "daemon/kernel/link.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace netlab::kernel {

/// IFLA_STATS64, as `ip -s link` shows it.
struct LinkStatistics {
    std::uint64_t rx_bytes = 0;
    std::uint64_t rx_packets = 0;
    std::uint64_t rx_errors = 0;
    std::uint64_t rx_dropped = 0;
    std::uint64_t rx_over_errors = 0;
    std::uint64_t rx_multicast = 0;
    std::uint64_t tx_bytes = 0;
    std::uint64_t tx_packets = 0;
    std::uint64_t tx_errors = 0;
    std::uint64_t tx_dropped = 0;
    std::uint64_t tx_carrier_errors = 0;
    std::uint64_t tx_collisions = 0;
    friend bool operator==(const LinkStatistics&, const LinkStatistics&) = default;
};

/// IFLA_INFO_DATA of a bridge.
struct BridgeDetails {
    bool stp = false;
    bool vlan_filtering = false;
    std::uint16_t default_vlan = 0;  ///< the PVID of its ports, 0: none
    std::string id;                  ///< "8000.02:42:ac:12:00:01", as brctl prints it
    std::string root_id;
    std::uint16_t root_port = 0;  ///< port number towards the root, 0: it is the root itself
    std::uint32_t root_path_cost = 0;
    std::uint32_t ageing_time = 0;  ///< in hundredths of a second
    bool multicast_snooping = false;
    bool call_iptables = false;  ///< what it forwards passes iptables, by its own setting
    friend bool operator==(const BridgeDetails&, const BridgeDetails&) = default;
};

/// IFLA_INFO_SLAVE_DATA of a bridge port.
struct BridgePortDetails {
    std::uint8_t state = 0;  ///< BR_STATE_
    std::uint16_t number = 0;
    std::uint16_t priority = 0;
    std::uint32_t cost = 0;
    bool hairpin = false;
    bool guard = false;
    bool root_block = false;
    bool fast_leave = false;
    bool learning = false;
    bool flood = false;
    bool isolated = false;
    friend bool operator==(const BridgePortDetails&, const BridgePortDetails&) = default;
};

struct VlanDetails {
    std::uint16_t id = 0;
    std::uint16_t protocol = 0;  ///< ETH_P_8021Q or ETH_P_8021AD
    friend bool operator==(const VlanDetails&, const VlanDetails&) = default;
};

struct VxlanDetails {
    std::uint32_t id = 0;            ///< VNI
    std::uint16_t port = 0;          ///< UDP destination port
    std::uint32_t parent = 0;        ///< index of the device it sends through, 0: as the routes say
    std::optional<IpAddress> group;  ///< the remote end, unicast or multicast
    std::optional<IpAddress> local;
    bool learning = false;
    friend bool operator==(const VxlanDetails&, const VxlanDetails&) = default;
};

/// One interface with all that `ip -d -s link` shows of it.
struct LinkDetails {
    Link link;
    std::uint16_t type = 0;          ///< ARPHRD_
    std::string hardware_address;    ///< IFLA_ADDRESS as ip(8) prints it; of a tunnel an IP address
    std::string hardware_broadcast;  ///< IFLA_BROADCAST
    std::uint8_t state = 0;          ///< IF_OPER_
    std::string qdisc;
    std::uint32_t tx_queue_length = 0;
    std::uint32_t group = 0;
    std::uint32_t promiscuity = 0;  ///< how many asked for it
    std::string alias;              ///< IFLA_IFALIAS, what somebody noted down about it
    LinkStatistics statistics;
    std::string port_kind;  ///< of a port, its master's kind: "bridge", "bond", "vrf"
    std::optional<BridgeDetails> bridge;
    std::optional<BridgePortDetails> bridge_port;
    std::string mode;       ///< of macvlan, macvtap, ipvlan and ipvtap: "bridge", "private", "l2", …
    std::string isolation;  ///< of ipvlan and ipvtap: "bridge", "private", "vepa"
    std::optional<VlanDetails> vlan;
    std::optional<VxlanDetails> vxlan;
    friend bool operator==(const LinkDetails&, const LinkDetails&) = default;
};

/// The RTM_NEWLINK messages among `bytes`; what is malformed is left out.
[[nodiscard]] std::vector<LinkDetails> parse_link_details(std::span<const std::byte> bytes);

/// Larger and slower than dump_links(). Without `statistics` they are all zero. errc as dump().
[[nodiscard]] Result<Dump<LinkDetails>> dump_link_details(int route_socket, bool statistics = true);

/// Names as ip(8) prints them.
[[nodiscard]] std::string operational_state_name(std::uint8_t state);         ///< IF_OPER_: "UP"
[[nodiscard]] std::vector<std::string> link_flag_names(std::uint32_t flags);  ///< IFF_: "UP", "NO-CARRIER"
[[nodiscard]] std::string link_type_name(std::uint16_t type);                 ///< ARPHRD_: "ether"
[[nodiscard]] std::string port_state_name(std::uint8_t state);                ///< BR_STATE_: "forwarding"

}  // namespace netlab::kernel
