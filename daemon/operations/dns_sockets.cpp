#include "daemon/operations/dns_sockets.hpp"

#include "daemon/operations/dns_datagram.hpp"
#include "daemon/operations/error_queue.hpp"
#include "daemon/operations/icmp.hpp"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <system_error>

#include <ares.h>
#include <netinet/in.h>
#include <sys/uio.h>
#include <unistd.h>

namespace netlab::operations {

namespace {

using api::DnsAttemptOutcome;
using api::DnsTransport;

/// A server, or somebody in its place, that floods us with what is no answer is not listened to any longer.
constexpr unsigned most_ignored = 64;
constexpr std::size_t largest_message = 65'535;
constexpr std::size_t length_prefix = 2;       // of a message over TCP (RFC 1035, 4.2.2)
constexpr std::size_t longest_datagram = 512;  // without EDNS (RFC 1035, 4.2.1)

std::string error_words(int error) {
    return std::generic_category().message(error);
}

std::string endpoint_text(const sockaddr_storage& address) {
    const auto ip = IpAddress::from_sockaddr(address);
    if (!ip) return "an address of an unknown family";
    const auto port = address.ss_family == AF_INET ? reinterpret_cast<const sockaddr_in&>(address).sin_port
                                                   : reinterpret_cast<const sockaddr_in6&>(address).sin6_port;
    return NameServer{*ip, {}, ntohs(port)}.to_string() + (ntohs(port) == 53 ? ", port 53" : "");
}

bool same_endpoint(const sockaddr_storage& a, const sockaddr_storage& b) {
    if (a.ss_family != b.ss_family) return false;
    if (a.ss_family == AF_INET) {
        const auto& left = reinterpret_cast<const sockaddr_in&>(a);
        const auto& right = reinterpret_cast<const sockaddr_in&>(b);
        return left.sin_port == right.sin_port && left.sin_addr.s_addr == right.sin_addr.s_addr;
    }
    // The zone is the interface that the socket is bound to.
    const auto& left = reinterpret_cast<const sockaddr_in6&>(a);
    const auto& right = reinterpret_cast<const sockaddr_in6&>(b);
    return left.sin6_port == right.sin6_port &&
           std::memcmp(&left.sin6_addr, &right.sin6_addr, sizeof left.sin6_addr) == 0;
}

/// The ICMP error that a failed call was about, in words: "port unreachable, from 192.0.2.1".
std::string icmp_error(int socket, Family family) {
    const auto error = take_icmp_error(socket);
    if (!error) return {};
    auto text = icmp::error_text(family, error->type, error->code, error->info);
    if (error->from) text += ", from " + error->from->to_string();
    return text;
}

DnsAttemptOutcome outcome_of(int error, DnsTransport transport) {
    switch (error) {
        case ECONNREFUSED:
            return DnsAttemptOutcome::refused;
        case EPERM:
            return DnsAttemptOutcome::forbidden;
        case ETIMEDOUT:
            return DnsAttemptOutcome::timed_out;
        case ECONNRESET:
        case EPIPE:
            return transport == DnsTransport::tcp ? DnsAttemptOutcome::closed : DnsAttemptOutcome::refused;
        default:
            return DnsAttemptOutcome::unreachable;
    }
}

DnsSockets& self(void* argument) {
    return *static_cast<DnsSockets*>(argument);
}

extern "C" {
ares_socket_t netlab_dns_open(int domain, int type, int protocol, void* argument) {
    return self(argument).open(domain, type, protocol);
}
int netlab_dns_close(ares_socket_t socket, void* argument) {
    return self(argument).close(socket);
}
int netlab_dns_connect(ares_socket_t socket, const sockaddr* address, ares_socklen_t length, void* argument) {
    return self(argument).connect(socket, address, length);
}
ares_ssize_t netlab_dns_receive(ares_socket_t socket, void* data, size_t size, int, sockaddr* from,
                                ares_socklen_t* from_length, void* argument) {
    return self(argument).receive(socket, data, size, from, from_length);
}
ares_ssize_t netlab_dns_send(ares_socket_t socket, const iovec* parts, int count, void* argument) {
    return self(argument).send(socket, parts, count);
}
}

constexpr ares_socket_functions functions{&netlab_dns_open, &netlab_dns_close, &netlab_dns_connect,
                                          &netlab_dns_receive, &netlab_dns_send};

}  // namespace

void DnsSockets::attach(ares_channeldata* channel) {
    ::ares_set_socket_functions(channel, &functions, this);
}

void DnsSockets::begin(const NameServer& server, std::span<const std::uint8_t> query) {
    server_ = &server;
    query_ = query;
    facts_.clear();
    long_answer_.clear();
    ignored_ = 0;
}

void DnsSockets::send_again() {
    for (auto& open : open_) {
        auto& facts = facts_of(open);
        if (facts.transport != DnsTransport::udp || facts.failure || open.to_length == 0) continue;
        const auto sent = ::sendto(open.socket, query_.data(), query_.size(), MSG_NOSIGNAL,
                                   reinterpret_cast<const sockaddr*>(&open.to), open.to_length);
        // An error of the first question's is for c-ares to read.
        if (sent >= 0)
            facts.again =
                std::chrono::duration_cast<std::chrono::milliseconds>(Output::Clock::now() - facts.asked);
    }
}

void DnsSockets::give_up() {
    for (auto& open : open_) {
        auto& facts = facts_of(open);
        if (facts.transport != DnsTransport::tcp || facts.failure || open.stream.size() < 2) continue;
        const std::size_t length = std::size_t{open.stream[0]} << 8U | open.stream[1];
        const auto got = open.stream.size() - 2;
        if (got < length) {
            facts.detail = std::to_string(got) + " of " + std::to_string(length) + " bytes came";
        } else {
            facts.ignored = why_no_answer(query_, std::span(open.stream).subspan(2, length));
        }
    }
}

DnsSockets::Open* DnsSockets::find(int socket) {
    const auto at = std::ranges::find(open_, socket, &Open::socket);
    return at == open_.end() ? nullptr : &*at;
}

/// c-ares 1.18 has no scope in a server's address: the socket itself is put on the interface. Without
/// privilege since Linux 5.7; before, such a server cannot be asked.
bool DnsSockets::bind_to_zone(int socket) const {
    const auto& zone = server_->zone;
    if (zone.empty()) return true;
    int index = 0;
    const auto [end, error] = std::from_chars(zone.data(), zone.data() + zone.size(), index);
    const bool numeric = error == std::errc{} && end == zone.data() + zone.size();
    return (numeric ? ::setsockopt(socket, SOL_SOCKET, SO_BINDTOIFINDEX, &index, sizeof index)
                    : ::setsockopt(socket, SOL_SOCKET, SO_BINDTODEVICE, zone.data(),
                                   static_cast<socklen_t>(zone.size()))) == 0;
}

int DnsSockets::open(int domain, int type, int protocol) {
    DnsSocketFacts facts;
    facts.transport = type == SOCK_STREAM ? DnsTransport::tcp : DnsTransport::udp;
    facts.asked = Output::Clock::now();
    facts_.push_back(facts);
    Open opened;
    opened.fact = facts_.size() - 1;
    opened.socket = ::socket(domain, type | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol);
    if (opened.socket < 0) {
        fail(opened, errno);
        return -1;
    }
    if (!bind_to_zone(opened.socket)) {
        const int error = errno;
        fail(opened, error);
        facts_.back().detail = "interface " + server_->zone + ": " + error_words(error);
        ::close(opened.socket);
        errno = error;
        return -1;
    }
    // ICMP errors reach a socket that is not connected only if asked for. Without them they are silence.
    if (facts.transport == DnsTransport::udp) (void)ask_for_errors(opened.socket, server_->address.family());
    open_.push_back(std::move(opened));
    return open_.back().socket;
}

int DnsSockets::close(int socket) {
    std::erase_if(open_, [&](const Open& open) { return open.socket == socket; });
    return ::close(socket);
}

int DnsSockets::connect(int socket, const sockaddr* address, socklen_t length) {
    auto* open = find(socket);
    if (open == nullptr || length > sizeof open->to) {
        errno = EBADF;
        return -1;
    }
    std::memcpy(&open->to, address, length);
    open->to_length = length;
    if (facts_of(*open).transport == DnsTransport::udp) return 0;
    const int result = ::connect(socket, address, length);
    if (result != 0 && errno != EINPROGRESS) fail(*open, errno);
    return result;
}

/// Keeps errno as it is for c-ares.
void DnsSockets::fail(Open& open, int error) {
    auto& facts = facts_of(open);
    if (!facts.failure) {
        facts.failure = outcome_of(error, facts.transport);
        facts.ended = Output::Clock::now();
        const auto icmp = facts.transport == DnsTransport::udp && open.socket >= 0
                              ? icmp_error(open.socket, server_->address.family())
                              : std::string();
        facts.detail = icmp.empty() ? error_words(error) : icmp;
        // A rule that rejects says so by ICMP to the socket itself, besides.
        if (error == EPERM && !icmp.empty()) facts.detail = error_words(error) + "; " + icmp;
    }
    errno = error;
}

ssize_t DnsSockets::send(int socket, const iovec* parts, int count) {
    auto* open = find(socket);
    if (open == nullptr) {
        errno = EBADF;
        return -1;
    }
    const bool udp = facts_of(*open).transport == DnsTransport::udp;
    msghdr message{};
    message.msg_iov = const_cast<iovec*>(parts);
    message.msg_iovlen = static_cast<std::size_t>(count);
    if (udp) {
        message.msg_name = &open->to;
        message.msg_namelen = open->to_length;
        facts_of(*open).asked = Output::Clock::now();
    }
    const auto sent = ::sendmsg(socket, &message, MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN) fail(*open, errno);
    return sent;
}

ssize_t DnsSockets::receive(int socket, void* data, std::size_t size, sockaddr* from,
                            socklen_t* from_length) {
    auto* open = find(socket);
    if (open == nullptr) {
        errno = EBADF;
        return -1;
    }
    const std::span buffer(static_cast<std::uint8_t*>(data), size);
    if (facts_of(*open).transport == DnsTransport::tcp) return receive_stream(*open, buffer);
    return receive_datagram(*open, buffer, from, from_length);
}

bool DnsSockets::is_answer(Open& open, std::span<const std::uint8_t> datagram, const sockaddr_storage& from) {
    auto& facts = facts_of(open);
    const bool stranger = !same_endpoint(from, open.to);
    const auto why = stranger ? DnsAttemptOutcome::wrong_source : why_no_answer(query_, datagram);
    if (!why) {
        facts.truncated = is_truncated(datagram);
        facts.ended = Output::Clock::now();
        return true;
    }
    facts.ignored = why;
    facts.detail = stranger ? "an answer from " + endpoint_text(from) : std::string();
    // As glibc does: a server whose answer cannot be read is gone on from at once, another ID or question may
    // be a late answer to somebody else's.
    if (why == DnsAttemptOutcome::malformed || ++ignored_ >= most_ignored) {
        facts.failure = why;
        facts.ended = Output::Clock::now();
        if (why != DnsAttemptOutcome::malformed)
            facts.detail +=
                (facts.detail.empty() ? "" : ", ") + std::to_string(ignored_) + " datagrams like it";
    }
    return false;
}

ssize_t DnsSockets::receive_datagram(Open& open, std::span<std::uint8_t> buffer, sockaddr* from,
                                     socklen_t* from_length) {
    for (;;) {
        sockaddr_storage source{};
        socklen_t length = sizeof source;
        const auto size = ::recvfrom(open.socket, buffer.data(), buffer.size(), 0,
                                     reinterpret_cast<sockaddr*>(&source), &length);
        if (size < 0) {
            if (errno != EAGAIN && errno != EINTR) fail(open, errno);
            return -1;
        }
        const auto datagram = buffer.first(static_cast<std::size_t>(size));
        if (is_answer(open, datagram, source)) {
            if (datagram.size() > longest_datagram && !is_truncated(datagram)) {
                long_answer_.assign(datagram.begin(), datagram.end());
                errno = ECONNABORTED;
                return -1;
            }
            if (from != nullptr && from_length != nullptr) {
                std::memcpy(from, &source, std::min(length, *from_length));
                *from_length = length;
            }
            return size;
        }
        if (facts_of(open).failure) {
            errno = ECONNABORTED;
            return -1;
        }
    }
}

ssize_t DnsSockets::receive_stream(Open& open, std::span<std::uint8_t> buffer) {
    const auto size = ::recv(open.socket, buffer.data(), buffer.size(), 0);
    if (size < 0) {
        if (errno != EAGAIN && errno != EINTR) fail(open, errno);
        return size;
    }
    auto& facts = facts_of(open);
    const auto end_with = [&](DnsAttemptOutcome outcome) {
        give_up();
        if (!facts.failure) facts.failure = facts.ignored.value_or(outcome);
        facts.ended = Output::Clock::now();
    };
    if (size == 0) {
        end_with(DnsAttemptOutcome::closed);
        return size;
    }
    const auto got = buffer.first(static_cast<std::size_t>(size));
    if (open.stream.size() + got.size() > largest_message + length_prefix) {
        // One question has one answer: c-ares would read on for as long as something comes.
        end_with(DnsAttemptOutcome::malformed);
        errno = ECONNABORTED;
        return -1;
    }
    open.stream.insert(open.stream.end(), got.begin(), got.end());
    return size;
}

}  // namespace netlab::operations
