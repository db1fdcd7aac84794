#pragma once

#include "common/api/connect.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

/// The packets of a probe as they pass a namespace's interfaces, and what can be read off them: bytes in,
/// structs out.
namespace netlab::operations {

/// The headers of one TCP segment or UDP datagram.
struct ProbePacket {
    IpAddress source;
    IpAddress destination;
    std::uint16_t source_port = 0;
    std::uint16_t destination_port = 0;
    std::uint8_t ttl = 0;  ///< or hop limit
    std::uint16_t id = 0;  ///< IPv4's identification
    bool tcp = false;
    bool echo = false;  ///< ICMP's: its identifier is the request's source port and the reply's destination
                        ///< port, the other one 0
    // Of TCP (`sequence` of an echo, too):
    bool syn = false;
    bool ack_flag = false;
    bool rst = false;
    std::uint32_t sequence = 0;
    std::uint32_t acknowledged = 0;  ///< the next byte that is expected of the other side
    friend bool operator==(const ProbePacket&, const ProbePacket&) = default;
};

/// From the IP header on. Nothing where it is something else, a later fragment, cut short, or an IPv6 packet
/// with extension headers.
[[nodiscard]] std::optional<ProbePacket> parse_probe_packet(std::span<const std::uint8_t> bytes);

/// The same of an ICMP echo's request or reply.
[[nodiscard]] std::optional<ProbePacket> parse_echo_packet(std::span<const std::uint8_t> bytes);

/// One that was seen on an interface.
struct SeenPacket {
    ProbePacket packet;
    bool outgoing = false;
    bool other_host = false;  ///< it came in for another MAC address than that interface's
    std::uint32_t interface = 0;
    std::optional<MacAddress> mac;  ///< who sent it on the link
    friend bool operator==(const SeenPacket&, const SeenPacket&) = default;
};

/// What one attempt is known by.
struct ProbeIdentity {
    IpAddress remote;
    std::uint16_t remote_port = 0;
    std::optional<std::uint16_t> local_port;
    bool tcp = true;
    std::optional<IpAddress> local = {};
};

/// Whether something can have been missed in a namespace.
struct SeenAll {
    bool own = false;    ///< nothing of what has the probe's address and port
    bool every = false;  ///< nor of the rest, where a translated packet is looked for
};

/// What was seen of one attempt in FROM's namespace and in the other end's. A forwarding namespace sees each
/// packet come and go: only what begins or ends there counts.
struct ProbeTrace {
    SeenAll from_watched;
    unsigned left = 0;  ///< SYNs or datagrams that left FROM for the remote address and port
    bool left_under_another_port =
        false;                      ///< one left that is either FROM's, translated, or another program's
    bool only_by_loopback = false;  ///< those left by lo, and by nothing else
    std::optional<api::Endpoint> sent_to;  ///< they left FROM for another destination: it translates them
    bool reply_came = false;               ///< SYN-ACK or datagram that came to FROM
    std::optional<SeenPacket> reset;       ///< that came to FROM
    std::optional<api::Endpoint> answered_from;  ///< an answer came to FROM's port, from elsewhere
    /// The interface that a reply came in by which was for another MAC address. On the port of a bridge that
    /// is nothing strange.
    std::optional<std::uint32_t> reply_for_other_host;
    SeenAll peer_watched;
    unsigned arrived = 0;                         ///< SYNs or datagrams that came there, and did not go on
    std::optional<api::Endpoint> source;          ///< that the last of them had
    std::vector<std::uint32_t> came_by;           ///< indices of the interfaces there that they came in by
    std::optional<std::uint32_t> for_other_host;  ///< as reply_for_other_host, of one that passed there
    std::optional<api::Endpoint> passed_on_to;    ///< it went on there under another destination
    bool peer_replied = false;                    ///< a SYN-ACK or datagram left there
    bool peer_reset = false;                      ///< a reset left there
};

/// Looks through what was seen. The peer's packets are known by what an address translation keeps: the TCP
/// sequence number or, of UDP, IPv4's identification where FROM's port has been changed.
[[nodiscard]] ProbeTrace trace_probe(const ProbeIdentity& identity, std::span<const SeenPacket> from,
                                     std::span<const SeenPacket> peer);

}  // namespace netlab::operations
