#include "daemon/operations/icmp.hpp"
#include "tests/support/catch.hpp"

#include <random>

using namespace netlab;
using namespace netlab::operations;

namespace {

using Bytes = std::vector<std::uint8_t>;

Bytes ipv4(const Bytes& message, std::uint8_t protocol = 1, std::size_t options = 0) {
    Bytes packet(20 + options);
    packet[0] = static_cast<std::uint8_t>(0x40 | packet.size() / 4);
    packet[8] = 63;
    packet[9] = protocol;
    packet.insert(packet.end(), message.begin(), message.end());
    return packet;
}

Bytes reply(Family family, std::uint16_t id, std::uint16_t sequence, const Bytes& payload) {
    auto message = icmp::echo_request(family, id, sequence, payload);
    message[0] = family == Family::ipv4 ? 0 : 129;
    if (family == Family::ipv4) {
        message[2] = message[3] = 0;
        const auto sum = icmp::internet_checksum(message);
        message[2] = static_cast<std::uint8_t>(sum >> 8);
        message[3] = static_cast<std::uint8_t>(sum);
    }
    return message;
}

}  // namespace

TEST_CASE("icmp: a checksum is that of RFC 1071", "[unit]") {
    // The RFC's own example, and the same with an odd byte.
    CHECK(icmp::internet_checksum(Bytes{0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7}) == 0x220d);
    CHECK(icmp::internet_checksum(Bytes{0x00, 0x01, 0xf2}) == static_cast<std::uint16_t>(~0xf201));
    CHECK(icmp::internet_checksum({}) == 0xFFFF);
}

TEST_CASE("icmp: an echo request is laid out as RFC 792 and RFC 4443 say", "[unit]") {
    const auto v4 = icmp::echo_request(Family::ipv4, 0x1234, 0x0102, Bytes{0xAA});
    CHECK(v4.size() == 9);
    CHECK(v4[0] == 8);
    CHECK(v4[1] == 0);
    CHECK(v4[4] == 0x12);
    CHECK(v4[7] == 0x02);
    CHECK(icmp::internet_checksum(v4) == 0);
    const auto v6 = icmp::echo_request(Family::ipv6, 1, 1, {});
    CHECK(v6 == Bytes{128, 0, 0, 0, 0, 1, 0, 1});
}

TEST_CASE("icmp: replies are parsed, with IPv4 options too", "[unit]") {
    const Bytes payload{1, 2, 3};
    for (const std::size_t options : {std::size_t{0}, std::size_t{40}}) {
        const auto packet = ipv4(reply(Family::ipv4, 7, 9, payload), 1, options);
        const auto parsed = icmp::parse_echo_reply(Family::ipv4, packet);
        REQUIRE(parsed);
        CHECK(parsed->id == 7);
        CHECK(parsed->sequence == 9);
        CHECK(parsed->size == 11);
        CHECK(parsed->ttl == 63);
        CHECK(parsed->checksum_right);
        CHECK(Bytes(parsed->payload.begin(), parsed->payload.end()) == payload);
    }
    const auto message = reply(Family::ipv6, 7, 9, payload);
    const auto parsed = icmp::parse_echo_reply(Family::ipv6, message);
    REQUIRE(parsed);
    CHECK(parsed->id == 7);
    CHECK(!parsed->ttl);
}

TEST_CASE("icmp: a wrong IPv4 checksum is noticed", "[unit]") {
    auto packet = ipv4(reply(Family::ipv4, 7, 9, {1, 2, 3}));
    packet.back() ^= 1;
    CHECK(!icmp::parse_echo_reply(Family::ipv4, packet)->checksum_right);
}

TEST_CASE("icmp: what is no echo reply is nothing", "[unit]") {
    CHECK(!icmp::parse_echo_reply(Family::ipv4, ipv4(icmp::echo_request(Family::ipv4, 1, 1, {}))));
    CHECK(!icmp::parse_echo_reply(Family::ipv6, icmp::echo_request(Family::ipv6, 1, 1, {})));
    CHECK(!icmp::parse_echo_reply(Family::ipv4, {}));
}

TEST_CASE("icmp: no length that a packet gives of itself is trusted", "[unit]") {
    const auto whole = ipv4(reply(Family::ipv4, 7, 9, {1, 2, 3, 4}), 1, 8);
    for (std::size_t size = 0; size < 36; ++size) {
        const auto parsed = icmp::parse_echo_reply(Family::ipv4, icmp::Bytes(whole).first(size));
        CHECK(!parsed);
    }
    std::mt19937 random(3);
    for (int round = 0; round < 20'000; ++round) {
        Bytes bytes(random() % 80);
        for (auto& byte : bytes)
            byte = static_cast<std::uint8_t>(random());
        if (!bytes.empty()) bytes[0] = static_cast<std::uint8_t>(0x40 | (bytes[0] & 0x0F));
        for (const auto family : {Family::ipv4, Family::ipv6}) {
            if (const auto parsed = icmp::parse_echo_reply(family, bytes))
                REQUIRE(parsed->payload.size() <= bytes.size());
            (void)icmp::parse_quoted_echo(family, bytes);
            (void)icmp::parse_quoted_packet(family, bytes);
        }
    }
}

TEST_CASE("icmp: the quoted request of an error gives its numbers", "[unit]") {
    const auto v4 = icmp::echo_request(Family::ipv4, 0xABCD, 0x0102, Bytes(20));
    CHECK(icmp::parse_quoted_echo(Family::ipv4, icmp::Bytes(v4).first(8)) ==
          icmp::QuotedEcho{0xABCD, 0x0102});
    CHECK(icmp::parse_quoted_packet(Family::ipv4, ipv4(v4, 1, 4)) == icmp::QuotedEcho{0xABCD, 0x0102});
    CHECK(!icmp::parse_quoted_packet(Family::ipv4, ipv4(v4, 17)));
    CHECK(!icmp::parse_quoted_echo(Family::ipv4, icmp::Bytes(v4).first(7)));
    auto fragment = ipv4(v4);
    fragment[7] = 10;
    CHECK(!icmp::parse_quoted_packet(Family::ipv4, fragment));

    const auto v6 = icmp::echo_request(Family::ipv6, 3, 4, {});
    Bytes packet(40);
    packet[0] = 0x60;
    packet[6] = 58;
    packet.insert(packet.end(), v6.begin(), v6.end());
    CHECK(icmp::parse_quoted_packet(Family::ipv6, packet) == icmp::QuotedEcho{3, 4});
    packet[6] = 17;
    CHECK(!icmp::parse_quoted_packet(Family::ipv6, packet));
}

TEST_CASE("icmp: errors read as ping's do", "[unit]") {
    using icmp::error_text;
    CHECK(error_text(Family::ipv4, 3, 0, 0) == "network unreachable");
    CHECK(error_text(Family::ipv4, 3, 1, 0) == "host unreachable");
    CHECK(error_text(Family::ipv4, 3, 3, 0) == "port unreachable");
    CHECK(error_text(Family::ipv4, 3, 4, 1300) == "fragmentation needed, mtu 1300");
    CHECK(error_text(Family::ipv4, 3, 4, 0) == "fragmentation needed");
    CHECK(error_text(Family::ipv4, 3, 13, 0) == "administratively prohibited");
    CHECK(error_text(Family::ipv4, 11, 0, 0) == "time to live exceeded");
    CHECK(error_text(Family::ipv4, 3, 99, 0) == "destination unreachable (type 3, code 99)");
    CHECK(error_text(Family::ipv6, 1, 0, 0) == "no route to the destination");
    CHECK(error_text(Family::ipv6, 1, 1, 0) == "administratively prohibited");
    CHECK(error_text(Family::ipv6, 1, 3, 0) == "address unreachable");
    CHECK(error_text(Family::ipv6, 2, 0, 1280) == "packet too big, mtu 1280");
    CHECK(error_text(Family::ipv6, 3, 0, 0) == "hop limit exceeded");
    CHECK(error_text(Family::ipv6, 200, 7, 0) == "ICMPv6 error (type 200, code 7)");
}
