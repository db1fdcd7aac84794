#pragma once

#include "common/error.hpp"
#include "common/unique_fd.hpp"
#include "daemon/operations/pair_end.hpp"

#include <array>

namespace netlab::operations {

/// An Ethernet ARP request for IPv4 (RFC 826), without its Ethernet header.
[[nodiscard]] std::array<std::uint8_t, 28> arp_request(const MacAddress& own_mac, const IpAddress& own,
                                                       const MacAddress& other_mac, const IpAddress& other);

/// Makes one namespace known to another: an ARP request to the other's own link-layer address, as the kernel
/// itself sends it to confirm an entry that it has (RFC 1122, 2.3.2.1). Whoever is asked for its address
/// notes who asks; so the broadcast is saved, which a bridge copies to every port: 100 namespaces that ask
/// for each other are a million packets.
class ArpIntroduction {
  public:
    /// For `prepare`, in the namespace, with CAP_NET_RAW. It receives nothing. errc::operation_failed.
    [[nodiscard]] static Result<ArpIntroduction> open();

    /// Best effort: where it does not arrive, the kernel asks by itself.
    void introduce(const SharedLink& link, const IpAddress& other) const;

  private:
    explicit ArpIntroduction(UniqueFd socket) : socket_(std::move(socket)) {}

    UniqueFd socket_;
};

}  // namespace netlab::operations
