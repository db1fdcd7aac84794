#pragma once

#include "common/address.hpp"

#include <cstdint>
#include <string_view>
#include <vector>

/// Packets for tests, from the inside out. Checksums are 0: neither netlab nor `tcpdump -n` looks at them.
namespace netlab::test {

using Bytes = std::vector<std::uint8_t>;

inline Bytes operator+(Bytes a, const Bytes& b) {
    a.insert(a.end(), b.begin(), b.end());
    return a;
}

inline Bytes number(std::uint64_t value, int size) {
    Bytes bytes;
    for (int shift = (size - 1) * 8; shift >= 0; shift -= 8)
        bytes.push_back(static_cast<std::uint8_t>(value >> static_cast<unsigned>(shift)));
    return bytes;
}

inline Bytes n16(std::uint64_t value) {
    return number(value, 2);
}

inline Bytes n32(std::uint64_t value) {
    return number(value, 4);
}

inline Bytes zeros(std::size_t count) {
    return Bytes(count);
}

inline Bytes text(std::string_view characters) {
    return {characters.begin(), characters.end()};
}

inline Bytes address(std::string_view written) {
    const auto parsed = IpAddress::parse(written).value();
    return {parsed.bytes().begin(), parsed.bytes().end()};
}

inline const Bytes mac_a{0x02, 0x42, 0xac, 0x14, 0, 2};
inline const Bytes mac_b{0x02, 0x42, 0xac, 0x14, 0, 3};

inline Bytes ethernet(std::uint16_t type, const Bytes& payload) {
    return mac_b + mac_a + n16(type) + payload;
}

struct Ipv4Header {
    std::uint16_t fragment = 0x4000;  ///< flags and offset
    Bytes options = {};
    int length = -1;  ///< -1: what it has
};

inline Bytes ipv4(std::uint8_t protocol, const Bytes& payload, const Ipv4Header& header = {}) {
    const auto size = 20 + header.options.size();
    const auto length = header.length < 0 ? size + payload.size() : static_cast<std::size_t>(header.length);
    return Bytes{static_cast<std::uint8_t>(0x40 | size / 4), 0} + n16(length) + n16(1) +
           n16(header.fragment) + Bytes{64, protocol, 0, 0} + address("172.20.0.2") + address("172.20.0.3") +
           header.options + payload;
}

inline Bytes ipv6(std::uint8_t next, const Bytes& payload) {
    return Bytes{0x60, 0, 0, 0} + n16(payload.size()) + Bytes{next, 64} + address("2001:db8::2") +
           address("2001:db8::3") + payload;
}

inline Bytes udp(std::uint16_t from, std::uint16_t to, const Bytes& data) {
    return n16(from) + n16(to) + n16(data.size() + 8) + n16(0) + data;
}

struct TcpHeader {
    std::uint8_t flags = 0x10;
    std::uint16_t from = 40000;
    std::uint16_t to = 8125;
    Bytes options = {};  ///< of a multiple of four bytes
};

inline Bytes tcp(const TcpHeader& header, const Bytes& data = {}) {
    const auto words = (20 + header.options.size()) / 4;
    return n16(header.from) + n16(header.to) + n32(1000) + n32(2000) +
           Bytes{static_cast<std::uint8_t>(words << 4U), header.flags} + n16(64240) + n16(0) + n16(7) +
           header.options + data;
}

/// `rest`: what follows the checksum.
inline Bytes icmp(std::uint8_t type, std::uint8_t code, const Bytes& rest) {
    return Bytes{type, code, 0, 0} + rest;
}

inline Bytes arp(std::uint16_t operation, const Bytes& target_mac, std::string_view sender,
                 std::string_view target) {
    return n16(1) + n16(0x0800) + Bytes{6, 4} + n16(operation) + mac_a + address(sender) + target_mac +
           address(target);
}

inline Bytes in_ipv4(std::uint8_t protocol, const Bytes& payload, const Ipv4Header& header = {}) {
    return ethernet(0x0800, ipv4(protocol, payload, header));
}

inline Bytes in_ipv6(std::uint8_t next, const Bytes& payload) {
    return ethernet(0x86DD, ipv6(next, payload));
}

}  // namespace netlab::test
