#include "tests/netns/probe_servers.hpp"

#include "common/address.hpp"
#include "common/unique_fd.hpp"

#include <array>
#include <cstdlib>
#include <vector>

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

namespace netlab::test {

namespace {

UniqueFd bound(const ServerPlace& place, int type) {
    const auto address = *IpAddress::parse(place.address);
    UniqueFd socket(::socket(address.is_v4() ? AF_INET : AF_INET6, type | SOCK_CLOEXEC, 0));
    const int on = 1;
    ::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    const int v6only = place.v6only ? 1 : 0;
    if (address.is_v6()) ::setsockopt(socket.get(), IPPROTO_IPV6, IPV6_V6ONLY, &v6only, sizeof v6only);
    const auto& interface = place.interface;
    if (!interface.empty())
        ::setsockopt(socket.get(), SOL_SOCKET, SO_BINDTODEVICE, interface.data(),
                     static_cast<socklen_t>(interface.size()));
    sockaddr_storage own;
    const auto length = address.to_sockaddr(own, place.port);
    if (::bind(socket.get(), reinterpret_cast<sockaddr*>(&own), length) != 0) std::_Exit(1);
    return socket;
}

void say_ready(int ready) {
    if (::write(ready, "!", 1) != 1) std::_Exit(1);
}

UniqueFd listener(int ready, const ServerPlace& place) {
    auto socket = bound(place, SOCK_STREAM);
    if (::listen(socket.get(), place.backlog) != 0) std::_Exit(1);
    say_ready(ready);
    return socket;
}

/// Sends each datagram back by another socket, or takes it in silence.
[[noreturn]] void serve_datagrams(const UniqueFd& socket, const UniqueFd* answer_by) {
    for (;;) {
        std::array<char, 2048> bytes;
        sockaddr_storage from{};
        socklen_t length = sizeof from;
        const auto size = ::recvfrom(socket.get(), bytes.data(), bytes.size(), 0,
                                     reinterpret_cast<sockaddr*>(&from), &length);
        if (size < 0 || answer_by == nullptr) continue;
        (void)::sendto(answer_by->get(), bytes.data(), static_cast<std::size_t>(size), 0,
                       reinterpret_cast<const sockaddr*>(&from), length);
    }
}

}  // namespace

void listen_only(int ready, const ServerPlace& place) {
    const auto socket = listener(ready, place);
    for (;;)
        ::pause();
}

void speak_first(int ready, const ServerPlace& place, const std::string& words, Ending ending) {
    const auto socket = listener(ready, place);
    std::vector<UniqueFd> open;
    for (;;) {
        UniqueFd connection(::accept4(socket.get(), nullptr, nullptr, SOCK_CLOEXEC));
        if (!connection) continue;
        (void)::send(connection.get(), words.data(), words.size(), MSG_NOSIGNAL);
        if (ending == Ending::reset) {
            const linger at_once{1, 0};
            ::setsockopt(connection.get(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
        }
        if (ending == Ending::stay_open) open.push_back(std::move(connection));
    }
}

void take_datagrams(int ready, const ServerPlace& place, bool echo) {
    const auto socket = bound(place, SOCK_DGRAM);
    say_ready(ready);
    serve_datagrams(socket, echo ? &socket : nullptr);
}

void answer_from_elsewhere(int ready, const ServerPlace& place, std::uint16_t other_port) {
    const auto socket = bound(place, SOCK_DGRAM);
    auto elsewhere = place;
    elsewhere.port = other_port;
    const auto other = bound(elsewhere, SOCK_DGRAM);
    say_ready(ready);
    serve_datagrams(socket, &other);
}

}  // namespace netlab::test
