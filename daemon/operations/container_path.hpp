#pragma once

#include "daemon/kernel/route_query.hpp"
#include "daemon/operations/decisive_route.hpp"
#include "daemon/operations/host_view.hpp"

#include <map>
#include <optional>
#include <tuple>

/// How the host and a container reach each other beneath their rules: links, neighbour entries and routes.
namespace netlab::operations {

/// For `run`: asks the kernels when it is asked.
class ContainerPath {
  public:
    /// `place` is the target's in `context`; all are borrowed.
    ContainerPath(const KnownNamespaces& known, const Topology& topology, const HostView& host,
                  const api::Context& context, std::size_t place)
        : known_(known),
          topology_(topology),
          host_(host),
          context_(context),
          target_(context.targets[place]),
          place_(known.home(place)),
          routes_(topology, known, host.place()) {}

    /// What stands between the host and that address of the container's; nullopt: nothing that is known.
    [[nodiscard]] std::optional<Explanation> broken(const IpAddress& address) const;
    /// Whether rules of the host's or of the container's own keep the two from finding each other by that
    /// address of the container's, as neighbours; nullopt: none does.
    [[nodiscard]] std::optional<Hindrance> undiscovered(const RuleSet& host_rules, const RuleSet& own_rules,
                                                        const IpAddress& address) const;
    /// How the container sends that answer to a client.
    [[nodiscard]] RouteBack back(const kernel::PacketFacts& answer) const;

  private:
    [[nodiscard]] std::optional<Explanation> broken_route(const IpAddress& address) const;
    [[nodiscard]] std::optional<Explanation> lost_subnet(const IpAddress& address, Port bridge) const;
    [[nodiscard]] std::optional<Explanation> broken_link(const IpAddress& address) const;
    [[nodiscard]] std::optional<Explanation> wrong_entry(const IpAddress& address) const;
    struct Question {
        Port asking;
        IpAddress asked;
        IpAddress source;
    };
    [[nodiscard]] std::optional<Hindrance> unanswered(const RuleSet& host_rules, const RuleSet& own_rules,
                                                      const Question& question) const;
    [[nodiscard]] bool has_gateway(std::uint32_t index, const IpAddress& address) const;
    void ask_on_link(const IpAddress& address, const IpAddress& client, Port output, RouteBack& back) const;
    enum class Answers : std::uint8_t { no, unknown, yes };
    [[nodiscard]] Answers somebody_answers(Port output, Family family) const;
    [[nodiscard]] RouteBack find_back(const kernel::PacketFacts& answer) const;
    [[nodiscard]] Explanation explain_policy(const kernel::RouteQuery& query, int error) const;
    void lead_back(const kernel::Route& route, const IpAddress& address, const IpAddress& client,
                   RouteBack& back) const;
    /// As what its namespace is known: the first of those that share it.
    [[nodiscard]] const std::string& owner() const { return topology_[place_].target; }

    const KnownNamespaces& known_;
    const Topology& topology_;
    const HostView& host_;
    const api::Context& context_;
    const api::Target& target_;
    std::size_t place_;
    DecisiveRoutes routes_;
    mutable std::map<IpAddress, std::optional<Explanation>> broken_;
    mutable std::map<IpAddress, std::optional<Hindrance>> undiscovered_;
    /// By source and destination; and by the source's port where policy rules ask for one.
    mutable std::map<std::tuple<IpAddress, IpAddress, std::uint16_t>, RouteBack> back_;
    mutable std::optional<bool> asks_for_ports_;
};

}  // namespace netlab::operations
