#include "daemon/operations/listeners.hpp"

#include "daemon/kernel/sock_diag.hpp"

#include <algorithm>
#include <array>
#include <tuple>

#include <netinet/in.h>
#include <netinet/tcp.h>

namespace netlab::operations {

namespace {

/// Of a socket's local or remote end; IPv4 where an IPv6 socket has it as ::ffff:192.0.2.1.
IpAddress address_of(std::uint8_t family, std::span<const std::uint8_t, 16> bytes) {
    constexpr std::array<std::uint8_t, 12> mapped{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF};
    if (family == AF_INET6 && std::ranges::equal(bytes.first(12), mapped))
        return IpAddress::from_bytes(bytes.subspan(12));
    return IpAddress::from_bytes(family == AF_INET ? std::span<const std::uint8_t>(bytes.first(4)) : bytes);
}

api::Listener listener_of(const kernel::InetSocket& socket, bool tcp, const InterfaceNames& names) {
    api::Listener out;
    out.address = address_of(socket.family, socket.local);
    // One that is bound to a mapped address takes IPv4 alone.
    if (out.address.is_v6()) out.v6only = socket.v6only.value_or(false);
    out.port = socket.local_port;
    if (socket.interface != 0) out.interface = names[socket.interface];
    if (tcp) {
        out.waiting = socket.recv_queue;
        out.backlog = socket.send_queue;
    }
    return out;
}

auto place_of(const api::Listener& listener) {
    return std::tuple(listener.port, listener.address, listener.interface.value_or(""));
}

ListenerVerdict judge(const api::Listener& listener, const IpAddress& destination,
                      std::span<const std::string> came_by) {
    const auto& address = listener.address;
    if (address.is_v4() && destination.is_v6()) return ListenerVerdict::ipv4_only;
    if (address.is_v6() && destination.is_v4() &&
        (!address.is_unspecified() || listener.v6only.value_or(false)))
        return address.is_loopback() ? ListenerVerdict::loopback_only : ListenerVerdict::ipv6_only;
    if (!address.is_unspecified() && address != destination)
        return address.is_loopback() ? ListenerVerdict::loopback_only : ListenerVerdict::other_address;
    if (listener.interface && std::ranges::find(came_by, *listener.interface) == came_by.end())
        return ListenerVerdict::interface;
    // sk_acceptq_is_full() in include/net/sock.h: one more than the backlog may wait.
    if (listener.waiting && listener.backlog && *listener.waiting > *listener.backlog)
        return ListenerVerdict::full;
    return ListenerVerdict::takes;
}

/// How near to taking it.
int rank(ListenerVerdict verdict) {
    switch (verdict) {
        case ListenerVerdict::takes:
            return 0;
        case ListenerVerdict::full:
            return 1;
        case ListenerVerdict::interface:
            return 2;
        case ListenerVerdict::other_address:
            return 3;
        case ListenerVerdict::loopback_only:
            return 4;
        case ListenerVerdict::ipv6_only:
        case ListenerVerdict::ipv4_only:
            return 5;
        case ListenerVerdict::none:
            break;
    }
    return 6;
}

}  // namespace

Result<std::vector<NumberedListener>> read_listening_sockets(int sock_diag_socket, bool tcp,
                                                             const InterfaceNames& names) {
    std::vector<NumberedListener> found;
    constexpr std::size_t most = 65'536;
    const auto take = [&](const kernel::InetSocket& socket) {
        if (socket.local_port != 0 && found.size() < most)
            found.push_back({listener_of(socket, tcp, names), socket.inode});
    };
    const auto ask = [&](std::uint8_t family) {
        kernel::InetQuery query;
        query.family = family;
        query.protocol = tcp ? IPPROTO_TCP : IPPROTO_UDP;
        query.states = 1U << (tcp ? TCP_LISTEN : TCP_CLOSE);
        return kernel::dump_inet_sockets(sock_diag_socket, query, take);
    };
    if (tcp) {
        if (const auto end = ask(AF_UNSPEC); !end) return end.error();
    } else {
        for (const std::uint8_t family : {std::uint8_t{AF_INET}, std::uint8_t{AF_INET6}}) {
            const auto end = ask(family);
            if (!end) return end.error();
            if (!end->supported)
                return Error{
                    errc::unsupported, "this kernel does not tell of UDP sockets", "udp_diag is missing", {}};
        }
    }
    return found;
}

Result<std::vector<api::Listener>> read_listeners(int sock_diag_socket, bool tcp,
                                                  const InterfaceNames& names) {
    auto sockets = read_listening_sockets(sock_diag_socket, tcp, names);
    if (!sockets) return sockets.error();
    std::vector<api::Listener> found;
    for (auto& socket : *sockets)
        found.push_back(std::move(socket.listener));
    // SO_REUSEPORT: several sockets in one place. The one that has most room speaks for all.
    std::ranges::stable_sort(found, {}, [](const api::Listener& one) {
        return std::tuple_cat(place_of(one), std::tuple(one.waiting.value_or(0)));
    });
    found.erase(std::unique(found.begin(), found.end(), is_one_place), found.end());
    return found;
}

bool is_one_place(const api::Listener& a, const api::Listener& b) {
    return place_of(a) == place_of(b);
}

Result<bool> is_half_open(int sock_diag_socket, const api::Endpoint& remote) {
    kernel::InetQuery query;
    query.protocol = IPPROTO_TCP;
    query.states = 1U << TCP_SYN_RECV;
    query.remote_port = remote.port;
    bool found = false;
    const auto end =
        kernel::dump_inet_sockets(sock_diag_socket, query, [&](const kernel::InetSocket& socket) {
            found = found || (socket.remote_port == remote.port &&
                              address_of(socket.family, socket.remote) == remote.address);
        });
    if (!end) return end.error();
    return found;
}

Judgement judge_listeners(std::span<const api::Listener> listeners, const IpAddress& destination,
                          std::uint16_t port, std::span<const std::string> came_by) {
    Judgement best;
    for (const auto& listener : listeners) {
        if (listener.port != port) continue;
        const auto verdict = judge(listener, destination, came_by);
        if (rank(verdict) < rank(best.verdict)) best = {verdict, listener};
    }
    return best;
}

std::vector<api::Listener> for_report(std::vector<api::Listener> listeners, std::uint16_t port,
                                      std::size_t most) {
    std::ranges::stable_sort(listeners, {}, [&](const api::Listener& one) { return one.port != port; });
    if (listeners.size() > most) listeners.resize(most);
    return listeners;
}

}  // namespace netlab::operations
