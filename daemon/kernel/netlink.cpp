#include "daemon/kernel/netlink.hpp"

#include <array>
#include <cerrno>
#include <initializer_list>
#include <optional>
#include <string>

#include <poll.h>
#include <sys/socket.h>

namespace netlab::kernel {

namespace {

using Clock = std::chrono::steady_clock;

/// The kernel makes dump messages of 32 KiB at most (af_netlink.c, netlink_dump).
constexpr std::size_t receive_size = 64 * 1024;

/// One object without its statistics is some hundred bytes.
constexpr std::size_t largest_answer = 32 * 1024;

/// How one attempt ended.
enum class Attempt { complete, interrupted, overrun, late };

std::string kernel_words(std::span<const std::byte> attributes) {
    std::string words;
    for_each_attribute(attributes, [&](int type, std::span<const std::byte> value) {
        if (type != NLMSGERR_ATTR_MSG || value.empty()) return;
        words.assign(reinterpret_cast<const char*>(value.data()), value.size());
        words.resize(std::min(words.find('\0'), words.size()));
    });
    return words;
}

Error refused(int error_number, std::span<const std::byte> attributes) {
    auto error = system_error(errc::operation_failed, "read the kernel's network tables", error_number);
    if (const auto words = kernel_words(attributes); !words.empty()) error.message += " (" + words + ")";
    return error;
}

/// NLMSG_DONE and NLMSG_ERROR both begin with a negative errno, 0 for none.
Result<void> check_status(std::uint16_t type, std::span<const std::byte> payload, std::uint16_t flags) {
    int status = 0;
    if (!read(payload, status) || status >= 0) return {};
    std::span<const std::byte> attributes;
    const std::size_t skipped = type == NLMSG_ERROR ? sizeof(nlmsgerr) : sizeof status;
    if ((flags & NLM_F_ACK_TLVS) != 0 && payload.size() > skipped) attributes = payload.subspan(skipped);
    return refused(-status, attributes);
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

struct Received {
    std::size_t size = 0;
    bool overrun = false;
    bool nothing = false;
};

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
        if (errno == ENOBUFS) return Received{0, true, false};
        if (errno == EAGAIN || errno == EINTR) return Received{0, false, true};
        return refused(errno, {});
    }
    // Root in the namespace may send to our port: only the kernel is believed.
    if (from.nl_pid != 0) return Received{};
    if ((message.msg_flags & MSG_TRUNC) != 0) return Received{0, true, false};
    return Received{static_cast<std::size_t>(got), false, false};
}

/// Takes one datagram apart: rows of the dump `sequence` are appended to `out`.
class Gathering {
  public:
    Gathering(std::uint32_t sequence, Dump<std::byte>& out) : sequence_(sequence), out_(out) {}

    [[nodiscard]] bool done() const { return done_; }
    [[nodiscard]] bool interrupted() const { return interrupted_; }
    /// The kernel has no such table.
    [[nodiscard]] bool unknown() const { return unknown_; }

    Result<void> take(std::span<const std::byte> datagram) {
        nlmsghdr header;
        while (!done_ && read(datagram, header)) {
            if (header.nlmsg_len < sizeof header || header.nlmsg_len > datagram.size()) break;
            const auto length =
                std::min(datagram.size(), static_cast<std::size_t>(NLMSG_ALIGN(header.nlmsg_len)));
            if (auto result = take_message(header, datagram.first(length)); !result) return result;
            datagram = datagram.subspan(length);
        }
        return {};
    }

  private:
    Result<void> take_message(const nlmsghdr& header, std::span<const std::byte> message) {
        const bool final = header.nlmsg_type == NLMSG_DONE || header.nlmsg_type == NLMSG_ERROR;
        const bool multi = (header.nlmsg_flags & NLM_F_MULTI) != 0;
        if (header.nlmsg_seq != sequence_ || !(final || multi)) {
            // An answer to an earlier, abandoned attempt has NLM_F_MULTI too, but says nothing new.
            out_.notified = out_.notified || !(final || multi);
            return {};
        }
        interrupted_ = interrupted_ || (header.nlmsg_flags & NLM_F_DUMP_INTR) != 0;
        if (final) {
            done_ = true;
            const auto payload = message.subspan(sizeof header, header.nlmsg_len - sizeof header);
            int status = 0;
            unknown_ = read(payload, status) && status == -ENOENT;
            return check_status(header.nlmsg_type, payload, header.nlmsg_flags);
        }
        if (header.nlmsg_type != NLMSG_NOOP)
            out_.rows.insert(out_.rows.end(), message.begin(), message.end());
        return {};
    }

    std::uint32_t sequence_;
    Dump<std::byte>& out_;
    bool done_ = false;
    bool interrupted_ = false;
    bool unknown_ = false;
};

std::uint32_t next_sequence() {
    static std::uint32_t last = static_cast<std::uint32_t>(Clock::now().time_since_epoch().count());
    return ++last;
}

/// Fills in the rest of the header that `message` begins with and returns its sequence number.
std::uint32_t complete_header(std::span<std::byte> message, std::uint16_t flags) {
    nlmsghdr header;
    std::memcpy(&header, message.data(), sizeof header);
    header.nlmsg_len = static_cast<std::uint32_t>(message.size());
    header.nlmsg_flags = flags;
    header.nlmsg_seq = next_sequence();
    std::memcpy(message.data(), &header, sizeof header);
    return header.nlmsg_seq;
}

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

Result<Attempt> attempt(int socket, std::span<std::byte> message, Clock::time_point until,
                        Dump<std::byte>& out) {
    std::vector<std::byte> buffer(receive_size);
    const auto sequence = complete_header(message, NLM_F_REQUEST | NLM_F_DUMP);
    if (auto sent = send(socket, message); !sent) return sent.error();
    Gathering gathering(sequence, out);
    bool overrun = false;
    while (!gathering.done()) {
        auto received = receive(socket, buffer);
        if (!received) return received.error();
        if (received->nothing) {
            // After an overrun the dump's own end may be what was lost.
            if (overrun) return Attempt::overrun;
            if (!wait_readable(socket, until)) return Attempt::late;
            continue;
        }
        overrun = overrun || received->overrun;
        if (auto taken = gathering.take(std::span(buffer).first(received->size)); !taken)
            return taken.error();
        if (!gathering.done() && Clock::now() >= until) return Attempt::late;
    }
    out.notified = out.notified || overrun;
    return gathering.interrupted() ? Attempt::interrupted : Attempt::complete;
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

Result<Dump<std::byte>> dump(int socket, std::span<std::byte> message, std::chrono::milliseconds deadline) {
    const auto until = Clock::now() + deadline;
    Dump<std::byte> last;
    last.consistent = false;
    bool any = false;
    bool notified = false;
    do {
        Dump<std::byte> fresh;
        const auto how = attempt(socket, message, until, fresh);
        if (!how) return how.error();
        notified = notified || fresh.notified;
        fresh.consistent = *how == Attempt::complete;
        if (*how == Attempt::late && any) break;
        any = any || *how == Attempt::interrupted || *how == Attempt::complete;
        last = std::move(fresh);
    } while (!last.consistent && Clock::now() < until);
    if (!any) return Error{errc::timed_out, "the kernel's network tables could not be read in time", {}, {}};
    last.notified = notified;
    return last;
}

Result<Answer> ask(int socket, std::span<std::byte> message) {
    const auto until = Clock::now() + dump_deadline;
    const auto sequence = complete_header(message, NLM_F_REQUEST);
    if (auto sent = send(socket, message); !sent) return sent.error();
    std::array<std::byte, largest_answer> buffer;
    for (;;) {
        const auto received = receive(socket, buffer);
        if (!received) return received.error();
        if (auto answer = find_answer(std::span(buffer).first(received->size), sequence)) return *answer;
        if (received->overrun || (received->nothing && !wait_readable(socket, until)) ||
            Clock::now() >= until)
            return Error{errc::timed_out, "the kernel did not answer in time", {}, {}};
    }
}

Result<DumpEnd> stream_dump(int socket, std::span<std::byte> message,
                            const std::function<void(std::span<const std::byte>)>& take) {
    std::vector<std::byte> buffer(receive_size);
    const auto sequence = complete_header(message, NLM_F_REQUEST | NLM_F_DUMP);
    if (auto sent = send(socket, message); !sent) return sent.error();
    DumpEnd end;
    bool any = false;
    Dump<std::byte> piece;
    Gathering gathering(sequence, piece);
    for (auto until = Clock::now() + dump_deadline; !gathering.done();) {
        const auto received = receive(socket, buffer);
        if (!received) return received.error();
        if (received->nothing) {
            // After an overrun the dump's own end may be what was lost.
            if (end.consistent && wait_readable(socket, until)) continue;
            if (!any) {
                return Error{
                    errc::timed_out, "the kernel's network tables could not be read in time", {}, {}};
            }
            return DumpEnd{false};
        }
        if (received->overrun) end.consistent = false;
        piece.rows.clear();
        if (auto taken = gathering.take(std::span(buffer).first(received->size)); !taken) {
            if (gathering.unknown()) return DumpEnd{end.consistent, false};
            return taken.error();
        }
        if (piece.rows.empty()) {
            // What others send must not keep it from ending.
            if (Clock::now() >= until) return DumpEnd{false};
            continue;
        }
        any = true;
        take(piece.rows);
        until = Clock::now() + dump_deadline;
    }
    end.consistent = end.consistent && !gathering.interrupted();
    return end;
}

bool drain(int socket) {
    std::vector<std::byte> buffer(receive_size);
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
