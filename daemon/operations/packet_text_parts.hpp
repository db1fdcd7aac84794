#pragma once

#include "daemon/operations/packet_text.hpp"

#include <exception>
#include <string_view>

/// The parts of packet_text(), one for each protocol. Each appends to `info` what it reads and ends with an
/// exception where the bytes do, which read_layer() catches: so what was read before stays.
namespace netlab::operations {

/// There were more bytes on the wire than were captured.
struct PacketCut : std::exception {};
/// There are fewer bytes than the message must have, or they say what cannot be.
struct PacketInvalid : std::exception {};

/// Bytes of a packet: those captured, and how many there were on the wire.
class PacketPart {
  public:
    PacketPart(std::span<const std::uint8_t> captured, std::size_t length);

    [[nodiscard]] std::size_t length() const { return length_; }  ///< on the wire
    [[nodiscard]] std::span<const std::uint8_t> captured() const { return captured_; }

    /// The first `size` bytes, for libtins. Throws where they are not there, as all below do.
    [[nodiscard]] std::span<const std::uint8_t> first(std::size_t size) const;
    [[nodiscard]] std::uint8_t number8(std::size_t at) const;
    [[nodiscard]] std::uint16_t number16(std::size_t at) const;
    [[nodiscard]] std::uint32_t number32(std::size_t at) const;
    /// "10.0.0.2", "fe80::1", "02:42:ac:14:00:02".
    [[nodiscard]] std::string ipv4(std::size_t at) const;
    [[nodiscard]] std::string ipv6(std::size_t at) const;
    [[nodiscard]] std::string mac(std::size_t at) const;

    /// What follows the first `size` bytes, captured or not.
    [[nodiscard]] PacketPart after(std::size_t size) const;
    /// Without what is behind `length`: padding.
    [[nodiscard]] PacketPart shortened(std::size_t length) const;

    /// Throws PacketCut where bytes are missing, PacketInvalid where all are there.
    [[noreturn]] void fail() const;

  private:
    std::span<const std::uint8_t> captured_;
    std::size_t length_;
};

/// A libtins header from the first `size` bytes of a part.
template <class Header>
Header header_of(const PacketPart& part, std::size_t size) {
    const auto bytes = part.first(size);
    return Header(bytes.data(), static_cast<std::uint32_t>(bytes.size()));
}

/// Runs `read`; says in `info` where it ended too early: " [|name]" or " (invalid)".
template <class Read>
void read_layer(PacketText& text, std::string_view name, const Read& read) {
    try {
        read();
    } catch (const PacketCut&) {
        text.info += std::string(" [|") + std::string(name) + "]";
    } catch (const std::exception&) {
        // PacketInvalid, or libtins' malformed_packet and its kin.
        text.info += " (invalid)";
    }
}

/// Where in the packet a message stands.
struct PacketPlace {
    unsigned depth = 0;     ///< of tunnels around it
    bool fragment = false;  ///< the first of several
    bool behind_ipv6 = false;
};

/// Packets in packets, VLAN tags in VLAN tags: more are not read.
inline constexpr unsigned most_nested_packets = 8;

void link_text(PacketText& text, const PacketPart& frame, LinkType link, unsigned depth);
void ethernet_text(PacketText& text, const PacketPart& frame, unsigned depth);
void ip_text(PacketText& text, const PacketPart& packet, unsigned depth);
void ipv6_text(PacketText& text, const PacketPart& packet, unsigned depth);
/// What an IP packet carries.
void transport_text(PacketText& text, const PacketPart& message, std::uint8_t protocol, PacketPlace place);
void arp_text(PacketText& text, const PacketPart& packet);
void icmp_text(PacketText& text, const PacketPart& message);
void icmpv6_text(PacketText& text, const PacketPart& message);
void igmp_text(PacketText& text, const PacketPart& message);
void mld_report_text(PacketText& text, const PacketPart& message);
void tcp_text(PacketText& text, const PacketPart& segment);
void udp_text(PacketText& text, const PacketPart& datagram, PacketPlace place);
/// The first line of a request or an answer, where the data begin with one (RFC 9112, 2.1).
void http_text(PacketText& text, const PacketPart& data);
void dns_text(PacketText& text, const PacketPart& message, bool multicast);

}  // namespace netlab::operations
