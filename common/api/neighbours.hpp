#pragma once

#include "common/address.hpp"
#include "common/api/inspection.hpp"

#include <optional>

namespace netlab::api {

/// POST /v1/neighbours: the ARP and neighbour discovery caches of targets, as `ip neigh` has them, each MAC
/// address held against those of the targets that netlab knows. A stream of NeighbourRow, then an
/// InspectionReport whose findings are the rows that do not match.
struct NeighboursRequest {
    std::vector<std::string> targets;
    bool all = false;
    std::string interface;         ///< only of this one; "" of all
    std::optional<Family> family;  ///< only of this one
    bool noarp = false;            ///< also those that need no resolution: multicast, loopback
    friend bool operator==(const NeighboursRequest&, const NeighboursRequest&) = default;
};
BOOST_DESCRIBE_STRUCT(NeighboursRequest, (), (targets, all, interface, family, noarp))

/// The interface that has an address, and what its MAC address really is.
struct NeighbourOwner {
    std::string target;
    std::string interface;
    std::optional<MacAddress> mac;
    friend bool operator==(const NeighbourOwner&, const NeighbourOwner&) = default;
};
BOOST_DESCRIBE_STRUCT(NeighbourOwner, (), (target, interface, mac))

struct NeighbourRow {
    static constexpr std::string_view type = "neighbour";
    std::string target;
    Family family = Family::ipv4;
    IpAddress address;
    std::string interface;
    std::uint32_t index = 0;
    std::optional<MacAddress> mac;  ///< absent: not resolved
    std::string state;  ///< REACHABLE, STALE, DELAY, PROBE, FAILED, INCOMPLETE, NOARP, PERMANENT, NONE
    std::vector<std::string> flags;                  ///< router, proxy, extern_learn, offload, managed, …
    std::optional<std::string> protocol;             ///< who made it, where that was said
    std::optional<std::uint32_t> confirmed_seconds;  ///< since it was last known to be right
    std::optional<std::uint32_t> used_seconds;
    std::optional<std::uint32_t> updated_seconds;
    std::uint32_t probes = 0;
    std::optional<NeighbourOwner> owner;  ///< absent: no target that netlab knows has that address there
    std::optional<bool> matches;          ///< `mac` is the owner's; absent where that is not known
};
BOOST_DESCRIBE_STRUCT(NeighbourRow, (),
                      (target, family, address, interface, index, mac, state, flags, protocol,
                       confirmed_seconds, used_seconds, updated_seconds, probes, owner, matches))

}  // namespace netlab::api
