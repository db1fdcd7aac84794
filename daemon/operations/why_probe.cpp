#include "daemon/operations/why_probe.hpp"

#include "daemon/operations/error_queue.hpp"
#include "daemon/operations/icmp.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <vector>

#include <netinet/in.h>
#include <sys/socket.h>

namespace netlab::operations {

namespace {

using api::WhyProtocol;

constexpr std::uint16_t echo_sequence = 1;

/// IP and ICMP, or IP and UDP: both of the same length.
std::uint32_t headers(Family family) {
    return family == Family::ipv4 ? 28 : 48;
}

std::uint16_t port_of(const sockaddr_storage& address) {
    return ntohs(address.ss_family == AF_INET6 ? reinterpret_cast<const sockaddr_in6&>(address).sin6_port
                                               : reinterpret_cast<const sockaddr_in&>(address).sin_port);
}

std::optional<sockaddr_storage> name_of(int socket) {
    sockaddr_storage own{};
    socklen_t length = sizeof own;
    if (::getsockname(socket, reinterpret_cast<sockaddr*>(&own), &length) != 0) return std::nullopt;
    return own;
}

/// Never in pieces: the packet is to be as large as it was asked for, or to fail.
bool forbid_fragments(int socket, Family family) {
    if (family == Family::ipv4) {
        const int always = IP_PMTUDISC_PROBE;
        return ::setsockopt(socket, IPPROTO_IP, IP_MTU_DISCOVER, &always, sizeof always) == 0;
    }
    const int always = IPV6_PMTUDISC_PROBE;
    return ::setsockopt(socket, IPPROTO_IPV6, IPV6_MTU_DISCOVER, &always, sizeof always) == 0;
}

}  // namespace

Result<WhyProbe> WhyProbe::open(const api::WhyRequest& request, const ScopedAddress& to, EchoSocket* echo,
                                std::uint16_t id) {
    WhyProbe probe(to, echo);
    const auto family = to.address.family();
    probe.flow_ = {request.protocol, id, to.address, request.port};
    probe.payload_ = request.size - std::min(request.size, headers(family));
    if (request.protocol == WhyProtocol::icmp) {
        if (echo == nullptr) return Error{errc::unsupported, "this kernel has no IPv6", {}, {}};
        return probe;
    }
    if (auto opened = probe.open_socket(request.size > 0); !opened) return opened.error();
    return probe;
}

Result<void> WhyProbe::open_socket(bool dont_fragment) {
    const auto family = to_.address.family();
    const bool tcp = flow_.protocol == WhyProtocol::tcp;
    const int type = (tcp ? SOCK_STREAM : SOCK_DGRAM) | SOCK_NONBLOCK | SOCK_CLOEXEC;
    socket_.reset(::socket(family == Family::ipv4 ? AF_INET : AF_INET6, type, 0));
    if (!socket_) {
        const auto code = errno == EAFNOSUPPORT ? errc::unsupported : errc::operation_failed;
        return system_error(code, "open a socket for the probe", errno);
    }
    // Otherwise an IPv6 socket's port could be taken in IPv4 by another.
    const int only = 1;
    if (family == Family::ipv6)
        (void)::setsockopt(socket_.get(), IPPROTO_IPV6, IPV6_V6ONLY, &only, sizeof only);
    if (!ask_for_errors(socket_.get(), family) || (dont_fragment && !forbid_fragments(socket_.get(), family)))
        return system_error(errc::operation_failed, "prepare the probe's socket", errno);
    const linger at_once{1, 0};
    if (tcp) (void)::setsockopt(socket_.get(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    // The port has to be known before the packet is sent: the trace goes by it.
    sockaddr_storage any{};
    any.ss_family = static_cast<sa_family_t>(family == Family::ipv4 ? AF_INET : AF_INET6);
    const socklen_t length = family == Family::ipv4 ? sizeof(sockaddr_in) : sizeof(sockaddr_in6);
    if (::bind(socket_.get(), reinterpret_cast<const sockaddr*>(&any), length) != 0)
        return system_error(errc::operation_failed, "take a port for the probe", errno);
    const auto own = name_of(socket_.get());
    if (!own) return system_error(errc::operation_failed, "ask for the probe's port", errno);
    flow_.own = port_of(*own);
    return {};
}

std::optional<ProbeEnd> WhyProbe::send() {
    if (echo_ != nullptr) return send_echo();
    sockaddr_storage address;
    const auto length = to_.address.to_sockaddr(address, flow_.remote_port, to_.scope_id);
    if (::connect(socket_.get(), reinterpret_cast<const sockaddr*>(&address), length) != 0 &&
        errno != EINPROGRESS)
        return failure(errno, true);
    if (flow_.protocol == WhyProtocol::tcp) return std::nullopt;
    const std::vector<std::uint8_t> payload(payload_);
    if (::send(socket_.get(), payload.data(), payload.size(), MSG_NOSIGNAL) < 0) return failure(errno, true);
    return std::nullopt;
}

std::optional<ProbeEnd> WhyProbe::send_echo() {
    const std::vector<std::uint8_t> payload(payload_);
    const auto failed = echo_->send(to_, echo_sequence, payload);
    if (!failed) return std::nullopt;
    auto end = failure(failed->error_number, true);
    end.mtu = failed->mtu;
    return end;
}

pollfd WhyProbe::waiting() const {
    if (echo_ != nullptr) return {echo_->descriptor(), POLLIN, 0};
    const bool tcp = flow_.protocol == WhyProtocol::tcp;
    return {socket_.get(), static_cast<short>(tcp ? POLLOUT : POLLIN), 0};
}

std::optional<ProbeEnd> WhyProbe::look() {
    if (echo_ != nullptr) return look_for_reply();
    auto ready = waiting();
    if (::poll(&ready, 1, 0) <= 0) return std::nullopt;
    int error = 0;
    socklen_t size = sizeof error;
    (void)::getsockopt(socket_.get(), SOL_SOCKET, SO_ERROR, &error, &size);
    if (error != 0) return failure(error, false);
    if (flow_.protocol == WhyProtocol::tcp) return ProbeEnd{};
    std::array<char, 1> byte;
    if (::recv(socket_.get(), byte.data(), byte.size(), MSG_DONTWAIT | MSG_TRUNC) >= 0) return ProbeEnd{};
    return errno == EAGAIN ? std::nullopt : std::optional(failure(errno, false));
}

std::optional<ProbeEnd> WhyProbe::look_for_reply() {
    for (;;) {
        const auto received = echo_->receive();
        if (!received || !*received) break;
        if ((*received)->reply.sequence == echo_sequence && (*received)->from == to_.address)
            return ProbeEnd{};
    }
    while (const auto notice = echo_->notice()) {
        const auto* error = std::get_if<IcmpErrorNotice>(&*notice);
        if (error == nullptr || error->echo.id != flow_.own || error->destination != to_.address) continue;
        ProbeEnd end;
        end.kind = ProbeEnd::Kind::error;
        end.what = icmp::error_text(to_.address.family(), error->type, error->code, error->mtu);
        end.mtu = error->mtu;
        end.from = error->from;
        return end;
    }
    return std::nullopt;
}

ProbeEnd WhyProbe::failure(int error_number, bool at_once) const {
    const auto icmp = echo_ != nullptr ? std::nullopt : take_icmp_error(socket_.get());
    const auto family = to_.address.family();
    ProbeEnd end;
    end.error_number = error_number;
    end.kind = at_once ? ProbeEnd::Kind::not_sent : ProbeEnd::Kind::error;
    const auto failure = failure_of(family, error_number, icmp);
    end.what = failure.refusal.message;
    if (icmp) {
        end.kind = ProbeEnd::Kind::error;
        end.from = icmp->from;
        if (icmp::tells_mtu(family, icmp->type, icmp->code)) end.mtu = icmp->info;
        end.no_port = failure.outcome == api::ConnectOutcome::refused;
    } else if (error_number == ECONNREFUSED) {
        end.kind = ProbeEnd::Kind::reset;
    }
    return end;
}

bool WhyProbe::is_given_up() const {
    if (echo_ != nullptr || flow_.protocol != WhyProtocol::tcp) return false;
    std::array<char, 1> byte;
    const auto got = ::recv(socket_.get(), byte.data(), byte.size(), MSG_DONTWAIT | MSG_PEEK);
    return got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR);
}

std::optional<IpAddress> WhyProbe::source() const {
    if (echo_ != nullptr || !socket_) return std::nullopt;
    const auto own = name_of(socket_.get());
    if (!own) return std::nullopt;
    const auto address = IpAddress::from_sockaddr(*own);
    return address && !address->is_unspecified() ? std::optional(*address) : std::nullopt;
}

}  // namespace netlab::operations
