#include "daemon/operations/sightings.hpp"

#include <algorithm>
#include <utility>

namespace netlab::operations {

namespace {

using api::Endpoint;
using api::WhyProtocol;

bool is_protocol(const ProbePacket& packet, WhyProtocol protocol) {
    if (protocol == WhyProtocol::icmp) return packet.echo;
    return !packet.echo && packet.tcp == (protocol == WhyProtocol::tcp);
}

bool is_syn(const ProbePacket& packet) {
    return packet.syn && !packet.ack_flag;
}

FlowMark mark_at_home(const Flow& flow, std::span<const SeenPacket> at_home) {
    FlowMark mark;
    for (const auto& one : at_home) {
        const auto& packet = one.packet;
        if (!one.outgoing || !is_protocol(packet, flow.protocol) || packet.source_port != flow.own) continue;
        mark.addresses.insert({packet.source, packet.destination});
        if (flow.protocol == WhyProtocol::tcp && !is_syn(packet)) continue;
        mark.sequence = packet.sequence;
        mark.id = packet.id;
    }
    return mark;
}

bool is_packet(const Flow& flow, const FlowMark& mark, const ProbePacket& packet) {
    switch (flow.protocol) {
        case WhyProtocol::tcp:
            return is_syn(packet) &&
                   (mark.sequence ? packet.sequence == *mark.sequence : packet.source_port == flow.own);
        case WhyProtocol::udp:
            return packet.source_port == flow.own || (mark.id != 0 && packet.id == mark.id);
        case WhyProtocol::icmp:
            return packet.source_port == flow.own;
    }
    return false;
}

bool is_answer(const Flow& flow, const FlowMark& mark, const ProbePacket& packet) {
    if (flow.protocol != WhyProtocol::tcp) return packet.destination_port == flow.own;
    // A reset need not acknowledge the SYN's sequence number alone where rules make it; all of them do.
    return packet.ack_flag && mark.sequence && packet.acknowledged == *mark.sequence + 1 &&
           (packet.syn || packet.rst);
}

std::vector<Sighting> find_marked(const Flow& flow, const FlowMark& mark,
                                  const std::map<std::size_t, std::vector<SeenPacket>>& seen) {
    std::vector<Sighting> out;
    for (const auto& [place, packets] : seen) {
        for (const auto& one : packets) {
            const auto& packet = one.packet;
            if (!is_protocol(packet, flow.protocol)) continue;
            const bool own = is_packet(flow, mark, packet);
            if (!own && !is_answer(flow, mark, packet)) continue;
            Sighting sighting;
            sighting.port = {place, one.interface};
            sighting.outgoing = one.outgoing;
            sighting.answer = !own;
            sighting.reset = !own && packet.rst;
            sighting.other_host = one.other_host;
            sighting.source = {packet.source, packet.source_port};
            sighting.destination = {packet.destination, packet.destination_port};
            out.push_back(sighting);
        }
    }
    return out;
}

/// Each pair once: a flood has few.
std::set<std::pair<IpAddress, IpAddress>> ends_of(std::span<const Sighting> sightings) {
    std::set<std::pair<IpAddress, IpAddress>> out;
    for (const auto& one : sightings)
        out.emplace(one.source.address, one.destination.address);
    return out;
}

}  // namespace

std::vector<Sighting> find_flow(const Flow& flow,
                                const std::map<std::size_t, std::vector<SeenPacket>>& seen) {
    const auto home = seen.find(0);
    return find_marked(flow, home == seen.end() ? FlowMark{} : mark_at_home(flow, home->second), seen);
}

FlowMark mark_of(const Flow& flow, const std::map<std::size_t, std::vector<SeenPacket>>& seen) {
    const auto home = seen.find(0);
    if (home == seen.end()) return {};
    auto mark = mark_at_home(flow, home->second);
    mark.addresses.insert(flow.remote);
    // A translation gives a packet one other address, and leaves it the other.
    const auto ends = ends_of(find_marked(flow, mark, seen));
    for (std::size_t known = 0; known != mark.addresses.size();) {
        known = mark.addresses.size();
        for (const auto& [source, destination] : ends) {
            if (mark.addresses.contains(source) || mark.addresses.contains(destination))
                mark.addresses.insert({source, destination});
        }
    }
    return mark;
}

std::optional<Endpoint> translated_destination(const Flow& flow, std::span<const Sighting> sightings) {
    const Endpoint meant{flow.remote, flow.remote_port};
    for (const auto& one : sightings) {
        if (!one.answer && one.destination != meant) return one.destination;
    }
    return std::nullopt;
}

std::optional<Endpoint> translated_source(std::span<const Sighting> sightings) {
    std::optional<Endpoint> first;
    for (const auto& one : sightings) {
        if (one.answer) continue;
        if (!first) first = one.source;
        if (one.source.address != first->address) return one.source;
    }
    return std::nullopt;
}

}  // namespace netlab::operations
