#include "daemon/operations/connections.hpp"

#include "daemon/kernel/sock_diag.hpp"

#include <algorithm>

#include <netinet/in.h>
#include <netinet/tcp.h>

namespace netlab::operations {

namespace {

/// A socket of either family may have an IPv4 end; of an IPv6 one it is ::ffff:192.0.2.1.
bool is_remote(const kernel::InetSocket& socket, const api::Endpoint& wanted) {
    constexpr std::array<std::uint8_t, 12> mapped{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF};
    if (socket.remote_port != wanted.port) return false;
    std::span<const std::uint8_t> bytes(socket.remote);
    if (socket.family == AF_INET)
        bytes = bytes.first(4);
    else if (std::ranges::equal(bytes.first(mapped.size()), mapped))
        bytes = bytes.subspan(mapped.size());
    return std::ranges::equal(bytes, wanted.address.bytes());
}

}  // namespace

Result<std::map<std::uint16_t, bool>> connections_to(int sock_diag_socket, const api::Endpoint& remote) {
    constexpr std::uint32_t not_connections = 1U << TCP_LISTEN | 1U << TCP_SYN_RECV | 1U << TCP_CLOSE;
    kernel::InetQuery query;
    query.protocol = IPPROTO_TCP;
    query.states = kernel::every_socket_state & ~not_connections;
    query.remote_port = remote.port;
    std::map<std::uint16_t, bool> found;
    const auto end =
        kernel::dump_inet_sockets(sock_diag_socket, query, [&](const kernel::InetSocket& socket) {
            if (is_remote(socket, remote)) found[socket.local_port] = socket.state != TCP_SYN_SENT;
        });
    if (!end) return end.error();
    return found;
}

}  // namespace netlab::operations
