#pragma once

#include "common/address.hpp"
#include "common/api/inspection.hpp"
#include "common/api/target.hpp"

#include <optional>

namespace netlab::api {

/// POST /v1/networks: the engines' networks, held against the kernel. A stream of NetworkRow, then an
/// InspectionReport whose `targets` are the engines that were asked. An engine that cannot be asked is a
/// TargetFailure.
struct NetworksRequest {
    std::string name;  ///< "net", an ID prefix, "docker:net"; "" of all
    friend bool operator==(const NetworksRequest&, const NetworksRequest&) = default;
};
BOOST_DESCRIBE_STRUCT(NetworksRequest, (), (name))

struct NetworkSubnet {
    IpPrefix subnet;
    std::optional<IpAddress> gateway;
    std::optional<IpPrefix> range;  ///< that the engine gives addresses from, where it is not the whole
    friend bool operator==(const NetworkSubnet&, const NetworkSubnet&) = default;
};
BOOST_DESCRIBE_STRUCT(NetworkSubnet, (), (subnet, gateway, range))

struct NetworkOption {
    std::string name;
    std::string value;
    friend bool operator==(const NetworkOption&, const NetworkOption&) = default;
};
BOOST_DESCRIBE_STRUCT(NetworkOption, (), (name, value))

struct NetworkMember {
    std::string name;
    std::string id;
    std::optional<std::string> target;     ///< as netlab names it; absent: netlab knows no such target
    std::vector<IpPrefix> addresses;       ///< as the engine says
    std::string mac;                       ///< as the engine says
    std::optional<std::string> interface;  ///< in its namespace, as the kernel says
    std::optional<std::string> port;       ///< the other end of that on the host, as the kernel says
    friend bool operator==(const NetworkMember&, const NetworkMember&) = default;
};
BOOST_DESCRIBE_STRUCT(NetworkMember, (), (name, id, target, addresses, mac, interface, port))

/// Stable names of what does not fit.
enum class FindingCode : std::uint8_t {
    bridge_missing,
    not_a_bridge,  ///< something else has the bridge's name
    bridge_down,
    gateway_missing,         ///< the bridge does not have the gateway's address
    bridge_address_unknown,  ///< the bridge has an address that the engine does not know
    port_unknown,            ///< a port of the bridge that no member is behind
    parent_missing,          ///< of a macvlan or ipvlan network
    parent_down,
    member_unknown,     ///< netlab knows no such running container
    member_unreadable,  ///< its namespace could not be read
    interface_missing,  ///< no interface in its namespace has its address or its MAC address
    interface_down,
    address_missing,
    address_unknown,  ///< an address in its namespace that the engine does not know
    prefix_differs,
    mac_differs,
    port_missing,   ///< the other end of its veth is not on the host
    port_detached,  ///< the other end of its veth is no port of the bridge
    port_down,
    port_blocked,  ///< the bridge does not forward what comes from it
};
BOOST_DESCRIBE_ENUM(FindingCode, bridge_missing, not_a_bridge, bridge_down, gateway_missing,
                    bridge_address_unknown, port_unknown, parent_missing, parent_down, member_unknown,
                    member_unreadable, interface_missing, interface_down, address_missing, address_unknown,
                    prefix_differs, mac_differs, port_missing, port_detached, port_down, port_blocked)

/// Something that the engine and the kernel do not agree about.
struct Finding {
    FindingCode code = FindingCode::bridge_missing;
    std::string subject;  ///< the member's, bridge's or port's name
    std::string message;  ///< a sentence
    friend bool operator==(const Finding&, const Finding&) = default;
};
BOOST_DESCRIBE_STRUCT(Finding, (), (code, subject, message))

struct NetworkRow {
    static constexpr std::string_view type = "network";
    Runtime engine = Runtime::docker;
    std::string name;
    std::string id;
    std::string driver;
    std::string scope;
    bool internal = false;
    bool ipv6 = false;
    std::vector<NetworkSubnet> subnets;
    std::optional<std::string> bridge;  ///< the bridge's interface name
    std::optional<std::string> parent;  ///< of a macvlan or ipvlan network
    std::vector<NetworkOption> options;
    std::vector<NetworkMember> members;
    bool checked = false;  ///< false: there is nothing in the kernel that netlab could hold it against
    std::vector<Finding> findings;
};
BOOST_DESCRIBE_STRUCT(NetworkRow, (),
                      (engine, name, id, driver, scope, internal, ipv6, subnets, bridge, parent, options,
                       members, checked, findings))

}  // namespace netlab::api
