#include "tests/netns/hostile_dns.hpp"

#include "common/address.hpp"
#include "common/unique_fd.hpp"
#include "tests/support/dns_bytes.hpp"

#include <array>
#include <cstdint>
#include <cstdlib>
#include <span>
#include <string_view>
#include <vector>

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace netlab::test {

namespace {

using Message = std::vector<std::uint8_t>;

constexpr std::size_t header_size = 12;

std::string first_label(const Message& query) {
    const std::size_t length = query[header_size];
    return {query.begin() + header_size + 1,
            query.begin() + static_cast<std::ptrdiff_t>(header_size + 1 + length)};
}

/// A good answer: an A record.
Message good(const Message& query) {
    Message answer = query;
    answer[2] = 0x81;
    answer[3] = 0x80;
    answer[7] = 1;
    const Message record{0xC0, 0x0C, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 10, 1, 0, 9};
    answer.insert(answer.end(), record.begin(), record.end());
    return answer;
}

Message head(const Message& query) {
    auto answer = good(query);
    answer.resize(query.size());
    answer[7] = 0;
    return answer;
}

Message wrong_id(const Message& query) {
    auto answer = good(query);
    answer[0] ^= 0xFF;
    return answer;
}

Message wrong_question(const Message& query) {
    auto answer = good(query);
    answer[header_size + 1] ^= 0x01;
    return answer;
}

Message loop(const Message& query) {
    auto answer = head(query);
    const auto at = static_cast<std::uint8_t>(answer.size());
    const Message record{0xC0, at, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 10, 1, 0, 9};
    answer.insert(answer.end(), record.begin(), record.end());
    answer[7] = 1;
    return answer;
}

Message counts(const Message& query) {
    auto answer = head(query);
    for (std::size_t i = 6; i < header_size; ++i)
        answer[i] = 0xFF;
    return answer;
}

/// A good answer, and what does not belong to it.
Message trailing(const Message& query) {
    auto answer = good(query);
    answer.insert(answer.end(), {'j', 'u', 'n', 'k'});
    return answer;
}

Message chaos(const Message& query) {
    auto answer = good(query);
    answer[query.size() + 5] = 3;  // the record's class
    return answer;
}

Message rcode(const Message& query, std::uint8_t code) {
    auto answer = head(query);
    answer[3] = static_cast<std::uint8_t>(answer[3] | code);
    return answer;
}

/// A record whose data is a chain of pointers, then records whose names begin at its end.
Message bomb(const Message& query, std::size_t size) {
    auto answer = head(query);
    const auto put = [&](std::size_t value) {
        answer.push_back(static_cast<std::uint8_t>(value >> 8U));
        answer.push_back(static_cast<std::uint8_t>(value));
    };
    const auto chain = std::min<std::size_t>(size / 4, 16'000) & ~std::size_t{1};
    answer.push_back(0);
    for (const std::size_t word : {std::size_t{65280}, std::size_t{1}, std::size_t{0}, std::size_t{0}, chain})
        put(word);
    const auto begin = answer.size();
    put(0);  // the root
    while (answer.size() < begin + chain)
        put(0xC000 | (answer.size() - 2));
    const auto last = answer.size() - 2;
    std::size_t records = 1;
    for (; answer.size() + 14 <= size; ++records) {
        for (const std::size_t word : {0xC000 | last, std::size_t{5}, std::size_t{1}, std::size_t{0},
                                       std::size_t{0}, std::size_t{2}, 0xC000 | last})
            put(word);
    }
    answer[6] = static_cast<std::uint8_t>(records >> 8U);
    answer[7] = static_cast<std::uint8_t>(records);
    return answer;
}

class Client {
  public:
    Client(int socket, const sockaddr_storage& to, socklen_t length)
        : socket_(socket), to_(to), length_(length) {}
    void send(const Message& message) const { send_by(socket_, message); }
    void send_by(int socket, const Message& message) const {
        (void)::sendto(socket, message.data(), message.size(), 0, reinterpret_cast<const sockaddr*>(&to_),
                       length_);
    }

  private:
    int socket_;
    const sockaddr_storage& to_;
    socklen_t length_;
};

void answer(const Client& client, const Message& query, int other_socket) {
    const auto label = first_label(query);
    if (label == "empty") client.send({});
    if (label == "short") client.send({query[0], query[1], 0x81, 0x80, 0});
    if (label == "text") {
        constexpr std::string_view words = "HTTP/1.1 400 Bad Request\r\n\r\n";
        client.send({words.begin(), words.end()});
    }
    if (label == "echo") client.send(query);
    if (label == "wrongid" || label == "late") client.send(wrong_id(query));
    if (label == "wrongquestion") client.send(wrong_question(query));
    if (label == "othersource") client.send_by(other_socket, good(query));
    if (label == "loop") client.send(loop(query));
    if (label == "counts") client.send(counts(query));
    if (label == "trailing") client.send(trailing(query));
    if (label == "chaos") client.send(chaos(query));
    if (label == "notauth") client.send(rcode(query, 9));
    if (label == "rcode11") client.send(rcode(query, 11));
    if (label == "bomb") client.send(bomb(query, 4000));
    for (int i = 0; label == "flood" && i < 1000; ++i)
        client.send(wrong_id(query));
    if (label == "good" || label == "late") client.send(good(query));
    if (label.starts_with("tc")) {
        auto truncated = head(query);
        truncated[2] |= 0x02;
        client.send(truncated);
    }
}

void serve_udp(int socket, int other_socket) {
    Message query(1500);
    sockaddr_storage from{};
    socklen_t length = sizeof from;
    const auto size =
        ::recvfrom(socket, query.data(), query.size(), 0, reinterpret_cast<sockaddr*>(&from), &length);
    if (size < static_cast<ssize_t>(header_size + 6)) return;
    query.resize(static_cast<std::size_t>(size));
    answer(Client(socket, from, length), query, other_socket);
}

void send_stream(int client, Message message, std::size_t say_length, std::size_t bytes) {
    message.insert(message.begin(),
                   {static_cast<std::uint8_t>(say_length >> 8U), static_cast<std::uint8_t>(say_length)});
    (void)::send(client, message.data(), std::min(bytes + 2, message.size()), MSG_NOSIGNAL);
}

/// Leaves the connection open where it has nothing more to say.
UniqueFd serve_tcp(int listener) {
    UniqueFd client(::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC));
    std::array<std::uint8_t, 2> prefix{};
    if (::recv(client.get(), prefix.data(), prefix.size(), MSG_WAITALL) != 2) return {};
    Message query(static_cast<std::size_t>(prefix[0] << 8 | prefix[1]));
    if (::recv(client.get(), query.data(), query.size(), MSG_WAITALL) != std::ssize(query)) return {};
    const auto label = first_label(query);
    if (label == "tcpclose") return {};
    if (label == "tcpflood") {
        Message flood = wrong_id(query);
        flood.insert(flood.begin(), {0, static_cast<std::uint8_t>(flood.size())});
        while (::send(client.get(), flood.data(), flood.size(), MSG_NOSIGNAL) > 0) {
        }
        return {};
    }
    auto message = good(query);
    if (label == "tcpwrongid") message = wrong_id(query);
    if (label == "tcpbomb") message = bomb(query, 65'000);
    if (label == "tcpcounts") message = counts(query);
    const auto size = message.size();
    if (label != "tcphang")
        send_stream(client.get(), std::move(message), size, label == "tcphalf" ? size / 2 : size);
    return client;
}

int bound(int type, const std::string& address, std::uint16_t port) {
    const int socket = ::socket(AF_INET, type | SOCK_CLOEXEC, 0);
    sockaddr_storage at;
    const auto length = IpAddress::parse(address)->to_sockaddr(at, port);
    const int on = 1;
    ::setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (::bind(socket, reinterpret_cast<sockaddr*>(&at), length) != 0) std::_Exit(1);
    return socket;
}

}  // namespace

void serve_hostile_dns(int ready, const std::string& address, bool tcp) {
    const int udp = bound(SOCK_DGRAM, address, 53);
    const int other = bound(SOCK_DGRAM, address, 5353);
    const int listener = tcp ? bound(SOCK_STREAM, address, 53) : -1;
    if (tcp && ::listen(listener, 8) != 0) std::_Exit(1);
    if (::write(ready, "r", 1) != 1) std::_Exit(1);
    std::vector<UniqueFd> open;
    for (;;) {
        std::array<pollfd, 2> sockets{{{udp, POLLIN, 0}, {listener, POLLIN, 0}}};
        ::poll(sockets.data(), sockets.size(), -1);
        if (sockets[0].revents != 0) serve_udp(udp, other);
        if (sockets[1].revents != 0) open.push_back(serve_tcp(listener));
    }
}

}  // namespace netlab::test
