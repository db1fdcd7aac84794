#pragma once

#include "daemon/operations/explanation.hpp"
#include "daemon/operations/port_explanation.hpp"
#include "daemon/operations/port_judgement.hpp"

/// What becomes of one client's first packet to a published port, on the host. Pure.
namespace netlab::operations {

struct PortTrace {
    std::optional<api::PortCarrier> carrier;
    std::optional<api::PortVerdict> verdict;  ///< where it is decided already
    Explanation why;
};

class HostTrace {
  public:
    /// All are borrowed; `row` says in explanations what is known by then.
    HostTrace(const HostFacts& host, const ContainerFacts& container, const api::PublishedPort& port,
              const api::PortRow& row)
        : host_(host), container_(container), port_(port), row_(row) {}

    /// Where the host's rules and sockets take what is sent to that address of the host.
    [[nodiscard]] PortTrace trace(const IpAddress& to, bool from_outside) const;
    /// Whether what came from outside and was translated is not sent on, or its answer is not: the verdict
    /// then.
    [[nodiscard]] std::optional<PortTrace> stopped(const api::Endpoint& to) const;
    /// The same of what a process of the host's sends to it.
    [[nodiscard]] std::optional<PortTrace> stopped_from_host(const api::Endpoint& to) const;
    /// Whether the host's interface towards it is down.
    [[nodiscard]] std::optional<PortTrace> down(const api::Endpoint& to) const;
    /// Who the container sees as its client: with `translated` somebody outside, unless the host gives him
    /// an address of its own; otherwise the host. nullopt where that is not known.
    [[nodiscard]] std::optional<IpAddress> client_of_container(const api::Endpoint& to,
                                                               bool translated) const;
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

    [[nodiscard]] bool is_containers(const IpAddress& address) const;
    /// Of the family where it has one.
    [[nodiscard]] IpAddress container_address(Family family) const;

  private:
    [[nodiscard]] bool is_tcp() const { return port_.protocol != "udp"; }
    [[nodiscard]] const std::vector<kernel::RuleChain>& chains() const {
        return host_.rules.of(row_.family).chains;
    }
    [[nodiscard]] kernel::PacketFacts packet(const IpAddress& to, bool from_outside) const;
    [[nodiscard]] kernel::PacketFacts answer(const api::Endpoint& to) const;
    [[nodiscard]] std::optional<PortTrace> no_way_back(const RouteBack& route, const IpAddress& client,
                                                       const std::optional<std::string>& interface) const;
    [[nodiscard]] kernel::PacketFacts packet_inside(const api::Endpoint& to, const IpAddress& client) const;
    [[nodiscard]] PortTrace blocked(const kernel::FilterDecision& decision, BlockedPacket kind,
                                    const kernel::PacketFacts& packet) const;
    /// Whether the hook's chains let it pass: nullopt.
    [[nodiscard]] std::optional<PortTrace> stop_at(const std::vector<kernel::RuleChain>& chains,
                                                   std::uint32_t hook, const kernel::PacketFacts& packet,
                                                   BlockedPacket kind) const;
    [[nodiscard]] std::optional<std::string> owner_of(const IpAddress& address) const;
    [[nodiscard]] PortTrace by_socket(const IpAddress& to, std::uint16_t port, bool from_outside) const;

    const HostFacts& host_;
    const ContainerFacts& container_;
    const api::PublishedPort& port_;
    const api::PortRow& row_;
};

/// Without their holders, as judge_listeners() takes them.
[[nodiscard]] std::vector<api::Listener> without_holders(const std::vector<HeldListener>& held);
/// nullptr where it is none of them.
[[nodiscard]] const HeldListener* find_held(const std::vector<HeldListener>& held,
                                            const api::Listener& wanted);

}  // namespace netlab::operations
