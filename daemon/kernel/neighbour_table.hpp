#pragma once

#include "common/address.hpp"
#include "daemon/kernel/netlink.hpp"

#include <cstdint>
#include <optional>

namespace netlab::kernel {

/// How full the kernel's ARP (or neighbour discovery) table is. There is one for all network namespaces, and
/// its limits (net.ipv4.neigh.default.gc_thresh1 to 3) are the first namespace's.
struct NeighbourTable {
    std::uint32_t entries = 0;  ///< of all namespaces together
    std::uint32_t soft = 0;     ///< gc_thresh2: above it entries older than five seconds are thrown out
    std::uint32_t hard = 0;     ///< gc_thresh3: there are never more, and who needs one gets ENOBUFS
    friend bool operator==(const NeighbourTable&, const NeighbourTable&) = default;
};

/// Of one family's table among RTM_NEWNEIGHTBL messages; nothing where it is not there, or malformed.
[[nodiscard]] std::optional<NeighbourTable> parse_neighbour_table(std::span<const std::byte> bytes,
                                                                  Family family);

/// RTM_GETNEIGHTBL; needs no capability. errc as dump(); errc::unsupported where the kernel does not tell.
[[nodiscard]] Result<NeighbourTable> read_neighbour_table(int route_socket, Family family);

}  // namespace netlab::kernel
