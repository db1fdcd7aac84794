#include "daemon/operations/probe_packet.hpp"

#include <algorithm>

#include <netinet/in.h>

namespace netlab::operations {

namespace {

using api::Endpoint;
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

Endpoint source_of(const ProbePacket& packet) {
    return {packet.source, packet.source_port};
}

Endpoint destination_of(const ProbePacket& packet) {
    return {packet.destination, packet.destination_port};
}

/// What a request is known by elsewhere.
struct Mark {
    std::uint32_t sequence = 0;
    std::uint16_t id = 0;
};

/// The requests that left, as they were meant or translated by FROM itself.
std::optional<Mark> look_for_requests(ProbeTrace& trace, const ProbeIdentity& identity,
                                      std::span<const SeenPacket> seen) {
    std::optional<Mark> mark;
    bool elsewhere = false;
    for (const auto& one : seen) {
        const auto& packet = one.packet;
        if (!one.outgoing || packet.tcp != identity.tcp) continue;
        constexpr std::uint32_t loopback_index = 1;  // LOOPBACK_IFINDEX in include/net/flow.h
        if (packet.destination == identity.remote && is_request(packet, identity)) {
            ++trace.left;
            elsewhere = elsewhere || one.interface != loopback_index;
            mark = Mark{packet.sequence, packet.id};
        }
    }
    trace.only_by_loopback = trace.left > 0 && !elsewhere;
    if (trace.left > 0 || !identity.local_port) return mark;
    // FROM's own NAT may have given it another source port.
    auto anywhere = identity;
    anywhere.local_port.reset();
    trace.left_under_another_port = std::ranges::any_of(seen, [&](const SeenPacket& one) {
        return one.outgoing && one.packet.destination == identity.remote && is_request(one.packet, anywhere);
    });
    for (const auto& one : seen) {
        const auto& packet = one.packet;
        const bool asks = !packet.tcp || (packet.syn && !packet.ack_flag);
        if (!one.outgoing || packet.tcp != identity.tcp || !asks ||
            packet.source_port != *identity.local_port)
            continue;
        // What came in before is somebody else's, and only forwarded.
        const bool forwarded = std::ranges::any_of(seen, [&](const SeenPacket& other) {
            return !other.outgoing && other.packet.tcp == packet.tcp && other.packet.id == packet.id &&
                   other.packet.sequence == packet.sequence && other.packet.source_port == packet.source_port;
        });
        if (forwarded) continue;
        trace.sent_to = destination_of(packet);
        mark = Mark{packet.sequence, packet.id};
    }
    return mark;
}

void look_for_replies(ProbeTrace& trace, const std::optional<Mark>& mark, const ProbeIdentity& identity,
                      std::span<const SeenPacket> seen) {
    const auto to = trace.sent_to.value_or(Endpoint{identity.remote, identity.remote_port});
    for (const auto& one : seen) {
        const auto& packet = one.packet;
        if (one.outgoing || packet.tcp != identity.tcp) continue;
        if (identity.local_port && packet.destination_port != *identity.local_port) continue;
        if (source_of(packet) != to) {
            const bool answers = identity.tcp
                                     ? mark && packet.ack_flag && packet.acknowledged == mark->sequence + 1
                                     : identity.local_port && packet.destination == identity.local;
            if (answers && !one.other_host) trace.answered_from = source_of(packet);
        } else if (one.other_host) {
            trace.reply_for_other_host = one.interface;
        } else if (packet.rst) {
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

/// Tells FROM's packets and the answers to them from others' in the other end's namespace, whatever has
/// translated them on the way.
class Recognition {
  public:
    Recognition(const std::optional<Mark>& mark, const ProbeIdentity& identity,
                std::span<const SeenPacket> seen)
        : mark_(mark), there_(identity) {
        if (!identity.tcp && mark) there_.local_port = port_there(*mark, identity, seen);
    }

    [[nodiscard]] bool is_request(const ProbePacket& packet) const {
        if (packet.tcp != there_.tcp) return false;
        if (there_.tcp) return packet.syn && !packet.ack_flag && packet.sequence == mark_->sequence;
        // An identification alone is too short to be nobody else's.
        const bool same_source = packet.source_port == there_.local_port;
        return operations::is_request(packet, there_) ||
               (same_source && mark_ && mark_->id != 0 && packet.id == mark_->id);
    }
    [[nodiscard]] bool is_answer(const ProbePacket& packet) const {
        if (there_.tcp) return packet.tcp && packet.ack_flag && packet.acknowledged == mark_->sequence + 1;
        return is_way_back(packet, there_);
    }

  private:
    const std::optional<Mark>& mark_;
    ProbeIdentity there_;
};

/// Of a forwarded packet both the way in and the way out are seen, each perhaps more than once: on a bridge
/// and on its port.
void look_in_peer(ProbeTrace& trace, const Recognition& known, const ProbeIdentity& identity,
                  std::span<const SeenPacket> seen) {
    const Endpoint meant{identity.remote, identity.remote_port};
    bool went_on = false;
    int replied = 0;
    int reset = 0;
    for (const auto& one : seen) {
        const auto& packet = one.packet;
        if (known.is_request(packet)) {
            if (one.other_host) {
                trace.for_other_host = one.interface;
            } else if (one.outgoing) {
                went_on = true;
                if (destination_of(packet) != meant) trace.passed_on_to = destination_of(packet);
            } else {
                ++trace.arrived;
                trace.source = source_of(packet);
                if (std::ranges::find(trace.came_by, one.interface) == trace.came_by.end())
                    trace.came_by.push_back(one.interface);
            }
        } else if (known.is_answer(packet) && !one.other_host) {
            (packet.rst ? reset : replied) += one.outgoing ? 1 : -1;
        }
    }
    if (went_on) trace.arrived = 0;
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

std::optional<ProbePacket> parse_echo_packet(Bytes bytes) {
    if (bytes.empty()) return std::nullopt;
    ProbePacket out;
    const bool v4 = bytes[0] >> 4 == 4;
    const auto protocol = v4                   ? take_ipv4(bytes, out)
                          : bytes[0] >> 4 == 6 ? take_ipv6(bytes, out)
                                               : std::optional<std::uint8_t>();
    constexpr std::size_t header = 8;
    const std::uint8_t icmp = v4 ? std::uint8_t{IPPROTO_ICMP} : std::uint8_t{IPPROTO_ICMPV6};
    if (protocol != icmp || bytes.size() < header) return std::nullopt;
    // RFC 792 and RFC 4443: the types.
    const std::uint8_t request = v4 ? 8 : 128;
    const std::uint8_t reply = v4 ? 0 : 129;
    if (bytes[0] != request && bytes[0] != reply) return std::nullopt;
    out.echo = true;
    (bytes[0] == request ? out.source_port : out.destination_port) = read16(bytes, 4);
    out.sequence = read16(bytes, 6);
    return out;
}

ProbeTrace trace_probe(const ProbeIdentity& identity, std::span<const SeenPacket> from,
                       std::span<const SeenPacket> peer) {
    ProbeTrace trace;
    const auto mark = look_for_requests(trace, identity, from);
    look_for_replies(trace, mark, identity, from);
    // Without the number nothing there can be told from others' packets.
    if (!identity.tcp || mark) look_in_peer(trace, Recognition(mark, identity, peer), identity, peer);
    return trace;
}

}  // namespace netlab::operations
