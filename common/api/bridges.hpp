#pragma once

#include "common/api/links.hpp"
#include "common/api/target.hpp"

namespace netlab::api {

/// POST /v1/bridges: the bridges of targets (mostly of the host), what they belong to and what is behind each
/// port. A stream of BridgeRow and, with `fdb`, FdbRow after its bridge's, then an InspectionReport. An
/// engine that could not be asked for its networks is a TargetFailure; the rows stay.
struct BridgesRequest {
    std::vector<std::string> targets;
    bool all = false;
    bool fdb = false;
    friend bool operator==(const BridgesRequest&, const BridgesRequest&) = default;
};
BOOST_DESCRIBE_STRUCT(BridgesRequest, (), (targets, all, fdb))

/// The engine's network that a bridge is of.
struct BridgeNetwork {
    Runtime engine = Runtime::docker;
    std::optional<std::string> name;  ///< absent: the engine could not be asked
    std::optional<std::string> id;    ///< whole, or the part that is in the bridge's name
    bool said_by_engine = false;      ///< false: that is what the bridge's name looks like
};
BOOST_DESCRIBE_STRUCT(BridgeNetwork, (), (engine, name, id, said_by_engine))

struct BridgePort {
    std::uint32_t index = 0;
    std::string name;
    std::string kind;
    std::string state;            ///< of the link, as in LinkRow
    BridgePortSettings settings;  ///< `state` is the spanning tree's
    std::optional<OtherEnd> peer;
};
BOOST_DESCRIBE_STRUCT(BridgePort, (), (index, name, kind, state, settings, peer))

struct BridgeRow {
    static constexpr std::string_view type = "bridge";
    std::string target;
    std::uint32_t index = 0;
    std::string name;
    std::string state;
    std::uint32_t mtu = 0;
    std::string mac;
    std::optional<BridgeNetwork> network;  ///< absent: none, or none that is known
    std::vector<IpPrefix> addresses;
    BridgeSettings settings;
    std::vector<BridgePort> ports;
};
BOOST_DESCRIBE_STRUCT(BridgeRow, (),
                      (target, index, name, state, mtu, mac, network, addresses, settings, ports))

/// The interface that has a MAC address.
struct MacOwner {
    std::string target;
    std::string interface;
    friend bool operator==(const MacOwner&, const MacOwner&) = default;
};
BOOST_DESCRIBE_STRUCT(MacOwner, (), (target, interface))

/// One entry of a forwarding database, as `bridge fdb show` has it.
struct FdbRow {
    static constexpr std::string_view type = "fdb";
    std::string target;
    std::string bridge;
    std::string port;  ///< the bridge's own name for its own entries
    std::uint32_t port_index = 0;
    std::string mac;
    std::optional<std::uint16_t> vlan;
    std::vector<std::string> flags;   ///< as bridge(8) names them: self, master, extern_learn, offload, …
    std::string state;                ///< permanent, static, stale, or "" of a learned one
    std::optional<IpAddress> remote;  ///< of a VXLAN's entry
    std::optional<MacOwner> owner;    ///< absent: of a group, or nobody that netlab knows of behind the port
};
BOOST_DESCRIBE_STRUCT(FdbRow, (), (target, bridge, port, port_index, mac, vlan, flags, state, remote, owner))

}  // namespace netlab::api
