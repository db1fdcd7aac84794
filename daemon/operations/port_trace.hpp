#pragma once

#include "daemon/operations/explanation.hpp"
#include "daemon/operations/flow_tracking.hpp"
#include "daemon/operations/port_explanation.hpp"
#include "daemon/operations/port_judgement.hpp"

/// What becomes of one client's packets to a published port, and of their answers. Pure.
namespace netlab::operations {

struct PortTrace {
    std::optional<api::PortCarrier> carrier;
    std::optional<api::PortVerdict> verdict;  ///< where it is decided already
    Explanation why;
    bool marked = false;  ///< a rule has set the packet's mark by then
};

/// What stops packets: the first thing that does for certain, or else the first that may.
class Stops {
  public:
    void add(std::optional<PortTrace> stop);
    [[nodiscard]] bool certain() const;
    [[nodiscard]] std::optional<PortTrace> first() const { return first_; }

  private:
    std::optional<PortTrace> first_;
};

/// What a rule that is not understood makes of it; `whose`: "" of the host's.
[[nodiscard]] PortTrace doubt(const kernel::RuleChain* chain, const kernel::PacketRule* rule,
                              const std::string& whose = {});
/// A rule keeps conntrack from seeing a packet that would have to be translated, or, not `surely`, may.
[[nodiscard]] PortTrace explain_untracked(const kernel::RuleChain& chain, const kernel::PacketRule& rule,
                                          bool surely);

class HostTrace {
  public:
    /// All are borrowed; `row` says in explanations what is known by then.
    HostTrace(const HostFacts& host, const ContainerFacts& container, const api::PublishedPort& port,
              const api::PortRow& row, const Client& client)
        : host_(host), container_(container), port_(port), row_(row), client_(client) {}

    /// Where the host's rules and sockets take what is sent to that address of the host.
    [[nodiscard]] PortTrace trace(const IpAddress& to, bool from_outside) const;
    /// The same by the rules alone; nullopt: it stays there, and is for who has the port.
    [[nodiscard]] std::optional<PortTrace> by_rules(const IpAddress& to, bool from_outside) const;
    /// Whether what stays there does not come to its socket, or the answer not to the client.
    [[nodiscard]] std::optional<PortTrace> stopped_at_socket(const api::Endpoint& to,
                                                             bool from_outside) const;
    /// Whether what came from outside and was translated is not sent on, or its answer is not: the verdict
    /// then. `marked`: PortTrace's.
    [[nodiscard]] std::optional<PortTrace> stopped(const api::Endpoint& to, bool marked) const;
    /// The same of what a process of the host's sends to it.
    [[nodiscard]] std::optional<PortTrace> stopped_from_host(const api::Endpoint& to) const;
    /// The rule that keeps what comes from outside from conntrack, and so from being translated.
    [[nodiscard]] std::optional<api::NatRule> untracked_by() const;
    /// Whether the host's interface towards it is down.
    [[nodiscard]] std::optional<PortTrace> down(const api::Endpoint& to) const;
    /// Who the container sees as its client: with `translated` somebody outside, unless the host gives him
    /// an address of its own; otherwise the host. nullopt where that is not known.
    [[nodiscard]] std::optional<IpAddress> client_of_container(const api::Endpoint& to, bool translated,
                                                               bool marked) const;
    /// Where the container's own rules send what comes to `to` from that client.
    struct Inside {
        api::Endpoint to;
        std::optional<api::NatRule> rule;  ///< that has translated it
        std::optional<PortTrace> stop;     ///< it does not stay there
    };
    [[nodiscard]] Inside translated_inside(const api::Endpoint& to, const IpAddress& client) const;
    /// Whether the container's own rules or routes stop what comes from that client, or its answer. `inside`:
    /// as it is translated there; `back`: its route to the client, where that is known.
    [[nodiscard]] std::optional<PortTrace> stopped_inside(const api::Endpoint& to,
                                                          const api::Endpoint& inside,
                                                          const IpAddress& client,
                                                          const std::optional<RouteBack>& back) const;

    /// Its answer from there, before rules or routes have a word.
    [[nodiscard]] kernel::PacketFacts answer_inside(const api::Endpoint& inside,
                                                    const IpAddress& client) const;

    [[nodiscard]] bool is_containers(const IpAddress& address) const;
    [[nodiscard]] bool leads_here(const api::PortCarrier& carrier) const;
    /// Of the family where it has one.
    [[nodiscard]] IpAddress container_address(Family family) const;

  private:
    /// `stops` says what stops them by their tracking: whether that is why.
    template <class StopsBy>
    [[nodiscard]] static std::optional<PortTrace> with_cause(const Tracked& tracked, StopsBy stops);
    /// Of what a socket of the host's takes from outside.
    [[nodiscard]] Tracked tracked_at_socket(const api::Endpoint& to) const;
    /// Of a packet from outside that was translated, and its answer: a zone that only one of them has.
    [[nodiscard]] std::optional<PortTrace> zoned_apart(const kernel::PacketFacts& back) const;
    /// As a client outside sends to it; absent where the host has none there.
    [[nodiscard]] std::optional<IpAddress> address_outside() const;

    [[nodiscard]] bool is_tcp() const { return port_.protocol != "udp"; }
    [[nodiscard]] const FamilyRules& rules() const { return host_.rules.of(row_.family); }
    [[nodiscard]] PacketRole role(BlockedPacket kind, bool later = false) const {
        return {kind, later, client_.network.has_value()};
    }
    [[nodiscard]] kernel::PacketFacts packet(const IpAddress& to, bool from_outside) const;
    [[nodiscard]] kernel::PacketFacts translated(const api::Endpoint& to) const;
    [[nodiscard]] kernel::PacketFacts answer(const api::Endpoint& to) const;
    /// Not the first of its direction.
    [[nodiscard]] kernel::PacketFacts later(kernel::PacketFacts packet) const;
    [[nodiscard]] std::optional<PortTrace> no_way_back(const RouteBack& route, const IpAddress& client,
                                                       const std::optional<std::string>& interface) const;
    [[nodiscard]] kernel::PacketFacts packet_inside(const api::Endpoint& to, const IpAddress& client) const;
    [[nodiscard]] PortTrace blocked(const kernel::FilterDecision& decision, const PacketRole& role,
                                    const kernel::PacketFacts& packet) const;
    [[nodiscard]] std::optional<PortTrace> stop_of(const kernel::FilterDecision& decision,
                                                   const PacketRole& role,
                                                   const kernel::PacketFacts& packet) const;
    /// Whether the hook's chains let it pass: nullopt. What they do to it besides is in the packet then.
    [[nodiscard]] std::optional<PortTrace> stop_at(const FamilyRules& rules, std::uint32_t hook,
                                                   kernel::PacketFacts& packet, const PacketRole& role,
                                                   kernel::HookPart part = kernel::HookPart::whole) const;
    /// The same where frames meet rules.
    [[nodiscard]] std::optional<PortTrace> stop_at(const FamilyRules& rules, const kernel::FramePoint& point,
                                                   const kernel::PacketFacts& packet,
                                                   const PacketRole& role) const;
    /// And where they pass the bridge towards the container, or come from there.
    void pass_bridge(const FamilyRules& rules, const HostWay& way, const kernel::PacketFacts& packet,
                     const PacketRole& role, Stops& stops) const;
    /// Whether the host's routes do not lead it out by `output`, or, where that is "", to the host itself.
    [[nodiscard]] std::optional<PortTrace> stop_by_route(const kernel::PacketFacts& packet,
                                                         const std::string& output,
                                                         const PacketRole& role) const;
    [[nodiscard]] std::optional<PortTrace> not_forwarded(const HostWay& way) const;
    void forward(const api::Endpoint& to, const HostWay& way, bool marked, bool is_later, Stops& stops) const;
    void forward_answer(const api::Endpoint& to, const HostWay& way, bool is_later, Stops& stops) const;
    /// Whether a chain of NAT's drops it, or sends on what a process of the host's sends to the container.
    [[nodiscard]] std::optional<PortTrace> stop_by_nat(const FamilyRules& rules, std::uint32_t hook,
                                                       const kernel::PacketFacts& packet,
                                                       const PacketRole& role) const;
    void by_loopback(kernel::PacketFacts facts, const PacketRole& role, Stops& stops) const;
    void reach_socket(const api::Endpoint& to, bool from_outside, Tracking tracking, bool is_later,
                      Stops& stops) const;
    void answer_from_socket(const api::Endpoint& to, bool from_outside, Tracking tracking, bool is_later,
                            Stops& stops) const;
    /// What a process of the host's sends to the container, which must have an address there, and the answer.
    void from_host(const api::Endpoint& to, const HostWay& way, Tracking tracking, bool is_later,
                   Stops& stops) const;
    [[nodiscard]] kernel::PacketFacts first_from_host(const api::Endpoint& to, const HostWay& way) const;
    [[nodiscard]] kernel::PacketFacts first_back_to_host(const api::Endpoint& to, const HostWay& way) const;
    [[nodiscard]] std::optional<std::string> owner_of(const IpAddress& address) const;
    [[nodiscard]] PortTrace by_socket(const IpAddress& to, std::uint16_t port, bool from_outside) const;
    [[nodiscard]] std::optional<PortTrace> by_redirect(const kernel::NatDecision& nat, const IpAddress& to,
                                                       bool from_outside) const;

    const HostFacts& host_;
    const ContainerFacts& container_;
    const api::PublishedPort& port_;
    const api::PortRow& row_;
    const Client& client_;
};

template <class StopsBy>
std::optional<PortTrace> HostTrace::with_cause(const Tracked& tracked, StopsBy stops) {
    auto stop = stops(tracked.tracking);
    if (!stop || !tracked.by || stops(Tracking::one_flow)) return stop;
    stop->why.explanation +=
        "; it is of no flow for the rules because of " + place_of(*tracked.by) + ": " + tracked.by->text;
    stop->why.suggestion = removal_of(*tracked.by);
    return stop;
}

/// Without their holders, as judge_listeners() takes them.
[[nodiscard]] std::vector<api::Listener> without_holders(const std::vector<HeldListener>& held);
/// nullptr where it is none of them.
[[nodiscard]] const HeldListener* find_held(const std::vector<HeldListener>& held,
                                            const api::Listener& wanted);

}  // namespace netlab::operations
