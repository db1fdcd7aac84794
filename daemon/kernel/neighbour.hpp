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
    std::uint16_t state = 0;    ///< NUD_
    std::uint32_t flags = 0;    ///< NTF_, and NTF_EXT_ from bit 8 on
    std::uint8_t protocol = 0;  ///< RTPROT_: who made it, 0: nobody said
    std::uint32_t probes = 0;   ///< sent and not answered
    /// Clock ticks (sysconf(_SC_CLK_TCK)) since it was confirmed, used and changed; absent of a proxy entry.
    std::optional<std::uint32_t> confirmed, used, updated;

    /// It is being asked for, or was in vain: no answer has come.
    [[nodiscard]] bool is_unanswered() const;
    friend bool operator==(const Neighbour&, const Neighbour&) = default;
};

/// The RTM_NEWNEIGH messages of IPv4 and IPv6 among `bytes`; what is malformed or of another family is left
/// out.
[[nodiscard]] std::vector<Neighbour> parse_neighbours(std::span<const std::byte> bytes);

/// errc as dump().
[[nodiscard]] Result<Dump<Neighbour>> dump_neighbours(int route_socket);
/// The addresses that the namespace answers for in others' place (`ip neigh add proxy`). errc as dump().
[[nodiscard]] Result<Dump<Neighbour>> dump_proxies(int route_socket);

[[nodiscard]] std::string neighbour_state_name(std::uint16_t state);  ///< NUD_: "REACHABLE", "NONE", …
[[nodiscard]] std::vector<std::string> neighbour_flag_names(std::uint32_t flags);  ///< as Neighbour::flags

}  // namespace netlab::kernel
