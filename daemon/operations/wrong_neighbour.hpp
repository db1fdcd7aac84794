#pragma once

#include "common/api/target.hpp"
#include "daemon/operations/explanation.hpp"
#include "daemon/operations/topology.hpp"

#include <optional>
#include <string>

/// Neighbour entries that lead to another MAC address than the one that has the IP address on the segment.
namespace netlab::operations {

struct WrongNeighbour {
    Port at;             ///< whose entry it is, and of which interface
    std::string target;  ///< the same by their names
    std::string interface;
    IpAddress address;
    MacAddress mac;         ///< that the entry has
    std::string owner;      ///< "eth0 of co1": who has the address
    bool permanent = true;  ///< set by hand; false: the kernel finds out by itself, in some seconds
    /// Netlab knows all who are on the segment, and none of them has that MAC address. Somebody else who has
    /// it may well send on what he gets.
    bool nobodys = false;
};

/// For `run`: what the namespace of that route socket has for `address` on its interface `at`; nullopt where
/// that is right, where there is nothing to hold it against, and where it cannot be asked.
[[nodiscard]] std::optional<WrongNeighbour> find_wrong_neighbour(const Topology& topology, int route_socket,
                                                                 Port at, const IpAddress& address);

/// `target`: whose entry it is.
[[nodiscard]] Explanation explain_wrong_neighbour(const WrongNeighbour& wrong, const api::Target& target);

}  // namespace netlab::operations
