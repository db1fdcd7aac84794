#include "daemon/operations/resolver_sockets.hpp"

#include "daemon/kernel/sock_diag.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>

namespace netlab::operations {

const std::vector<ResolverProtocol>& resolver_protocols() {
    static const std::vector<ResolverProtocol> both{{"udp", IPPROTO_UDP, 1U << TCP_CLOSE},
                                                    {"tcp", IPPROTO_TCP, 1U << TCP_LISTEN}};
    return both;
}

Result<std::vector<ListeningSocket>> listening_sockets(int diag, const ResolverProtocol& protocol,
                                                       Family family) {
    std::vector<ListeningSocket> out;
    kernel::InetQuery query;
    query.family = family == Family::ipv4 ? AF_INET : AF_INET6;
    query.protocol = protocol.number;
    query.states = protocol.states;
    const std::size_t length = family == Family::ipv4 ? 4 : 16;
    const auto end = kernel::dump_inet_sockets(diag, query, [&](const kernel::InetSocket& socket) {
        constexpr std::size_t most = 10'000;
        if ((protocol.states & (1U << socket.state)) == 0 || out.size() >= most) return;
        out.push_back({IpAddress::from_bytes(std::span(socket.local).first(length)), socket.local_port,
                       socket.inode, socket.uid});
    });
    if (!end) return end.error();
    return out;
}

bool takes(const ListeningSocket& socket, const IpAddress& address, std::uint16_t port) {
    return socket.port == port && (socket.address == address || socket.address.is_unspecified());
}

api::ResolvSocket owned(const ListeningSocket& socket, const kernel::SocketHolders& holders) {
    api::ResolvSocket out{socket.inode, socket.uid, {}};
    const auto found = holders.of(socket.inode);
    if (!found.empty()) {
        const auto& process = holders.process(found.front());
        out.owner = {process.host_pid, process.name, found.front().fd};
    }
    return out;
}

}  // namespace netlab::operations
