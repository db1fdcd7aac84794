#pragma once

#include "common/address.hpp"

#include <cstdint>
#include <optional>
#include <vector>

#include <boost/describe.hpp>

namespace netlab::operations {

/// Why an address of another target was chosen.
enum class PeerWay : std::uint8_t {
    loopback,       ///< both are in one namespace
    shared_subnet,  ///< FROM has an address on that subnet too
    gateway,        ///< it is FROM's default gateway
    first_global,   ///< nothing joins the two: the first address that is neither loopback nor link-local
};
BOOST_DESCRIBE_ENUM(PeerWay, loopback, shared_subnet, gateway, first_global)

/// What the two namespaces' kernels say.
struct PeerFacts {
    std::vector<IpPrefix> from;       ///< FROM's addresses
    std::vector<IpPrefix> peer;       ///< the other target's addresses, in the kernel's order
    std::vector<IpAddress> gateways;  ///< FROM's default gateways, the preferred one first
    bool same_namespace = false;
    std::optional<Family> family;  ///< only addresses of that family; else IPv4 before IPv6
};

struct PeerChoice {
    IpAddress address;
    PeerWay way = PeerWay::first_global;
    std::optional<IpPrefix> subnet;  ///< FROM's address on the shared subnet
    friend bool operator==(const PeerChoice&, const PeerChoice&) = default;
};

/// The address by which FROM best reaches the other target; nothing where it has none of the wanted family.
/// An address that FROM has itself is never chosen for another namespace.
[[nodiscard]] std::optional<PeerChoice> choose_peer_address(const PeerFacts& facts);

}  // namespace netlab::operations
