#pragma once

#include "common/address.hpp"

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

/// Echo messages (RFC 792, RFC 4443), bytes in and structs out. No length that a packet gives of itself is
/// trusted.
namespace netlab::operations::icmp {

inline constexpr std::size_t header_size = 8;  ///< of an echo message, both families

using Bytes = std::span<const std::uint8_t>;

/// RFC 1071, over `bytes` as they are: 0 for a message with its right checksum in it.
[[nodiscard]] std::uint16_t internet_checksum(Bytes bytes);

/// A whole echo request. ICMPv6's checksum is left to the kernel, which knows the addresses.
[[nodiscard]] std::vector<std::uint8_t> echo_request(Family family, std::uint16_t id, std::uint16_t sequence,
                                                     Bytes payload);

struct EchoReply {
    std::uint16_t id = 0;
    std::uint16_t sequence = 0;
    std::uint32_t size = 0;           ///< of the ICMP message
    std::optional<std::uint8_t> ttl;  ///< from the IPv4 header; IPv6 raw sockets tell it beside the packet
    bool checksum_right = true;       ///< the kernel has dropped wrong ones of IPv6
    Bytes payload;                    ///< points into the packet
};

/// What a raw socket received: with its IPv4 header, or without any IPv6 header. Nothing where it is no echo
/// reply.
[[nodiscard]] std::optional<EchoReply> parse_echo_reply(Family family, Bytes packet);

struct QuotedEcho {
    std::uint16_t id = 0;
    std::uint16_t sequence = 0;
    friend bool operator==(const QuotedEcho&, const QuotedEcho&) = default;
};

/// The echo request that an ICMP error quotes, from its ICMP header on, as the error queue of a raw socket
/// has it.
[[nodiscard]] std::optional<QuotedEcho> parse_quoted_echo(Family family, Bytes message);

/// The same, from its IP header on, as the ICMP error itself carries it. An IPv6 request with extension
/// headers is nothing.
[[nodiscard]] std::optional<QuotedEcho> parse_quoted_packet(Family family, Bytes packet);

/// An ICMP error in ping's words: "host unreachable", "fragmentation needed, mtu 1300". `mtu` is 0 where it
/// is unknown.
[[nodiscard]] std::string error_text(Family family, std::uint8_t type, std::uint8_t code, std::uint32_t mtu);

/// "fragmentation needed" or "packet too big": the error tells the next hop's MTU.
[[nodiscard]] bool tells_mtu(Family family, std::uint8_t type, std::uint8_t code);

}  // namespace netlab::operations::icmp
