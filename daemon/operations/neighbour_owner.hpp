#pragma once

#include "daemon/kernel/neighbour.hpp"
#include "daemon/operations/topology.hpp"

namespace netlab::operations {

/// Whose address a neighbour's is, and whether the MAC address is that one's.
struct Ownership {
    std::optional<Port> owner;
    std::optional<bool> matches;  ///< absent: there is no MAC address, or nobody to hold it against
    friend bool operator==(const Ownership&, const Ownership&) = default;
};

/// `at` is the interface of the cache's entry. Who has the address on the same segment counts. Where nobody
/// there has it, another who has it counts if the MAC address is his (the segment goes on where netlab does
/// not see it); if it is not, he counts only where nothing is known of the segment at all and it is no
/// network card's: the same address may be in use in two networks.
[[nodiscard]] Ownership find_owner(const Topology& topology, Port at, const kernel::Neighbour& neighbour);

}  // namespace netlab::operations
