#pragma once

#include "common/address.hpp"
#include "common/error.hpp"

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <vector>

/// One namespace of a matrix of pairs: its addresses, and which of them another one reaches it by.
namespace netlab::operations {

/// An address of the namespace, on one of its interfaces.
struct OwnAddress {
    IpPrefix prefix;
    std::uint32_t interface = 0;
    friend bool operator==(const OwnAddress&, const OwnAddress&) = default;
};

/// What a namespace's kernel says of itself.
struct PairEnd {
    std::string name;
    std::uint64_t device = 0;  ///< with `inode`: its identity
    std::uint64_t inode = 0;
    std::vector<OwnAddress> addresses;
    std::vector<IpAddress> gateways;  ///< the preferred one first
    /// Interfaces that ask for their neighbours' link-layer address, with their own.
    std::vector<std::pair<std::uint32_t, MacAddress>> links;
    std::set<IpAddress> neighbours;  ///< whose link-layer address is known

    [[nodiscard]] std::optional<MacAddress> mac_of(std::uint32_t interface) const;
    [[nodiscard]] bool is_same_namespace(const PairEnd& other) const {
        return inode != 0 && inode == other.inode && device == other.device;
    }
};

/// Asks its kernel; `name` and identity are the caller's to fill in. errc as kernel::dump().
[[nodiscard]] Result<PairEnd> read_pair_end(int route_socket);

/// The two are on one link: how the one is known to the other there.
struct SharedLink {
    std::uint32_t interface = 0;  ///< of the source
    IpAddress source;
    MacAddress source_mac;
    MacAddress destination_mac;
    friend bool operator==(const SharedLink&, const SharedLink&) = default;
};

/// By which address the one reaches the other.
struct PairWay {
    IpAddress address;
    std::optional<SharedLink> link;  ///< absent: by a gateway, over the loopback, or nobody knows how
    friend bool operator==(const PairWay&, const PairWay&) = default;
};

/// As choose_peer_address() chooses; nothing where there is no address of that family. Link-local ones are
/// not tried.
[[nodiscard]] std::optional<PairWay> choose_way(const PairEnd& from, const PairEnd& to,
                                                std::optional<Family> family);

}  // namespace netlab::operations
