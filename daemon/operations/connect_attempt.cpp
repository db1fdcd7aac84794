#include "daemon/operations/connect_attempt.hpp"

#include "daemon/operations/icmp.hpp"

#include <array>
#include <cctype>
#include <cerrno>
#include <system_error>

#include <linux/tcp.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>
#include <sys/socket.h>

namespace netlab::operations {

namespace {

using api::ConnectAttempt;
using api::ConnectOutcome;
using Clock = Output::Clock;

double microseconds(Clock::duration span) {
    return std::chrono::duration<double, std::micro>(span).count();
}

std::string small(std::string text) {
    if (!text.empty()) text[0] = static_cast<char>(std::tolower(static_cast<unsigned char>(text[0])));
    return text;
}

/// Why the kernel of FROM would not even send.
std::string local_text(int error_number) {
    switch (error_number) {
        case ENETUNREACH:
            return "no route";
        case EHOSTUNREACH:
            return "a route says unreachable, or nobody has answered for the next hop";
        case EACCES:
            return "a route or rule prohibits it";
        case EINVAL:
            return "a route throws it away (blackhole)";
        case EADDRNOTAVAIL:
            return "there is no address of its own to send from";
        case EPERM:
            return "a firewall rule of its own forbids it";
        default:
            return small(std::generic_category().message(error_number));
    }
}

bool is_port_unreachable(Family family, const QueuedError& error) {
    if (family == Family::ipv4) return error.type == ICMP_DEST_UNREACH && error.code == ICMP_PORT_UNREACH;
    return error.type == ICMP6_DST_UNREACH && error.code == ICMP6_DST_UNREACH_NOPORT;
}

/// One attempt's socket and what has become of it.
class Attempt {
  public:
    Attempt(const AttemptPlan& plan, const TargetWatch& watch, Output& output)
        : plan_(plan), watch_(watch), output_(output) {
        result_.remote = {plan.to.address, plan.port};
    }

    Result<ConnectAttempt> run() {
        if (auto opened = open(); !opened) return opened.error();
        const auto done = plan_.udp ? run_udp() : run_tcp();
        if (!done) return done.error();
        return std::move(result_);
    }

  private:
    [[nodiscard]] Family family() const { return plan_.to.address.family(); }

    Result<void> open() {
        const int type = (plan_.udp ? SOCK_DGRAM : SOCK_STREAM) | SOCK_NONBLOCK | SOCK_CLOEXEC;
        socket_.reset(::socket(family() == Family::ipv4 ? AF_INET : AF_INET6, type, 0));
        if (!socket_) {
            const auto code = errno == EAFNOSUPPORT ? errc::unsupported : errc::operation_failed;
            return system_error(code, family() == Family::ipv4 ? "open a socket" : "open an IPv6 socket",
                                errno);
        }
        if (!ask_for_errors(socket_.get(), family()))
            return system_error(errc::operation_failed, "ask for ICMP errors", errno);
        if (plan_.interface_index != 0) {
            const auto index = static_cast<int>(plan_.interface_index);
            if (::setsockopt(socket_.get(), SOL_SOCKET, SO_BINDTOIFINDEX, &index, sizeof index) != 0)
                return system_error(errc::operation_failed, "choose the interface", errno);
        }
        // Closed with a reset: 10,000 connections would else leave 10,000 ports in TIME-WAIT for a minute.
        const linger at_once{1, 0};
        if (!plan_.udp) (void)::setsockopt(socket_.get(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
        return {};
    }

    int connect() {
        sockaddr_storage address;
        const auto length = plan_.to.address.to_sockaddr(address, plan_.port, plan_.to.scope_id);
        return ::connect(socket_.get(), reinterpret_cast<const sockaddr*>(&address), length) == 0 ? 0 : errno;
    }

    void note_local() {
        sockaddr_storage own{};
        socklen_t length = sizeof own;
        if (::getsockname(socket_.get(), reinterpret_cast<sockaddr*>(&own), &length) != 0) return;
        const auto address = IpAddress::from_sockaddr(own);
        const auto port = own.ss_family == AF_INET6 ? reinterpret_cast<const sockaddr_in6&>(own).sin6_port
                                                    : reinterpret_cast<const sockaddr_in&>(own).sin_port;
        if (address && !address->is_unspecified() && port != 0) result_.local = {*address, ntohs(port)};
    }

    /// True where the socket is ready before `until`.
    Result<bool> wait_for(short events, Clock::time_point until) {
        pollfd descriptor{socket_.get(), events, 0};
        auto ready = watch_.wait(output_, {&descriptor, 1}, until);
        if (!ready) return ready.error();
        return *ready > 0;
    }

    int pending_error() {
        int error = 0;
        socklen_t length = sizeof error;
        return ::getsockopt(socket_.get(), SOL_SOCKET, SO_ERROR, &error, &length) == 0 ? error : errno;
    }

    Result<void> fail(int error_number) {
        // The same errno says that there is no address to send from, and then it is an answer.
        const bool no_port = error_number == EADDRNOTAVAIL && plan_.has_source;
        if (no_port || error_number == EAGAIN) {
            return Error{errc::operation_failed,
                         "there is no local port left for connections to " + plan_.to.address.to_string(),
                         "netlab sockets -a shows what has the ports",
                         {}};
        }
        if (error_number == ETIMEDOUT) {
            result_.outcome = ConnectOutcome::timed_out;
            return {};
        }
        auto failure = failure_of(family(), error_number, take_icmp_error(socket_.get()));
        result_.outcome = failure.outcome;
        result_.refusal = std::move(failure.refusal);
        return {};
    }

    // ---- TCP

    Result<void> run_tcp() {
        const auto begin = Clock::now();
        int error = connect();
        note_local();
        if (error == EINPROGRESS) {
            const auto ready =
                wait_for(POLLOUT, begin + std::chrono::duration_cast<Clock::duration>(plan_.wait));
            if (!ready) return ready.error();
            if (!*ready) {
                result_.outcome = ConnectOutcome::timed_out;
                note_tcp();
                return {};
            }
            error = pending_error();
        }
        const auto end = Clock::now();
        const bool reset_since = is_reset_since(error);
        if (error != 0 && !reset_since) return fail(error);
        result_.outcome = ConnectOutcome::connected;
        result_.handshake_us = microseconds(end - begin);
        note_tcp();
        if (reset_since) {
            result_.closed = "reset";
            if (plan_.banner) result_.banner = "";
            if (plan_.tls != nullptr) result_.tls.emplace().error = "the other end reset the connection";
            return {};
        }
        if (plan_.tls != nullptr) return greet();
        return plan_.banner ? read_banner() : Result<void>();
    }

    void note_tcp() {
        ::tcp_info info{};
        socklen_t length = sizeof info;
        if (::getsockopt(socket_.get(), IPPROTO_TCP, TCP_INFO, &info, &length) != 0) return;
        const bool connected = result_.outcome == ConnectOutcome::connected;
        if (connected && info.tcpi_rtt != 0) result_.rtt_us = info.tcpi_rtt;
        if (connected) result_.mss = info.tcpi_snd_mss;
        if (info.tcpi_total_retrans != 0) result_.retransmits = info.tcpi_total_retrans;
    }

    Result<void> greet() {
        auto answer = plan_.tls->greet(socket_.get(), plan_.wait, [&](short events, Clock::time_point until) {
            return wait_for(events, until);
        });
        if (!answer) return answer.error();
        result_.tls = std::move(*answer);
        return {};
    }

    /// What the other end says of its own accord: its first words, and what follows them at once.
    Result<void> read_banner() {
        constexpr std::chrono::milliseconds more{100};
        std::array<char, api::ConnectLimits::banner> bytes;
        std::size_t size = 0;
        auto until = Clock::now() + std::chrono::duration_cast<Clock::duration>(plan_.wait);
        while (size < bytes.size()) {
            const auto ready = wait_for(POLLIN, until);
            if (!ready) return ready.error();
            if (!*ready) break;
            const auto got = ::recv(socket_.get(), bytes.data() + size, bytes.size() - size, 0);
            if (got < 0 && errno == EAGAIN) continue;
            if (got <= 0) {
                if (size == 0 && got == 0) result_.closed = "end";
                if (size == 0 && got < 0 && is_reset_since(errno)) result_.closed = "reset";
                break;
            }
            if (size == 0) until = std::min(until, Clock::now() + more);
            size += static_cast<std::size_t>(got);
        }
        result_.banner = banner_text(std::span(bytes).first(size));
        return {};
    }

    // ---- UDP

    Result<void> run_udp() {
        const auto begin = Clock::now();
        if (const int error = connect(); error != 0) return fail(error);
        note_local();
        if (::send(socket_.get(), plan_.data.data(), plan_.data.size(), MSG_NOSIGNAL) < 0) return fail(errno);
        const auto until = begin + std::chrono::duration_cast<Clock::duration>(plan_.wait);
        for (;;) {
            const auto ready = wait_for(POLLIN, until);
            if (!ready) return ready.error();
            if (!*ready) {
                result_.outcome = ConnectOutcome::silent;
                return {};
            }
            const auto end = Clock::now();
            std::array<char, 65'535> bytes;
            const auto size = ::recv(socket_.get(), bytes.data(), bytes.size(), MSG_DONTWAIT);
            if (size >= 0) {
                answered(std::span(bytes).first(static_cast<std::size_t>(size)), microseconds(end - begin));
                return {};
            }
            if (errno == EAGAIN) continue;  // its checksum was wrong
            return fail(errno);
        }
    }

    void answered(std::span<const char> bytes, double rtt_us) {
        result_.outcome = ConnectOutcome::answered;
        result_.rtt_us = rtt_us;
        result_.bytes = static_cast<std::uint32_t>(bytes.size());
        if (plan_.banner)
            result_.banner = banner_text(bytes.first(std::min(bytes.size(), api::ConnectLimits::banner)));
    }

    const AttemptPlan& plan_;
    const TargetWatch& watch_;
    Output& output_;
    UniqueFd socket_;
    ConnectAttempt result_;
};

}  // namespace

Result<ConnectAttempt> attempt_connection(const AttemptPlan& plan, const TargetWatch& watch, Output& output) {
    return Attempt(plan, watch, output).run();
}

AttemptFailure failure_of(Family family, int error_number, const std::optional<QueuedError>& icmp) {
    AttemptFailure out;
    auto& refusal = out.refusal;
    if (icmp) {
        refusal.way = api::RefusalWay::icmp;
        refusal.from = icmp->from;
        refusal.icmp_type = icmp->type;
        refusal.icmp_code = icmp->code;
        refusal.message = icmp::error_text(family, icmp->type, icmp->code, 0);
        if (is_port_unreachable(family, *icmp)) out.outcome = ConnectOutcome::refused;
        return out;
    }
    // Without an ICMP error in the queue a refusal was a reset: whose, only the packet itself says.
    if (error_number == ECONNREFUSED || error_number == ECONNRESET) {
        out.outcome = ConnectOutcome::refused;
        refusal.way = api::RefusalWay::reset;
        refusal.message = "connection refused";
        return out;
    }
    refusal.way = api::RefusalWay::local;
    refusal.message = local_text(error_number);
    return out;
}

std::string banner_text(std::span<const char> bytes) {
    static constexpr std::string_view digits = "0123456789abcdef";
    std::string text;
    for (const char byte : bytes) {
        const auto value = static_cast<unsigned char>(byte);
        if (byte == '\n') {
            text += "\\n";
        } else if (byte == '\r') {
            text += "\\r";
        } else if (byte == '\t') {
            text += "\\t";
        } else if (byte == '\\') {
            text += "\\\\";
        } else if (value >= 0x20 && value < 0x7F) {
            text += byte;
        } else {
            text += "\\x";
            text += digits[value >> 4];
            text += digits[value & 0xF];
        }
    }
    return text;
}

}  // namespace netlab::operations
