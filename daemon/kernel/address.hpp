#pragma once

#include "common/address.hpp"
#include "daemon/kernel/netlink.hpp"

#include <cstddef>
#include <optional>
#include <span>
#include <string>

namespace netlab::kernel {

/// One address of one interface (RTM_NEWADDR).
struct Address {
    std::uint32_t index = 0;        ///< of the interface
    IpPrefix prefix;                ///< the interface's own address, with the length of its network
    std::optional<IpAddress> peer;  ///< the other end of a point-to-point address
    std::uint8_t scope = 0;         ///< RT_SCOPE_
    std::uint32_t flags = 0;        ///< IFA_F_
    std::optional<IpAddress> broadcast;
    std::string label;                 ///< IFA_LABEL, IPv4 only
    std::uint32_t valid = 0xFFFFFFFF;  ///< seconds; 0xFFFFFFFF: for ever
    std::uint32_t preferred = 0xFFFFFFFF;
    friend bool operator==(const Address&, const Address&) = default;
};

/// The RTM_NEWADDR messages among `bytes`; what is malformed or of another family is left out.
[[nodiscard]] std::vector<Address> parse_addresses(std::span<const std::byte> bytes);

/// errc as dump().
[[nodiscard]] Result<Dump<Address>> dump_addresses(int route_socket,
                                                   std::chrono::milliseconds deadline = dump_deadline);

}  // namespace netlab::kernel
