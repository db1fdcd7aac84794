#include "daemon/kernel/netlink_channel.hpp"

#include <cerrno>
#include <memory>

#include <poll.h>
#include <sys/socket.h>

namespace netlab::kernel::channel {

namespace {

/// The kernel makes datagrams of 32 KiB (af_netlink.c, netlink_dump), or of the largest link's size where
/// that is more: alternative names alone may be 64 KiB, and other lists come beside them.
constexpr std::size_t receive_size = 1 << 20;

std::string kernel_words(std::span<const std::byte> attributes) {
    std::string words;
    for_each_attribute(attributes, [&](int type, std::span<const std::byte> value) {
        if (type != NLMSGERR_ATTR_MSG || value.empty()) return;
        words.assign(reinterpret_cast<const char*>(value.data()), value.size());
        words.resize(std::min(words.find('\0'), words.size()));
    });
    return words;
}

std::uint32_t next_sequence() {
    static std::uint32_t last = static_cast<std::uint32_t>(Clock::now().time_since_epoch().count());
    return ++last;
}

}  // namespace

std::span<std::byte> receive_buffer() {
    static const auto buffer = std::make_unique_for_overwrite<std::byte[]>(receive_size);
    return {buffer.get(), receive_size};
}

Error refused(int error_number, std::span<const std::byte> attributes) {
    auto error = system_error(errc::operation_failed, "read the kernel's network tables", error_number);
    if (const auto words = kernel_words(attributes); !words.empty()) error.message += " (" + words + ")";
    return error;
}

Result<void> send(int socket, std::span<const std::byte> message) {
    sockaddr_nl kernel{};
    kernel.nl_family = AF_NETLINK;
    for (;;) {
        const auto sent = ::sendto(socket, message.data(), message.size(), MSG_NOSIGNAL,
                                   reinterpret_cast<const sockaddr*>(&kernel), sizeof kernel);
        if (sent >= 0) return {};
        // ENOBUFS is an old overrun of the multicast groups that nobody has read yet.
        if (errno != EINTR && errno != ENOBUFS) return refused(errno, {});
    }
}

bool wait_readable(int socket, Clock::time_point until) {
    for (;;) {
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - Clock::now()).count();
        if (left <= 0) return false;
        pollfd ready{socket, POLLIN, 0};
        const int count = ::poll(&ready, 1, static_cast<int>(left));
        if (count > 0) return true;
        if (count < 0 && errno != EINTR) return false;
    }
}

Result<Received> receive(int socket, std::span<std::byte> buffer) {
    sockaddr_nl from{};
    iovec part{buffer.data(), buffer.size()};
    msghdr message{};
    message.msg_name = &from;
    message.msg_namelen = sizeof from;
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    const auto got = ::recvmsg(socket, &message, 0);
    if (got < 0) {
        if (errno == ENOBUFS) return Received{.overrun = true};
        if (errno == EAGAIN || errno == EINTR) return Received{.nothing = true};
        return refused(errno, {});
    }
    // Root in the namespace may send to our port: only the kernel is believed.
    if (from.nl_pid != 0) return Received{};
    if ((message.msg_flags & MSG_TRUNC) != 0) return Received{.truncated = true};
    return Received{.size = static_cast<std::size_t>(got)};
}

std::uint32_t complete_header(std::span<std::byte> message, std::uint16_t flags) {
    nlmsghdr header;
    std::memcpy(&header, message.data(), sizeof header);
    header.nlmsg_len = static_cast<std::uint32_t>(message.size());
    header.nlmsg_flags = flags;
    header.nlmsg_seq = next_sequence();
    std::memcpy(message.data(), &header, sizeof header);
    return header.nlmsg_seq;
}

}  // namespace netlab::kernel::channel
