#pragma once

#include "common/api/conntrack.hpp"
#include "daemon/kernel/conntrack.hpp"
#include "daemon/kernel/packet_rule.hpp"
#include "daemon/operations/address_names.hpp"

#include <vector>

namespace netlab::operations {

struct BridgeAddress {
    std::string name;
    IpPrefix prefix;  ///< its own address with its network
    friend bool operator==(const BridgeAddress&, const BridgeAddress&) = default;
};

/// What is known of the host when its entries are looked at for those that outlived what they were made for.
struct ConntrackSurroundings {
    std::vector<IpAddress> own;  ///< the host's addresses
    std::vector<BridgeAddress> bridges;
    std::vector<IpAddress> behind_ports;    ///< neighbours whose MAC address a bridge has at a port
    std::vector<kernel::RuleChain> chains;  ///< of NAT, IPv4; empty where they are not known
    friend bool operator==(const ConntrackSurroundings&, const ConntrackSurroundings&) = default;
};

/// `route_socket`: of the host's namespace. Without its rules. errc as kernel::dump().
[[nodiscard]] Result<ConntrackSurroundings> read_surroundings(int route_socket);

/// An entry that sends a published port's packets to an address on a bridge that nobody has any more, or
/// (TCP apart, where a new connection has a new entry) elsewhere than the rule for that port now would.
/// `names` must be all there are.
[[nodiscard]] std::optional<api::ConntrackStale> find_stale(const kernel::Conntrack& entry,
                                                            const ConntrackSurroundings& around,
                                                            const AddressNames& names);

}  // namespace netlab::operations
