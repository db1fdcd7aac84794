#include "daemon/operations/packet_text_parts.hpp"

#include <algorithm>
#include <array>
#include <cstdio>

#include <netinet/in.h>
#include <tins/ip.h>
#include <tins/ipv6.h>

namespace netlab::operations {

namespace {

constexpr std::size_t ipv6_size = 40;

void missing_text(PacketText& text, const char* name, std::size_t claimed, std::size_t there) {
    if (claimed <= there) return;
    text.info += std::string(name) + " - " + std::to_string(claimed - there) + " bytes missing! ";
}

void ipv4_text(PacketText& text, const PacketPart& packet, unsigned depth) {
    constexpr std::size_t shortest = 20;
    std::array<std::uint8_t, shortest> fixed{};
    std::ranges::copy(packet.first(shortest), fixed.begin());
    const auto header_length = static_cast<std::size_t>(fixed[0] & 0x0FU) * 4;
    // The options are not shown, and nonsense in them is no reason to show nothing.
    fixed[0] = 0x45;
    const Tins::IP ip(fixed.data(), fixed.size());
    text.source = {ip.src_addr().to_string(), {}};
    text.destination = {ip.dst_addr().to_string(), {}};
    if (header_length < shortest) {
        text.info += "bad-hlen " + std::to_string(header_length);
        return;
    }
    // 0 is what a sender leaves to its device (TSO).
    const std::size_t length = ip.tot_len() == 0 ? packet.length() : ip.tot_len();
    missing_text(text, "truncated-ip", length, packet.length());
    if (length < header_length) {
        text.info += "bad-len " + std::to_string(length);
        return;
    }
    const unsigned offset = ip.fragment_offset();
    if (offset != 0) {
        text.info += "ip-proto-" + std::to_string(ip.protocol());
        return;
    }
    const auto whole = packet.shortened(length);
    const PacketPlace place{depth, (ip.flags() & Tins::IP::MORE_FRAGMENTS) != 0, false};
    // What was lost on the way counts as there, as to tcpdump: lengths are the header's.
    transport_text(
        text,
        PacketPart(whole.after(std::min(header_length, whole.length())).captured(), length - header_length),
        ip.protocol(), place);
}

std::string hexadecimal(const char* format, std::uint32_t number) {
    std::array<char, 16> text{};
    (void)std::snprintf(text.data(), text.size(), format, number);
    return text.data();
}

/// RFC 8200, 4.5. False where it is no first fragment: then there is nothing more to read.
bool fragment_text(PacketText& text, const PacketPart& header, PacketPlace& place) {
    constexpr std::size_t size = 8;
    (void)header.first(size);
    const unsigned offset = header.number16(2) & 0xFFF8U;
    place.fragment = true;
    text.info += "frag (" + std::to_string(offset) + "|" + std::to_string(header.length() - size) + ")";
    if (offset != 0) return false;
    text.info += " ";
    return true;
}

std::string routing_text(const PacketPart& header) {
    return "srcrt (len=" + std::to_string(header.number8(1)) + ", type=" + std::to_string(header.number8(2)) +
           ", segleft=" + std::to_string(header.number8(3)) + ") ";
}

}  // namespace

void ipv6_text(PacketText& text, const PacketPart& packet, unsigned depth) {
    const auto ip = header_of<Tins::IPv6>(packet, ipv6_size);
    text.source = {ip.src_addr().to_string(), {}};
    text.destination = {ip.dst_addr().to_string(), {}};
    const std::size_t length = ip.payload_length() == 0 ? packet.length() - ipv6_size : ip.payload_length();
    missing_text(text, "truncated-ip6", length + ipv6_size, packet.length());
    PacketPart rest(packet.shortened(ipv6_size + length).after(ipv6_size).captured(), length);
    auto next = ip.next_header();
    PacketPlace place{depth, false, true};
    constexpr int most_headers = 32;
    for (int headers = 0; headers < most_headers; ++headers) {
        std::size_t size = 0;
        switch (next) {
            case IPPROTO_HOPOPTS:
            case IPPROTO_DSTOPTS:
                size = (std::size_t{rest.number8(1)} + 1) * 8;
                text.info += next == IPPROTO_HOPOPTS ? "HBH " : "DSTOPT ";
                break;
            case IPPROTO_ROUTING:
                size = (std::size_t{rest.number8(1)} + 1) * 8;
                text.info += routing_text(rest);
                break;
            case IPPROTO_FRAGMENT:
                if (!fragment_text(text, rest, place)) return;
                size = 8;
                break;
            case IPPROTO_NONE:
                text.info += "no next header";
                return;
            default:
                return transport_text(text, rest, next, place);
        }
        next = rest.number8(0);
        rest = rest.after(size);
    }
    throw PacketInvalid();
}

void ip_text(PacketText& text, const PacketPart& packet, unsigned depth) {
    text.protocol = "IP";
    read_layer(text, "ip", [&] {
        // What the bytes are says their first one, not what carries them.
        const unsigned version = packet.number8(0) >> 4U;
        if (version != 4 && version != 6) {
            text.info += "unknown ip " + std::to_string(version);
            return;
        }
        text.protocol = version == 4 ? "IPv4" : "IPv6";
        read_layer(text, version == 4 ? "ip" : "ip6", [&] {
            if (version == 4) return ipv4_text(text, packet, depth);
            ipv6_text(text, packet, depth);
        });
    });
}

namespace {

void inner_packet_text(PacketText& text, const PacketPart& packet, unsigned depth) {
    if (depth == most_nested_packets) throw PacketInvalid();
    PacketText inner;
    ip_text(inner, packet, depth + 1);
    text.info += packet_line(inner);
}

/// RFC 4303: what is behind these eight bytes is nobody else's.
void esp_text(PacketText& text, const PacketPart& message) {
    text.protocol = "ESP";
    read_layer(text, "esp", [&] {
        text.info += "ESP(spi=" + hexadecimal("0x%08x", message.number32(0)) +
                     ",seq=" + hexadecimal("0x%x", message.number32(4)) + "), length " +
                     std::to_string(message.length());
    });
}

}  // namespace

void transport_text(PacketText& text, const PacketPart& message, std::uint8_t protocol, PacketPlace place) {
    switch (protocol) {
        case IPPROTO_TCP:
            return tcp_text(text, message);
        case IPPROTO_UDP:
            return udp_text(text, message, place);
        case IPPROTO_ICMP:
            return icmp_text(text, message);
        case IPPROTO_ICMPV6:
            return icmpv6_text(text, message);
        case IPPROTO_IGMP:
            return igmp_text(text, message);
        case IPPROTO_ESP:
            return esp_text(text, message);
        case IPPROTO_IPIP:
        case IPPROTO_IPV6:
            return inner_packet_text(text, message, place.depth);
        default:
            text.info += "ip-proto-" + std::to_string(protocol) + " " + std::to_string(message.length());
    }
}

}  // namespace netlab::operations
