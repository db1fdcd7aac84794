#pragma once

#include "common/address.hpp"
#include "daemon/kernel/netlink.hpp"

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace netlab::kernel {

/// One interface (RTM_NEWLINK). Its key is (namespace, index); its name is for display.
struct Link {
    std::uint32_t index = 0;
    std::string name;               ///< any bytes but '/' and white space, 15 at most
    std::string kind;               ///< "veth", "bridge", …; empty for hardware and the loopback
    std::optional<MacAddress> mac;  ///< where its address is an Ethernet one
    std::uint32_t flags = 0;        ///< IFF_
    std::uint32_t mtu = 0;
    std::uint32_t master = 0;  ///< index of the bridge or bond that it is a port of, 0: none
    std::optional<std::uint32_t>
        peer;  ///< IFLA_LINK: of a veth its other end's index, in the namespace `peer_nsid`
    std::optional<std::int32_t> peer_nsid;  ///< absent: this namespace
    std::vector<std::string> alternative_names;
    friend bool operator==(const Link&, const Link&) = default;
};

/// The RTM_NEWLINK messages among `bytes`; what is malformed is left out.
[[nodiscard]] std::vector<Link> parse_links(std::span<const std::byte> bytes);

/// One RTM_NEWLINK message from its ifinfomsg on; nullopt where it is malformed.
[[nodiscard]] std::optional<Link> parse_link(std::span<const std::byte> message);

/// The interface with that index; nullopt where there is none. errc as ask().
[[nodiscard]] Result<std::optional<Link>> get_link(int route_socket, std::uint32_t index);

/// errc as dump().
[[nodiscard]] Result<Dump<Link>> dump_links(int route_socket,
                                            std::chrono::milliseconds deadline = dump_deadline);

}  // namespace netlab::kernel
