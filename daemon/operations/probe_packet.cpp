#include "daemon/operations/probe_packet.hpp"

#include <algorithm>

#include <netinet/in.h>

namespace netlab::operations {

namespace {

using Bytes = std::span<const std::uint8_t>;

std::uint16_t read16(Bytes bytes, std::size_t at) {
    return static_cast<std::uint16_t>(bytes[at] << 8 | bytes[at + 1]);
}

std::uint32_t read32(Bytes bytes, std::size_t at) {
    return std::uint32_t{read16(bytes, at)} << 16 | read16(bytes, at + 2);
}

/// Takes the IP header off; the protocol's number, nothing where the packet is not to be understood.
std::optional<std::uint8_t> take_ipv4(Bytes& bytes, ProbePacket& out) {
    constexpr std::size_t shortest = 20;
    if (bytes.size() < shortest) return std::nullopt;
    const auto length = static_cast<std::size_t>(bytes[0] & 0x0F) * 4;
    constexpr unsigned offset_bits = 0x1FFF;
    if (length < shortest || length > bytes.size() || (read16(bytes, 6) & offset_bits) != 0)
        return std::nullopt;
    out.id = read16(bytes, 4);
    out.ttl = bytes[8];
    out.source = IpAddress::from_bytes(bytes.subspan(12, 4));
    out.destination = IpAddress::from_bytes(bytes.subspan(16, 4));
    const auto protocol = bytes[9];
    bytes = bytes.subspan(length);
    return protocol;
}

std::optional<std::uint8_t> take_ipv6(Bytes& bytes, ProbePacket& out) {
    constexpr std::size_t length = 40;
    if (bytes.size() < length) return std::nullopt;
    out.ttl = bytes[7];
    out.source = IpAddress::from_bytes(bytes.subspan(8, 16));
    out.destination = IpAddress::from_bytes(bytes.subspan(24, 16));
    const auto protocol = bytes[6];
    bytes = bytes.subspan(length);
    return protocol;
}

bool is_request(const ProbePacket& packet, const ProbeIdentity& identity) {
    if (packet.tcp != identity.tcp || packet.destination_port != identity.remote_port) return false;
    if (identity.tcp && (!packet.syn || packet.ack_flag)) return false;
    return !identity.local_port || packet.source_port == *identity.local_port;
}

bool is_way_back(const ProbePacket& packet, const ProbeIdentity& identity) {
    return packet.tcp == identity.tcp && packet.source_port == identity.remote_port &&
           (!identity.local_port || packet.destination_port == *identity.local_port);
}

/// What a request is known by elsewhere.
struct Mark {
    std::uint32_t sequence = 0;
    std::uint16_t id = 0;
};

void look_in_from(ProbeTrace& trace, std::optional<Mark>& mark, const ProbeIdentity& identity,
                  std::span<const SeenPacket> seen) {
    for (const auto& one : seen) {
        const auto& packet = one.packet;
        if (one.outgoing && packet.destination == identity.remote && is_request(packet, identity)) {
            ++trace.left;
            mark = Mark{packet.sequence, packet.id};
        }
        if (one.outgoing || packet.source != identity.remote || !is_way_back(packet, identity)) continue;
        if (packet.rst) {
            trace.reset = one;
        } else {
            trace.reply_came = true;
        }
    }
}

/// The port that FROM's datagram came there from: its own, unless an address translation has given it
/// another.
std::optional<std::uint16_t> port_there(const Mark& mark, const ProbeIdentity& identity,
                                        std::span<const SeenPacket> seen) {
    if (std::ranges::any_of(seen, [&](const SeenPacket& one) { return is_request(one.packet, identity); }))
        return identity.local_port;
    auto anywhere = identity;
    anywhere.local_port.reset();
    const auto found = std::ranges::find_if(seen, [&](const SeenPacket& one) {
        // 0 is what is never fragmented (RFC 6864), and IPv6.
        return mark.id != 0 && one.packet.id == mark.id && is_request(one.packet, anywhere);
    });
    return found == seen.end() ? identity.local_port : std::optional(found->packet.source_port);
}

/// Of a forwarded packet both the way in and the way out are seen.
void look_in_peer(ProbeTrace& trace, const std::optional<Mark>& mark, const ProbeIdentity& identity,
                  std::span<const SeenPacket> seen) {
    int arrived = 0;
    int replied = 0;
    int reset = 0;
    auto there = identity;
    // A SYN is known by its sequence number, whatever ports it has been given on the way.
    if (identity.tcp) there.local_port.reset();
    if (!identity.tcp && mark) there.local_port = port_there(*mark, identity, seen);
    for (const auto& one : seen) {
        const auto& packet = one.packet;
        if (is_request(packet, there) && (!identity.tcp || packet.sequence == mark->sequence)) {
            arrived += one.outgoing ? -1 : 1;
            auto& known = trace.came_by;
            if (!one.outgoing && std::ranges::find(known, one.interface) == known.end())
                known.push_back(one.interface);
        }
        const bool answers = !identity.tcp || packet.acknowledged == mark->sequence + 1;
        if (!is_way_back(packet, there) || !answers) continue;
        (packet.rst ? reset : replied) += one.outgoing ? 1 : -1;
    }
    trace.arrived = static_cast<unsigned>(std::max(arrived, 0));
    trace.peer_replied = replied > 0;
    trace.peer_reset = reset > 0;
}

}  // namespace

std::optional<ProbePacket> parse_probe_packet(Bytes bytes) {
    if (bytes.empty()) return std::nullopt;
    ProbePacket out;
    const auto version = bytes[0] >> 4;
    const auto protocol = version == 4   ? take_ipv4(bytes, out)
                          : version == 6 ? take_ipv6(bytes, out)
                                         : std::optional<std::uint8_t>();
    constexpr std::size_t udp_header = 8;
    constexpr std::size_t tcp_header = 20;
    if (!protocol || (*protocol != IPPROTO_TCP && *protocol != IPPROTO_UDP)) return std::nullopt;
    out.tcp = *protocol == IPPROTO_TCP;
    if (bytes.size() < (out.tcp ? tcp_header : udp_header)) return std::nullopt;
    out.source_port = read16(bytes, 0);
    out.destination_port = read16(bytes, 2);
    if (!out.tcp) return out;
    out.sequence = read32(bytes, 4);
    out.acknowledged = read32(bytes, 8);
    const auto flags = bytes[13];
    constexpr unsigned syn = 0x02;
    constexpr unsigned rst = 0x04;
    constexpr unsigned ack = 0x10;
    out.syn = (flags & syn) != 0;
    out.rst = (flags & rst) != 0;
    out.ack_flag = (flags & ack) != 0;
    return out;
}

ProbeTrace trace_probe(const ProbeIdentity& identity, std::span<const SeenPacket> from,
                       std::span<const SeenPacket> peer) {
    ProbeTrace trace;
    std::optional<Mark> mark;
    look_in_from(trace, mark, identity, from);
    // Without the number nothing there can be told from others' packets.
    if (!identity.tcp || mark) look_in_peer(trace, mark, identity, peer);
    return trace;
}

}  // namespace netlab::operations
