#pragma once

#include "daemon/operations/known_namespaces.hpp"
#include "daemon/operations/route_verdict.hpp"
#include "daemon/operations/topology.hpp"
#include "daemon/operations/why_facts.hpp"

#include <optional>

/// What the kernels' tables say of a packet's way. Asks the kernels; decides nothing of the verdict.
namespace netlab::operations {

class WhyTables {
  public:
    /// Topology and namespaces are borrowed; `host` is the host's place.
    WhyTables(const Topology& topology, const KnownNamespaces& known, std::optional<std::size_t> host)
        : topology_(topology), known_(known), host_(host) {}

    /// From FROM on. errc as walk().
    [[nodiscard]] Result<Way> way_to(const IpAddress& destination);
    /// What becomes of it where it has been given another destination in the namespace of that place: the way
    /// from there.
    [[nodiscard]] Way went_on(Way first, std::size_t place, const api::Endpoint& destination,
                              const std::string& translation);

    /// Somebody on the ways that were asked for has asked for a link-layer address, in vain.
    [[nodiscard]] std::optional<SilentNeighbour> silent_neighbour() const;
    /// A route of the host's that leads elsewhere than to the bridge behind which a container has
    /// `address`.
    /// `owner`: the target that the engine says to have it.
    [[nodiscard]] std::optional<StrayRoute> stray_route(const IpAddress& address,
                                                        std::string_view owner) const;
    /// FROM's next hop, where it is another's address than the destination.
    [[nodiscard]] std::optional<IpAddress> next_hop(const IpAddress& destination) const;
    /// FROM's route that decides; nullopt where there is none, or its kernel does not tell it.
    [[nodiscard]] std::optional<DecisiveRoute> decisive_route(const IpAddress& destination) const;
    /// The route of that namespace which says that the destination is not to be reached: blackhole,
    /// unreachable, prohibit.
    [[nodiscard]] std::optional<DecisiveRoute> refusing_route(std::size_t place,
                                                              const IpAddress& destination) const;

  private:
    [[nodiscard]] AskKernel ask() const;
    [[nodiscard]] Result<std::vector<PlacedHop>> walk_from(std::size_t place,
                                                           const kernel::RouteQuery& query) const;
    [[nodiscard]] std::optional<Port> bridge_of(const IpAddress& address, std::string_view owner) const;

    const Topology& topology_;
    const KnownNamespaces& known_;
    std::optional<std::size_t> host_;
    std::vector<PlacedHop> hops_;   // of all ways
    std::uint32_t last_input_ = 0;  // by which it came to where the first way ends; 0: it is made there
};

}  // namespace netlab::operations
