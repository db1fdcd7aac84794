#pragma once

#include "common/address.hpp"
#include "daemon/kernel/netlink.hpp"

#include <cstddef>
#include <optional>
#include <span>

namespace netlab::kernel {

/// One entry of the ARP or neighbour discovery cache (RTM_NEWNEIGH).
struct Neighbour {
    std::uint32_t index = 0;  ///< of the interface
    IpAddress address;
    std::optional<MacAddress> mac;
    std::uint16_t state = 0;  ///< NUD_

    /// It is being asked for, or was in vain: no answer has come.
    [[nodiscard]] bool is_unanswered() const;
    friend bool operator==(const Neighbour&, const Neighbour&) = default;
};

/// The RTM_NEWNEIGH messages of IPv4 and IPv6 among `bytes`; what is malformed or of another family is left
/// out.
[[nodiscard]] std::vector<Neighbour> parse_neighbours(std::span<const std::byte> bytes);

/// errc as dump().
[[nodiscard]] Result<Dump<Neighbour>> dump_neighbours(int route_socket);

}  // namespace netlab::kernel
