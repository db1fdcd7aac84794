#pragma once

#include "common/api/connect.hpp"
#include "daemon/operations/flow_view.hpp"
#include "daemon/operations/topology.hpp"

#include <map>
#include <optional>
#include <set>
#include <span>
#include <vector>

/// Where a flow's packet and its answer were seen. Pure.
namespace netlab::operations {

struct Sighting {
    Port port;
    bool outgoing = false;    ///< out of that namespace
    bool answer = false;      ///< the packet that came back
    bool reset = false;       ///< of an answer: TCP's refusal
    bool other_host = false;  ///< it came in for another MAC address
    api::Endpoint source;
    api::Endpoint destination;
    friend bool operator==(const Sighting&, const Sighting&) = default;
};

/// What a flow's packets are told from others' by that have the same port or identifier.
struct FlowMark {
    std::optional<std::uint32_t> sequence;  ///< of TCP's SYN: no address translation changes it
    std::uint16_t id = 0;  ///< IPv4's identification; 0 is what is never fragmented (RFC 6864), and IPv6
    /// The flow's own, and those that a translation has put beside one of them; empty where FROM was not
    /// watched.
    std::set<IpAddress> addresses;
};
/// From what was seen by place; FROM's is place 0.
[[nodiscard]] FlowMark mark_of(const Flow& flow, const std::map<std::size_t, std::vector<SeenPacket>>& seen);

/// What the packet sockets of several namespaces have seen, by place; FROM's is place 0. Of TCP a packet is
/// known by its sequence number; else by the flow's own port or identifier and, of UDP, by IPv4's
/// identification.
[[nodiscard]] std::vector<Sighting> find_flow(const Flow& flow,
                                              const std::map<std::size_t, std::vector<SeenPacket>>& seen);

/// The last destination that the packet had on the way, where that is not the flow's; the last source, where
/// that is not what it left with.
[[nodiscard]] std::optional<api::Endpoint> translated_destination(const Flow& flow,
                                                                  std::span<const Sighting> sightings);
[[nodiscard]] std::optional<api::Endpoint> translated_source(std::span<const Sighting> sightings);

}  // namespace netlab::operations
