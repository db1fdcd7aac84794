#include "daemon/operations/packet_text_parts.hpp"

#include <algorithm>

#include <tins/arp.h>

namespace netlab::operations {

namespace {

constexpr std::uint16_t ipv4_type = 0x0800;

std::string request_text(const Tins::ARP& arp) {
    std::string text = "Request who-has " + arp.target_ip_addr().to_string();
    if (arp.target_hw_addr() != Tins::ARP::hwaddress_type())
        text += " (" + arp.target_hw_addr().to_string() + ")";
    return text + " tell " + arp.sender_ip_addr().to_string();
}

}  // namespace

/// RFC 826. Its ends are the MAC addresses that it names, which need not be the frame's.
void arp_text(PacketText& text, const PacketPart& packet) {
    text.protocol = "ARP";
    read_layer(text, "arp", [&] {
        const auto hardware_length = packet.number8(4);
        const auto protocol_length = packet.number8(5);
        const auto length = ", length " + std::to_string(packet.length());
        if (hardware_length != 6 || protocol_length != 4 || packet.number16(2) != ipv4_type) {
            text.info += "hardware " + std::to_string(packet.number16(0)) + " (len " +
                         std::to_string(hardware_length) + "), protocol " +
                         std::to_string(packet.number16(2)) + " (len " + std::to_string(protocol_length) +
                         ")" + length;
            return;
        }
        constexpr std::size_t size = 28;
        const auto arp = header_of<Tins::ARP>(packet, size);
        text.source.address = arp.sender_hw_addr().to_string();
        text.destination.address = arp.target_hw_addr().to_string();
        switch (arp.opcode()) {
            case Tins::ARP::REQUEST:
                text.info += request_text(arp);
                break;
            case Tins::ARP::REPLY:
                text.info += "Reply " + arp.sender_ip_addr().to_string() + " is-at " +
                             arp.sender_hw_addr().to_string();
                break;
            default:
                text.info += "operation " + std::to_string(arp.opcode());
        }
        text.info += length;
    });
}

}  // namespace netlab::operations
