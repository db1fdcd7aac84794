#include "tests/netns/dns_responder.hpp"

#include "common/address.hpp"
#include "common/unique_fd.hpp"

#include <array>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <string_view>
#include <vector>

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace netlab::test {

namespace {

using Message = std::vector<std::uint8_t>;

constexpr std::size_t header_size = 12;
constexpr std::uint8_t servfail = 2;
constexpr std::uint8_t nxdomain = 3;
constexpr std::uint8_t refused = 5;

std::string first_label(const Message& query) {
    const std::size_t length = query[header_size];
    return std::string(query.begin() + header_size + 1,
                       query.begin() + static_cast<std::ptrdiff_t>(header_size + 1 + length));
}

std::string last_label(const Message& query) {
    std::string label;
    for (std::size_t at = header_size; at < query.size() && query[at] != 0; at += query[at] + std::size_t{1})
        label.assign(query.begin() + static_cast<std::ptrdiff_t>(at + 1),
                     query.begin() + static_cast<std::ptrdiff_t>(at + 1 + query[at]));
    return label;
}

/// Where the question ends: name, type, class.
std::size_t question_end(const Message& query) {
    std::size_t at = header_size;
    while (at < query.size() && query[at] != 0)
        at += query[at] + std::size_t{1};
    return at + 5;
}

void append_address(Message& answer, std::uint8_t type, const char* text) {
    const auto address = *IpAddress::parse(text);
    const auto bytes = address.bytes();
    // A pointer to the question's name, type, class IN, TTL 60, length.
    const Message head{0xC0, 0x0C, 0, type, 0, 1, 0, 0, 0, 60, 0, static_cast<std::uint8_t>(bytes.size())};
    answer.insert(answer.end(), head.begin(), head.end());
    answer.insert(answer.end(), bytes.begin(), bytes.end());
    answer[7] = static_cast<std::uint8_t>(answer[7] + 1);
}

std::optional<Message> answer_to(const Message& query, bool tcp) {
    if (query.size() < header_size + 5 || question_end(query) > query.size()) return std::nullopt;
    const auto label = first_label(query);
    const auto type = query[question_end(query) - 3];
    constexpr std::uint8_t a = 1;
    constexpr std::uint8_t aaaa = 28;
    if (label == "silent" || last_label(query) == "mute") return std::nullopt;
    if (label == "slow") ::usleep(1'200'000);
    Message answer(query.begin(), query.begin() + static_cast<std::ptrdiff_t>(question_end(query)));
    answer[2] = 0x81;  // a response, recursion desired
    answer[3] = 0x80;  // recursion available
    answer[7] = answer[9] = answer[11] = 0;
    if (label == "fail") {
        answer[3] |= servfail;
    } else if (label == "refused") {
        answer[3] |= refused;
    } else if (label == "good" || label == "both" || label == "big" || label == "six" || label == "slow") {
        if (label == "big" && !tcp) {
            answer[2] |= 0x02;
            return answer;
        }
        if (type == a && label != "six") append_address(answer, a, "10.77.0.10");
        if (type == aaaa && (label == "six" || label == "both")) append_address(answer, aaaa, "fd77::10");
    } else if (label == "twofold") {
        append_address(answer, a, last_label(query) == label ? "10.77.0.99" : "10.77.0.10");
    } else {
        answer[3] |= nxdomain;
    }
    return answer;
}

void serve_udp(int socket) {
    Message query(1500);
    sockaddr_storage from{};
    socklen_t length = sizeof from;
    const auto size =
        ::recvfrom(socket, query.data(), query.size(), 0, reinterpret_cast<sockaddr*>(&from), &length);
    if (size <= 0) return;
    query.resize(static_cast<std::size_t>(size));
    const auto answer = answer_to(query, false);
    if (answer)
        (void)::sendto(socket, answer->data(), answer->size(), 0, reinterpret_cast<sockaddr*>(&from), length);
}

void serve_tcp(int listener) {
    const UniqueFd client(::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC));
    for (;;) {
        std::array<std::uint8_t, 2> prefix{};
        if (::recv(client.get(), prefix.data(), prefix.size(), MSG_WAITALL) != 2) return;
        Message query(static_cast<std::size_t>(prefix[0] << 8 | prefix[1]));
        if (::recv(client.get(), query.data(), query.size(), MSG_WAITALL) != std::ssize(query)) return;
        auto answer = answer_to(query, true);
        if (!answer) return;
        const auto size = answer->size();
        answer->insert(answer->begin(),
                       {static_cast<std::uint8_t>(size >> 8), static_cast<std::uint8_t>(size)});
        (void)::send(client.get(), answer->data(), answer->size(), MSG_NOSIGNAL);
    }
}

int bound(int type, const std::string& address) {
    const auto own = *IpAddress::parse(address);
    const int socket = ::socket(own.is_v4() ? AF_INET : AF_INET6, type | SOCK_CLOEXEC, 0);
    sockaddr_storage at;
    const auto length = own.to_sockaddr(at, 53);
    if (::bind(socket, reinterpret_cast<sockaddr*>(&at), length) != 0) std::_Exit(1);
    return socket;
}

}  // namespace

void serve_dns(int ready, const std::string& address) {
    const int udp = bound(SOCK_DGRAM, address);
    const int tcp = bound(SOCK_STREAM, address);
    if (::listen(tcp, 8) != 0 || ::write(ready, "r", 1) != 1) std::_Exit(1);
    for (;;) {
        std::array<pollfd, 2> sockets{{{udp, POLLIN, 0}, {tcp, POLLIN, 0}}};
        ::poll(sockets.data(), sockets.size(), -1);
        if (sockets[0].revents != 0) serve_udp(udp);
        if (sockets[1].revents != 0) serve_tcp(tcp);
    }
}

}  // namespace netlab::test
