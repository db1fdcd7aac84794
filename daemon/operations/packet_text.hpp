#pragma once

#include "common/pcapng.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>

/// Packets as text, one line for each, in the words of `tcpdump -n -S` (4.99). Headers are taken apart by
/// libtins, one at a time and each from its own bytes: its constructors would read a whole packet and say
/// nothing of one that was cut or is quoted in an ICMP error. What libtins 4.0 does not know (SLL2, IGMP,
/// VXLAN, IPv6's extension headers) is read here; DNS is read by the C library, as libtins follows
/// compression pointers without counting.
namespace netlab::operations {

using pcapng::LinkType;

struct PacketEnd {
    std::string address;  ///< IP address; the MAC address for ARP and for what is not IP
    std::optional<std::uint16_t> port;
    friend bool operator==(const PacketEnd&, const PacketEnd&) = default;
};

struct PacketText {
    PacketEnd source;
    PacketEnd destination;
    /// "ARP" "ICMP" "ICMPv6" "TCP" "UDP" "DNS" "HTTP" "VXLAN" "IGMP" "ESP" "IPv4" "IPv6" "IP" "Ethernet": the
    /// innermost that was understood, but of a tunnel's packet the tunnel.
    std::string protocol;
    /// What tcpdump prints behind "IP a.p > b.p: "; for ARP behind "ARP, ". Printable ASCII, whatever came.
    std::string info;
    friend bool operator==(const PacketText&, const PacketText&) = default;
};

/// Never throws, whatever the bytes. `wire_length` is what the packet had before it was cut for capture. What
/// was cut ends with "[|tcp]", naming the protocol whose bytes are missing; what is no such message has
/// "(invalid)". No state is kept: TCP's sequence numbers are absolute, as with -S.
///
/// Not as tcpdump has it: a VLAN's tag is in front ("vlan 7, p 0, ", as with -e); group records of IGMPv3 and
/// MLDv2 are shown, as with -v; what VXLAN carries stands behind ": ", not on a line of its own; UDP port
/// 8472 is VXLAN (Linux's default), not OTV; the first 32 records of a DNS answer, the first 16 of groups;
/// bytes of DNS names that are no letters as \DDD; ports are in the ends behind IPv6 extension headers too;
/// of an ethertype, IP protocol or TCP option that is not named here the number, and of UDP and TCP data that
/// are not DNS, VXLAN or HTTP (ports 80, 8080, 3128) the length.
[[nodiscard]] PacketText packet_text(std::span<const std::byte> packet, std::uint32_t wire_length,
                                     LinkType link);

/// The whole line: "IP 10.0.0.2.40000 > 10.0.0.3.80: Flags [S], ...", "ARP, Request who-has ...".
[[nodiscard]] std::string packet_line(const PacketText& text);

}  // namespace netlab::operations
