#include "daemon/operations/icmp.hpp"

#include <algorithm>
#include <array>
#include <string_view>

#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>

namespace netlab::operations::icmp {

namespace {

std::uint16_t big_endian(Bytes bytes, std::size_t at) {
    return static_cast<std::uint16_t>(bytes[at] << 8 | bytes[at + 1]);
}

void put_big_endian(std::span<std::uint8_t> bytes, std::size_t at, std::uint16_t value) {
    bytes[at] = static_cast<std::uint8_t>(value >> 8);
    bytes[at + 1] = static_cast<std::uint8_t>(value);
}

/// The packet without its IPv4 header; empty where there is no whole one.
Bytes behind_ipv4(Bytes packet) {
    if (packet.size() < 20 || packet[0] >> 4 != 4) return {};
    const auto header = static_cast<std::size_t>(packet[0] & 0x0F) * 4;
    if (header < 20 || header > packet.size()) return {};
    return packet.subspan(header);
}

constexpr std::array<std::string_view, 16> unreachable_v4{
    "network unreachable",
    "host unreachable",
    "protocol unreachable",
    "port unreachable",
    "fragmentation needed",
    "source route failed",
    "destination network unknown",
    "destination host unknown",
    "source host isolated",
    "destination network prohibited",
    "destination host prohibited",
    "network unreachable for this type of service",
    "host unreachable for this type of service",
    "administratively prohibited",
    "host precedence violation",
    "precedence cutoff in effect",
};

constexpr std::array<std::string_view, 7> unreachable_v6{
    "no route to the destination",
    "administratively prohibited",
    "beyond the scope of the source address",
    "address unreachable",
    "port unreachable",
    "source address failed the ingress or egress policy",
    "route to the destination rejected",
};

std::string unknown(std::string_view what, unsigned type, unsigned code) {
    return std::string(what) + " (type " + std::to_string(type) + ", code " + std::to_string(code) + ")";
}

std::string text_v4(std::uint8_t type, std::uint8_t code) {
    switch (type) {
        case ICMP_DEST_UNREACH:
            if (code < unreachable_v4.size()) return std::string(unreachable_v4[code]);
            return unknown("destination unreachable", type, code);
        case ICMP_SOURCE_QUENCH:
            return "source quench";
        case ICMP_REDIRECT:
            return "redirected";
        case ICMP_TIME_EXCEEDED:
            return code == 1 ? "fragment reassembly time exceeded" : "time to live exceeded";
        case ICMP_PARAMETERPROB:
            return "parameter problem";
        default:
            return unknown("ICMP error", type, code);
    }
}

std::string text_v6(std::uint8_t type, std::uint8_t code) {
    switch (type) {
        case ICMP6_DST_UNREACH:
            if (code < unreachable_v6.size()) return std::string(unreachable_v6[code]);
            return unknown("destination unreachable", type, code);
        case ICMP6_PACKET_TOO_BIG:
            return "packet too big";
        case ICMP6_TIME_EXCEEDED:
            return code == 1 ? "fragment reassembly time exceeded" : "hop limit exceeded";
        case ICMP6_PARAM_PROB:
            return "parameter problem";
        default:
            return unknown("ICMPv6 error", type, code);
    }
}

}  // namespace

std::uint16_t internet_checksum(Bytes bytes) {
    std::uint64_t sum = 0;
    std::size_t i = 0;
    for (; i + 1 < bytes.size(); i += 2)
        sum += big_endian(bytes, i);
    if (i < bytes.size()) sum += static_cast<std::uint64_t>(bytes[i]) << 8;
    while (sum >> 16 != 0)
        sum = (sum & 0xFFFF) + (sum >> 16);
    return static_cast<std::uint16_t>(~sum);
}

std::vector<std::uint8_t> echo_request(Family family, std::uint16_t id, std::uint16_t sequence,
                                       Bytes payload) {
    std::vector<std::uint8_t> message(header_size + payload.size());
    message[0] = family == Family::ipv4 ? std::uint8_t{ICMP_ECHO} : std::uint8_t{ICMP6_ECHO_REQUEST};
    put_big_endian(message, 4, id);
    put_big_endian(message, 6, sequence);
    std::copy(payload.begin(), payload.end(), message.begin() + header_size);
    if (family == Family::ipv4) put_big_endian(message, 2, internet_checksum(message));
    return message;
}

std::optional<EchoReply> parse_echo_reply(Family family, Bytes packet) {
    const bool v4 = family == Family::ipv4;
    const auto message = v4 ? behind_ipv4(packet) : packet;
    if (message.size() < header_size) return std::nullopt;
    if (message[0] != (v4 ? ICMP_ECHOREPLY : ICMP6_ECHO_REPLY) || message[1] != 0) return std::nullopt;
    EchoReply reply;
    reply.id = big_endian(message, 4);
    reply.sequence = big_endian(message, 6);
    reply.size = static_cast<std::uint32_t>(message.size());
    if (v4) {
        reply.ttl = packet[8];
        reply.checksum_right = internet_checksum(message) == 0;
    }
    reply.payload = message.subspan(header_size);
    return reply;
}

std::optional<QuotedEcho> parse_quoted_echo(Family family, Bytes message) {
    if (message.size() < header_size) return std::nullopt;
    if (message[0] != (family == Family::ipv4 ? ICMP_ECHO : ICMP6_ECHO_REQUEST) || message[1] != 0)
        return std::nullopt;
    return QuotedEcho{big_endian(message, 4), big_endian(message, 6)};
}

std::optional<QuotedEcho> parse_quoted_packet(Family family, Bytes packet) {
    if (family == Family::ipv4) {
        const auto message = behind_ipv4(packet);
        // Only the first fragment has the ICMP header.
        if (message.empty() || packet[9] != IPPROTO_ICMP || (big_endian(packet, 6) & 0x1FFF) != 0)
            return std::nullopt;
        return parse_quoted_echo(family, message);
    }
    constexpr std::size_t ipv6_header = 40;
    if (packet.size() < ipv6_header || packet[0] >> 4 != 6 || packet[6] != IPPROTO_ICMPV6)
        return std::nullopt;
    return parse_quoted_echo(family, packet.subspan(ipv6_header));
}

std::string error_text(Family family, std::uint8_t type, std::uint8_t code, std::uint32_t mtu) {
    auto text = family == Family::ipv4 ? text_v4(type, code) : text_v6(type, code);
    if (tells_mtu(family, type, code) && mtu != 0) text += ", mtu " + std::to_string(mtu);
    return text;
}

bool tells_mtu(Family family, std::uint8_t type, std::uint8_t code) {
    return family == Family::ipv4 ? type == ICMP_DEST_UNREACH && code == ICMP_FRAG_NEEDED
                                  : type == ICMP6_PACKET_TOO_BIG;
}

}  // namespace netlab::operations::icmp
