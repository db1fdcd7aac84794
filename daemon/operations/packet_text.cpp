#include "common/address.hpp"
#include "daemon/operations/packet_text_parts.hpp"

#include <array>
#include <cstdio>

#include <tins/dot1q.h>
#include <tins/ethernetII.h>
#include <tins/sll.h>

namespace netlab::operations {

namespace {

namespace ethertype {
constexpr std::uint16_t ipv4 = 0x0800;
constexpr std::uint16_t arp = 0x0806;
constexpr std::uint16_t vlan = 0x8100;
constexpr std::uint16_t ipv6 = 0x86DD;
constexpr std::uint16_t service_vlan = 0x88A8;
/// Less is a length (IEEE 802.3).
constexpr std::uint16_t least = 0x0600;
}  // namespace ethertype

/// tcpdump's names.
std::string ethertype_name(std::uint16_t type) {
    switch (type) {
        case 0x8035:
            return "Reverse ARP";
        case 0x8847:
            return "MPLS unicast";
        case 0x8863:
            return "PPPoE D";
        case 0x8864:
            return "PPPoE S";
        case 0x888E:
            return "EAPOL";
        case 0x88CC:
            return "LLDP";
        case 0x88E5:
            return "802.1AE MACsec";
        case 0x88F7:
            return "PTP";
        default:
            return "Unknown";
    }
}

void payload_text(PacketText& text, const PacketPart& payload, std::uint16_t type, std::size_t frame_length,
                  unsigned depth);

void tagged_text(PacketText& text, const PacketPart& payload, std::size_t frame_length, unsigned depth) {
    read_layer(text, "vlan", [&] {
        if (depth == most_nested_packets) throw PacketInvalid();
        const auto tag = header_of<Tins::Dot1Q>(payload, 4);
        text.info += "vlan " + std::to_string(tag.id()) + ", p " + std::to_string(tag.priority()) +
                     (tag.cfi() != 0 ? ", DEI, " : ", ");
        payload_text(text, payload.after(4), tag.payload_type(), frame_length, depth + 1);
    });
}

/// `frame_length` is what tcpdump says of a frame that it does not know.
void payload_text(PacketText& text, const PacketPart& payload, std::uint16_t type, std::size_t frame_length,
                  unsigned depth) {
    switch (type) {
        case ethertype::ipv4:
        case ethertype::ipv6:
            return ip_text(text, payload, depth);
        case ethertype::arp:
            return arp_text(text, payload);
        case ethertype::vlan:
        case ethertype::service_vlan:
            return tagged_text(text, payload, frame_length, depth);
        default:
            break;
    }
    if (type < ethertype::least) {
        text.info += "802.3, length " + std::to_string(frame_length);
        return;
    }
    std::array<char, 8> number{};
    (void)std::snprintf(number.data(), number.size(), "0x%04x", unsigned{type});
    text.info += "ethertype " + ethertype_name(type) + " (" + number.data() + "), length " +
                 std::to_string(frame_length);
}

/// https://www.tcpdump.org/linktypes/LINKTYPE_LINUX_SLL2.html
void sll2_text(PacketText& text, const PacketPart& frame, unsigned depth) {
    constexpr std::size_t size = 20;
    (void)frame.first(size);
    if (frame.number8(11) == 6) text.source.address = frame.mac(12);
    payload_text(text, frame.after(size), frame.number16(0), frame.length(), depth);
}

}  // namespace

void ethernet_text(PacketText& text, const PacketPart& frame, unsigned depth) {
    text.protocol = "Ethernet";
    constexpr std::size_t size = 14;
    const auto header = header_of<Tins::EthernetII>(frame, size);
    text.source.address = header.src_addr().to_string();
    text.destination.address = header.dst_addr().to_string();
    payload_text(text, frame.after(size), header.payload_type(), frame.length(), depth);
}

void link_text(PacketText& text, const PacketPart& frame, LinkType link, unsigned depth) {
    read_layer(text, "ether", [&] {
        switch (link) {
            case LinkType::ethernet:
                return ethernet_text(text, frame, depth);
            case LinkType::linux_sll2:
                return sll2_text(text, frame, depth);
            case LinkType::raw_ip:
                return ip_text(text, frame, depth);
        }
        text.info += "link type " + std::to_string(static_cast<unsigned>(link));
    });
}

PacketText packet_text(std::span<const std::byte> packet, std::uint32_t wire_length, LinkType link) {
    PacketText text;
    text.protocol = link == LinkType::raw_ip ? "IP" : "Ethernet";
    const auto* bytes = reinterpret_cast<const std::uint8_t*>(packet.data());
    link_text(text, PacketPart({bytes, packet.size()}, std::max<std::size_t>(wire_length, packet.size())),
              link, 0);
    // "[|tcp]" is set off by a blank from what is in front of it, and nothing may be.
    if (text.info.starts_with(' ')) text.info.erase(0, 1);
    return text;
}

std::string packet_line(const PacketText& text) {
    if (text.protocol == "ARP") return "ARP, " + text.info;
    const auto end = [](const PacketEnd& one) {
        return one.address + (one.port ? "." + std::to_string(*one.port) : "");
    };
    const auto ends = end(text.source) + " > " + end(text.destination);
    const auto address = IpAddress::parse(text.source.address);
    if (!address) return ends + ", " + text.info;
    return (address->is_v4() ? "IP " : "IP6 ") + ends + ": " + text.info;
}

}  // namespace netlab::operations
