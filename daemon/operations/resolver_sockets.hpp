#pragma once

#include "common/api/resolv.hpp"
#include "daemon/kernel/processes.hpp"

#include <cstdint>
#include <string>
#include <vector>

/// The sockets that an engine's DNS is asked by, as sock_diag has them.
namespace netlab::operations {

inline constexpr std::uint16_t dns_port = 53;

struct ResolverProtocol {
    const char* name;
    std::uint8_t number;   ///< IPPROTO_
    std::uint32_t states;  ///< of a socket that takes questions
};
/// UDP, TCP.
[[nodiscard]] const std::vector<ResolverProtocol>& resolver_protocols();

struct ListeningSocket {
    IpAddress address;
    std::uint16_t port = 0;
    std::uint64_t inode = 0;
    std::uint32_t uid = 0;
};
/// Those of IPv4 or IPv6, 10,000 at most. `diag` is a socket of open_sock_diag_socket(). errc as
/// dump_inet_sockets().
[[nodiscard]] Result<std::vector<ListeningSocket>> listening_sockets(int diag,
                                                                     const ResolverProtocol& protocol,
                                                                     Family family);

/// Whether a question to that address and port comes to it.
[[nodiscard]] bool takes(const ListeningSocket& socket, const IpAddress& address, std::uint16_t port);

/// With who holds it, where that is known.
[[nodiscard]] api::ResolvSocket owned(const ListeningSocket& socket, const kernel::SocketHolders& holders);

}  // namespace netlab::operations
