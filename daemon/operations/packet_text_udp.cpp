#include "daemon/operations/packet_text_parts.hpp"

#include <algorithm>
#include <array>
#include <cstdio>

#include <tins/udp.h>

namespace netlab::operations {

namespace {

constexpr std::size_t header_size = 8;
constexpr std::uint16_t dns_port = 53;
constexpr std::uint16_t multicast_dns_port = 5353;
constexpr std::uint16_t vxlan_port = 4789;
/// What Linux has used since before there was a number, and flannel still does.
constexpr std::uint16_t linux_vxlan_port = 8472;

/// RFC 7348.
void vxlan_text(PacketText& text, const PacketPart& datagram, unsigned depth) {
    text.protocol = "VXLAN";
    read_layer(text, "vxlan", [&] {
        (void)datagram.first(header_size);
        const unsigned flags = datagram.number8(0);
        std::array<char, 32> shown{};
        (void)std::snprintf(shown.data(), shown.size(), "flags [%c] (0x%02x)",
                            (flags & 0x08U) != 0 ? 'I' : '.', flags);
        text.info += std::string("VXLAN, ") + shown.data() + ", vni " +
                     std::to_string(datagram.number32(4) >> 8U) + ": ";
        if (depth == most_nested_packets) throw PacketInvalid();
        PacketText inner;
        link_text(inner, datagram.after(header_size), LinkType::ethernet, depth + 1);
        text.info += packet_line(inner);
    });
}

void read_datagram(PacketText& text, const PacketPart& datagram, PacketPlace place) {
    text.source.port = datagram.number16(0);
    text.destination.port = datagram.number16(2);
    const auto udp = header_of<Tins::UDP>(datagram, header_size);
    // 0 is a length that does not fit (RFC 2675) or that is left to the device.
    const std::size_t length = udp.length() == 0 ? datagram.length() : udp.length();
    if (length < header_size) {
        text.info += "truncated-udplength " + std::to_string(length);
        return;
    }
    if (length > datagram.length() && !place.fragment)
        text.info += "truncated-udp - " + std::to_string(length - datagram.length()) + " bytes missing! ";
    const PacketPart data(datagram.shortened(length).after(header_size).captured(), length - header_size);
    const auto has = [&](std::uint16_t port) { return udp.sport() == port || udp.dport() == port; };
    if (has(dns_port) || has(multicast_dns_port)) return dns_text(text, data, !has(dns_port));
    if (udp.dport() == vxlan_port || udp.dport() == linux_vxlan_port)
        return vxlan_text(text, data, place.depth);
    text.info += "UDP, length " + std::to_string(data.length());
}

}  // namespace

void udp_text(PacketText& text, const PacketPart& datagram, PacketPlace place) {
    text.protocol = "UDP";
    read_layer(text, "udp", [&] { read_datagram(text, datagram, place); });
}

}  // namespace netlab::operations
