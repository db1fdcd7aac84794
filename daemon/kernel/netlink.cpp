#include "daemon/kernel/netlink.hpp"

#include "daemon/kernel/netlink_channel.hpp"

#include <cerrno>
#include <initializer_list>
#include <optional>

#include <sys/socket.h>

namespace netlab::kernel {

using namespace channel;

namespace {

/// The answer with that sequence number among the messages of one datagram.
std::optional<Answer> find_answer(std::span<const std::byte> datagram, std::uint32_t sequence) {
    nlmsghdr header;
    while (read(datagram, header)) {
        if (header.nlmsg_len < sizeof header || header.nlmsg_len > datagram.size()) break;
        const auto message = datagram.first(header.nlmsg_len);
        if (header.nlmsg_seq == sequence) {
            int status = 0;
            if (header.nlmsg_type != NLMSG_ERROR) return Answer{0, {message.begin(), message.end()}};
            if (read(message.subspan(sizeof header), status)) return Answer{-status, {}};
        }
        datagram = datagram.subspan(
            std::min(datagram.size(), static_cast<std::size_t>(NLMSG_ALIGN(header.nlmsg_len))));
    }
    return std::nullopt;
}

void enlarge_receive_buffer(int socket) {
    // The forced one needs NET_ADMIN; what the system's limit leaves of the other is enough for a quiet
    // namespace.
    const int size = 1 << 20;
    if (::setsockopt(socket, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size) != 0) {
        ::setsockopt(socket, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
    }
}

Result<UniqueFd> open_netlink_socket(int protocol, std::initializer_list<int> options,
                                     std::uint32_t multicast_groups) {
    UniqueFd socket(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, protocol));
    if (!socket) return system_error(errc::operation_failed, "open a netlink socket", errno);
    const int on = 1;
    for (const int option : options) {
        if (::setsockopt(socket.get(), SOL_NETLINK, option, &on, sizeof on) != 0) {
            return system_error(errc::operation_failed, "set up a netlink socket", errno);
        }
    }
    enlarge_receive_buffer(socket.get());
    sockaddr_nl address{};
    address.nl_family = AF_NETLINK;
    address.nl_groups = multicast_groups;
    if (::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
        return system_error(errc::operation_failed, "bind a netlink socket", errno);
    }
    return socket;
}

}  // namespace

Result<UniqueFd> open_route_socket(std::uint32_t multicast_groups) {
    return open_netlink_socket(NETLINK_ROUTE, {NETLINK_GET_STRICT_CHK, NETLINK_EXT_ACK}, multicast_groups);
}

Result<UniqueFd> open_sock_diag_socket() {
    return open_netlink_socket(NETLINK_SOCK_DIAG, {NETLINK_EXT_ACK}, 0);
}

Result<UniqueFd> open_netfilter_socket(std::uint32_t multicast_groups) {
    return open_netlink_socket(NETLINK_NETFILTER, {NETLINK_EXT_ACK}, multicast_groups);
}

Result<Answer> ask(int socket, std::span<std::byte> message) {
    const auto until = Clock::now() + dump_deadline;
    const auto sequence = complete_header(message, NLM_F_REQUEST);
    if (auto sent = send(socket, message); !sent) return sent.error();
    const auto buffer = receive_buffer();
    for (;;) {
        const auto received = receive(socket, buffer);
        if (!received) return received.error();
        if (auto answer = find_answer(buffer.first(received->size), sequence)) return *answer;
        if (received->overrun || received->truncated ||
            (received->nothing && !wait_readable(socket, until)) || Clock::now() >= until)
            return Error{errc::timed_out, "the kernel did not answer in time", {}, {}};
    }
}

bool drain(int socket) {
    const auto buffer = receive_buffer();
    bool anything = false;
    // Whoever sends faster than this is heard again at the next poll.
    constexpr int most = 1000;
    for (int i = 0; i < most; ++i) {
        const auto received = receive(socket, buffer);
        if (!received || received->nothing) break;
        anything = anything || received->overrun || received->size > 0;
    }
    return anything;
}

}  // namespace netlab::kernel
