#pragma once

#include "common/address.hpp"
#include "common/api/inspection.hpp"

#include <optional>

namespace netlab::api {

/// POST /v1/links: the interfaces of targets, as `ip -d -s link` has them, and where their other ends are. A
/// stream of LinkRow, then an InspectionReport.
struct LinksRequest {
    std::vector<std::string> targets;
    bool all = false;
    std::string interface;  ///< only of this one; "" of all
    friend bool operator==(const LinksRequest&, const LinksRequest&) = default;
};
BOOST_DESCRIBE_STRUCT(LinksRequest, (), (targets, all, interface))

/// An interface that another one refers to: a veth's other end, the parent of a macvlan. What netlab does not
/// know of it is absent, never guessed.
struct OtherEnd {
    std::optional<std::string> target;  ///< absent: it is in a namespace that netlab does not know
    std::uint32_t index = 0;            ///< that it has there
    std::optional<std::string> name;    ///< that it has there
    std::optional<std::int32_t>
        nsid;  ///< by which the row's own namespace knows that one (`ip netns list-id`); absent: the same one
    friend bool operator==(const OtherEnd&, const OtherEnd&) = default;
};
BOOST_DESCRIBE_STRUCT(OtherEnd, (), (target, index, name, nsid))

/// Settings and state of a bridge.
struct BridgeSettings {
    bool stp = false;
    bool vlan_filtering = false;
    std::uint16_t default_vlan = 0;  ///< PVID of its ports, 0: none
    std::string id;                  ///< "8000.02:42:ac:12:00:01"
    std::string root_id;             ///< the spanning tree's root; itself without STP
    std::uint16_t root_port = 0;     ///< number of the port towards it, 0: none
    std::uint32_t root_path_cost = 0;
    double ageing_seconds = 0;
    bool multicast_snooping = false;
    bool call_iptables = false;  ///< by its own setting; the sysctl bridge-nf-call-iptables counts too
};
BOOST_DESCRIBE_STRUCT(BridgeSettings, (),
                      (stp, vlan_filtering, default_vlan, id, root_id, root_port, root_path_cost,
                       ageing_seconds, multicast_snooping, call_iptables))

/// Settings and state of a bridge's port, by the names of bridge(8).
struct BridgePortSettings {
    std::string state;  ///< disabled, listening, learning, forwarding, blocking
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
};
BOOST_DESCRIBE_STRUCT(BridgePortSettings, (),
                      (state, number, priority, cost, hairpin, guard, root_block, fast_leave, learning, flood,
                       isolated))

struct Vlan {
    std::uint16_t id = 0;
    std::string protocol;  ///< "802.1Q", "802.1ad"
};
BOOST_DESCRIBE_STRUCT(Vlan, (), (id, protocol))

struct Vxlan {
    std::uint32_t id = 0;
    std::uint16_t port = 0;
    std::optional<IpAddress> remote;  ///< unicast
    std::optional<IpAddress> group;   ///< multicast
    std::optional<IpAddress> local;
    bool learning = false;
};
BOOST_DESCRIBE_STRUCT(Vxlan, (), (id, port, remote, group, local, learning))

/// IFLA_STATS64.
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
};
BOOST_DESCRIBE_STRUCT(LinkStatistics, (),
                      (rx_bytes, rx_packets, rx_errors, rx_dropped, rx_over_errors, rx_multicast, tx_bytes,
                       tx_packets, tx_errors, tx_dropped, tx_carrier_errors, tx_collisions))

struct LinkRow {
    static constexpr std::string_view type = "link";
    std::string target;
    std::uint32_t index = 0;
    std::string name;
    std::vector<std::string> alternative_names;
    std::string kind;       ///< "veth", "bridge", …; "" of hardware and the loopback
    std::string link_type;  ///< "ether", "loopback", …
    std::string state;      ///< as ip(8) names it: UP, DOWN, LOWERLAYERDOWN, UNKNOWN, …
    std::uint32_t mtu = 0;
    std::string mac;  ///< of an IP tunnel its end's address; "" where it has none
    std::string broadcast;
    std::optional<std::string> master;       ///< the bridge, bond or VRF that it is a port of
    std::optional<std::string> master_kind;  ///< "bridge", "bond", "vrf"
    std::optional<BridgePortSettings> bridge_port;
    std::optional<OtherEnd> peer;    ///< of a veth
    std::optional<OtherEnd> parent;  ///< that a macvlan, ipvlan, VLAN, VXLAN, … sends through
    std::vector<std::string> flags;  ///< as ip(8) names them
    std::string qdisc;
    std::uint32_t tx_queue_length = 0;
    std::string group;  ///< "default", or a number
    std::uint32_t promiscuity = 0;
    std::optional<std::string> alias;  ///< what somebody noted down about it
    std::optional<std::string> mode;   ///< of macvlan and ipvlan
    std::optional<Vlan> vlan;
    std::optional<Vxlan> vxlan;
    std::optional<BridgeSettings> bridge;
    LinkStatistics statistics;
};
BOOST_DESCRIBE_STRUCT(LinkRow, (),
                      (target, index, name, alternative_names, kind, link_type, state, mtu, mac, broadcast,
                       master, master_kind, bridge_port, peer, parent, flags, qdisc, tx_queue_length, group,
                       promiscuity, alias, mode, vlan, vxlan, bridge, statistics))

}  // namespace netlab::api
