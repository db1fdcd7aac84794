#include "daemon/operations/echo_socket.hpp"

#include "daemon/operations/error_queue.hpp"

#include <array>
#include <cerrno>
#include <cstring>
#include <ctime>

// <linux/icmp.h> has ICMP_FILTER; <netinet/ip_icmp.h> cannot be had beside it.
#include <linux/errqueue.h>
#include <linux/filter.h>
#include <linux/icmp.h>
#include <linux/net_tstamp.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <sys/socket.h>

namespace netlab::operations {

namespace {

using std::chrono::nanoseconds;

template <class Value>
Result<void> set(const UniqueFd& socket, int level, int option, const Value& value, const char* what) {
    if (::setsockopt(socket.get(), level, option, &value, sizeof value) == 0) return {};
    return system_error(errc::operation_failed, what, errno);
}

/// In the kernel, so that no other echo in this namespace wakes us: replies with our identifier pass, nothing
/// else.
Result<void> filter_identifier(const UniqueFd& socket, Family family, std::uint16_t id) {
    constexpr std::uint32_t all = 0xFFFFFFFF;
    std::array v4{
        sock_filter BPF_STMT(BPF_LDX | BPF_B | BPF_MSH, 0),  // X = length of the IPv4 header
        sock_filter BPF_STMT(BPF_LD | BPF_H | BPF_IND, 4),   // the identifier
        sock_filter BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, id, 0, 3),
        sock_filter BPF_STMT(BPF_LD | BPF_B | BPF_IND, 0),  // the type
        sock_filter BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ICMP_ECHOREPLY, 0, 1),
        sock_filter BPF_STMT(BPF_RET | BPF_K, all),
        sock_filter BPF_STMT(BPF_RET | BPF_K, 0),
    };
    std::array v6{
        sock_filter BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 4),
        sock_filter BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, id, 0, 3),
        sock_filter BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 0),
        sock_filter BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ICMP6_ECHO_REPLY, 0, 1),
        sock_filter BPF_STMT(BPF_RET | BPF_K, all),
        sock_filter BPF_STMT(BPF_RET | BPF_K, 0),
    };
    sock_fprog program{};
    program.len = static_cast<unsigned short>(family == Family::ipv4 ? v4.size() : v6.size());
    program.filter = family == Family::ipv4 ? v4.data() : v6.data();
    return set(socket, SOL_SOCKET, SO_ATTACH_FILTER, program, "filter echo replies");
}

Result<void> filter_types(const UniqueFd& socket, Family family) {
    if (family == Family::ipv4) {
        constexpr icmp_filter replies_only{~(1U << ICMP_ECHOREPLY)};
        return set(socket, SOL_RAW, ICMP_FILTER, replies_only, "filter ICMP types");
    }
    icmp6_filter replies_only;
    ICMP6_FILTER_SETBLOCKALL(&replies_only);
    ICMP6_FILTER_SETPASS(ICMP6_ECHO_REPLY, &replies_only);
    return set(socket, IPPROTO_ICMPV6, ICMP6_FILTER, replies_only, "filter ICMPv6 types");
}

Result<void> set_options(const UniqueFd& socket, Family family, const EchoOptions& options) {
    const int on = 1;
    const bool v4 = family == Family::ipv4;
    const int level = v4 ? IPPROTO_IP : IPPROTO_IPV6;
    if (auto r = set(socket, level, v4 ? IP_RECVERR : IPV6_RECVERR, on, "ask for ICMP errors"); !r) return r;
    if (!v4) {
        if (auto r = set(socket, level, IPV6_RECVHOPLIMIT, on, "ask for hop limits"); !r) return r;
    }
    if (options.dont_fragment) {
        static_assert(IP_PMTUDISC_DO == IPV6_PMTUDISC_DO);
        const int never = IP_PMTUDISC_DO;
        if (auto r = set(socket, level, v4 ? IP_MTU_DISCOVER : IPV6_MTU_DISCOVER, never, "forbid fragments");
            !r)
            return r;
        if (!v4) {
            if (auto r = set(socket, level, IPV6_DONTFRAG, on, "forbid fragments"); !r) return r;
        }
    }
    // The kernel caps it at net.core.rmem_max; replies, errors and transmit timestamps share it.
    const int receive_buffer = 1 << 20;
    if (auto r = set(socket, SOL_SOCKET, SO_RCVBUF, receive_buffer, "set the receive buffer"); !r) return r;
    // Without them (an old driver, an old kernel) the process' own clock serves.
    int stamps = SOF_TIMESTAMPING_RX_SOFTWARE | SOF_TIMESTAMPING_SOFTWARE;
    if (options.transmit_times)
        stamps |= SOF_TIMESTAMPING_TX_SOFTWARE | SOF_TIMESTAMPING_OPT_ID | SOF_TIMESTAMPING_OPT_TSONLY;
    (void)::setsockopt(socket.get(), SOL_SOCKET, SO_TIMESTAMPING, &stamps, sizeof stamps);
    return {};
}

std::optional<IpAddress> address_in(const void* bytes, std::size_t size) {
    sockaddr_storage storage{};
    std::memcpy(&storage, bytes, std::min(size, sizeof storage));
    auto address = IpAddress::from_sockaddr(storage);
    if (!address) return std::nullopt;
    return *address;
}

/// The control messages of one recvmsg, taken apart.
struct Control {
    std::optional<nanoseconds> stamp;
    std::optional<std::uint8_t> hop_limit;
    std::optional<QueuedError> error;
};

std::optional<nanoseconds> software_stamp(const cmsghdr& header) {
    std::array<timespec, 3> stamps{};
    if (header.cmsg_len < CMSG_LEN(sizeof stamps)) return std::nullopt;
    std::memcpy(stamps.data(), CMSG_DATA(&header), sizeof stamps);
    const auto time = std::chrono::seconds(stamps[0].tv_sec) + nanoseconds(stamps[0].tv_nsec);
    if (time == nanoseconds(0)) return std::nullopt;
    return time;
}

Control parse_control(msghdr& message) {
    Control control;
    for (auto* header = CMSG_FIRSTHDR(&message); header != nullptr; header = CMSG_NXTHDR(&message, header)) {
        const auto is = [&](int level, int type) {
            return header->cmsg_level == level && header->cmsg_type == type;
        };
        const auto size = header->cmsg_len - CMSG_LEN(0);
        if (is(SOL_SOCKET, SCM_TIMESTAMPING)) {
            control.stamp = software_stamp(*header);
        } else if (is(IPPROTO_IPV6, IPV6_HOPLIMIT) && size >= sizeof(int)) {
            int limit = 0;
            std::memcpy(&limit, CMSG_DATA(header), sizeof limit);
            control.hop_limit = static_cast<std::uint8_t>(limit);
        } else if (auto error = parse_queued_error(*header)) {
            control.error = error;
        }
    }
    return control;
}

std::optional<EchoNotice> as_notice(Family family, const Control& control,
                                    const std::optional<IpAddress>& destination, icmp::Bytes quoted) {
    const auto& error = *control.error;
    if (error.origin == SO_EE_ORIGIN_TIMESTAMPING) {
        if (error.info != SCM_TSTAMP_SND || !control.stamp) return std::nullopt;
        return TransmitNotice{error.data, *control.stamp};
    }
    if (!error.is_icmp()) return std::nullopt;
    const auto echo = icmp::parse_quoted_echo(family, quoted);
    if (!echo || !destination) return std::nullopt;
    const auto mtu = icmp::tells_mtu(family, error.type, error.code) ? error.info : 0;
    return IcmpErrorNotice{*destination, *echo, error.from, error.type, error.code, mtu};
}

/// The buffers of one recvmsg.
struct Receiving {
    explicit Receiving(std::span<std::uint8_t> data) : part{data.data(), data.size()} {
        message.msg_name = &name;
        message.msg_namelen = sizeof name;
        message.msg_iov = &part;
        message.msg_iovlen = 1;
        message.msg_control = control.data();
        message.msg_controllen = control.size();
    }
    Receiving(const Receiving&) = delete;
    Receiving& operator=(const Receiving&) = delete;

    sockaddr_storage name{};
    iovec part;
    alignas(cmsghdr) std::array<char, 512> control{};
    msghdr message{};
};

}  // namespace

Result<EchoSocket> EchoSocket::open(Family family, std::uint16_t id, const EchoOptions& options) {
    const bool v4 = family == Family::ipv4;
    constexpr int type = SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK;
    UniqueFd socket(::socket(v4 ? AF_INET : AF_INET6, type, v4 ? int{IPPROTO_ICMP} : int{IPPROTO_ICMPV6}));
    if (!socket) {
        const auto code = errno == EAFNOSUPPORT ? errc::unsupported : errc::operation_failed;
        return system_error(code, v4 ? "open a raw ICMP socket" : "open a raw ICMPv6 socket", errno);
    }
    if (auto r = filter_identifier(socket, family, id); !r) return r.error();
    if (auto r = filter_types(socket, family); !r) return r.error();
    if (auto r = set_options(socket, family, options); !r) return r.error();
    return EchoSocket(std::move(socket), family, id, options);
}

Result<void> EchoSocket::send_through(std::uint32_t interface_index) {
    const std::uint32_t index = htonl(interface_index);
    if (family_ == Family::ipv4)
        return set(socket_, IPPROTO_IP, IP_UNICAST_IF, index, "choose the interface");
    return set(socket_, IPPROTO_IPV6, IPV6_UNICAST_IF, index, "choose the interface");
}

std::optional<SendFailure> EchoSocket::send(const ScopedAddress& to, std::uint16_t sequence,
                                            std::span<const std::uint8_t> payload) {
    const auto message = icmp::echo_request(family_, id_, sequence, payload);
    sockaddr_storage address;
    const auto length = to.address.to_sockaddr(address, 0, to.scope_id);
    int error = 0;
    for (int attempt = 0; attempt < 2; ++attempt) {
        const auto sent = ::sendto(socket_.get(), message.data(), message.size(), MSG_NOSIGNAL,
                                   reinterpret_cast<const sockaddr*>(&address), length);
        error = sent < 0 ? errno : 0;
        local_mtu_ = 0;
        // At once: the transmit timestamp is there already, and need not wake us later.
        if (transmit_times_ || error != 0) read_error_queue();
        if (error == 0) return std::nullopt;
        if (error == EAGAIN || error == ENOBUFS) break;
        // It may be the error of an earlier echo, which the kernel tells at the next call. Then this one was
        // not sent.
    }
    return SendFailure{error, error == EMSGSIZE ? local_mtu_ : 0};
}

Result<std::optional<ReceivedEcho>> EchoSocket::receive() {
    // Each turn but the last consumes an error or somebody else's packet; who floods us with them must not
    // hold us here.
    for (int turn = 0; turn < 64; ++turn) {
        Receiving receiving(buffer_);
        const auto size = ::recvmsg(socket_.get(), &receiving.message, 0);
        if (size < 0) {
            if (errno == EAGAIN) return std::optional<ReceivedEcho>{};
            if (errno == EBADF || errno == ENOTSOCK || errno == EFAULT || errno == ENOMEM) {
                return system_error(errc::operation_failed, "receive an echo reply", errno);
            }
            continue;  // an ICMP error that the error queue tells in full
        }
        const auto packet = icmp::Bytes(buffer_).first(static_cast<std::size_t>(size));
        auto reply = icmp::parse_echo_reply(family_, packet);
        const auto from = address_in(&receiving.name, receiving.message.msg_namelen);
        if (!reply || reply->id != id_ || !from) continue;
        const auto control = parse_control(receiving.message);
        if (control.hop_limit) reply->ttl = control.hop_limit;
        return std::optional<ReceivedEcho>{ReceivedEcho{*from, *reply, control.stamp}};
    }
    return std::optional<ReceivedEcho>{};
}

void EchoSocket::read_error_queue() {
    // Of a quoted request the header is enough.
    std::array<std::uint8_t, 64> quoted;
    constexpr int most_at_once = 1024;
    for (int turn = 0; turn < most_at_once; ++turn) {
        Receiving receiving(quoted);
        const auto size = ::recvmsg(socket_.get(), &receiving.message, MSG_ERRQUEUE);
        if (size < 0) return;
        const auto control = parse_control(receiving.message);
        if (!control.error) continue;
        if (control.error->origin == SO_EE_ORIGIN_LOCAL) {
            if (control.error->error_number == EMSGSIZE) local_mtu_ = control.error->info;
            continue;
        }
        const auto destination = address_in(&receiving.name, receiving.message.msg_namelen);
        const auto bytes = icmp::Bytes(quoted).first(static_cast<std::size_t>(size));
        if (auto notice = as_notice(family_, control, destination, bytes)) notices_.push_back(*notice);
    }
}

std::optional<EchoNotice> EchoSocket::notice() {
    if (notices_.empty()) read_error_queue();
    if (notices_.empty()) return std::nullopt;
    auto notice = notices_.front();
    notices_.pop_front();
    return notice;
}

}  // namespace netlab::operations
