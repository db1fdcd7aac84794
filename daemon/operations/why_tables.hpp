#pragma once

#include "daemon/operations/known_namespaces.hpp"
#include "daemon/operations/route_verdict.hpp"
#include "daemon/operations/topology.hpp"
#include "daemon/operations/transport.hpp"
#include "daemon/operations/why_facts.hpp"
#include "daemon/operations/why_publisher.hpp"

#include <optional>

/// What the kernels' tables say of a packet's way. Asks the kernels; decides nothing of the verdict.
namespace netlab::operations {

class WhyTables {
  public:
    /// Both are borrowed.
    WhyTables(const Topology& topology, const KnownNamespaces& known) : topology_(topology), known_(known) {}

    /// What there is to say of the packet to the kernels that are asked from now on.
    void follow(const Transport& packet) { packet_ = packet; }

    /// From FROM on. `connected`: by connect(2), whose kernel asks its rules once more when it has chosen the
    /// source (ip_route_connect() in include/net/route.h). errc as walk().
    [[nodiscard]] Result<Way> way_to(const IpAddress& destination, bool connected);
    /// What becomes of it where it has been given another destination in the namespace of that place: the way
    /// from there.
    [[nodiscard]] Way went_on(Way first, std::size_t place, const api::Endpoint& destination,
                              const std::string& translation);

    /// Where the last way ends in a namespace that does not send it on: the setting that says so, as
    /// sysctl(8) names it.
    [[nodiscard]] std::optional<std::string> shut_setting() const;

    /// Where the last way is lost: the route or rule that says so. `source`: absent where FROM could not
    /// send.
    [[nodiscard]] std::optional<RouteRefusal> refusal(const IpAddress& destination,
                                                      const std::optional<IpAddress>& source) const;

    /// A policy rule of that namespace for which it is the packet's mark that counts, as ip(8) lists it; ""
    /// where there is none. `input`: the interface that it comes in by, "" where it is made there.
    [[nodiscard]] std::string rule_by_mark(std::size_t place, const kernel::RouteQuery& query,
                                           const std::string& input) const;

    /// Somebody on the ways that were asked for has asked for a link-layer address, in vain.
    [[nodiscard]] std::optional<SilentNeighbour> silent_neighbour() const;
    /// Whose link-layer address somebody on those ways has to ask for first.
    [[nodiscard]] std::vector<SilentNeighbour> unasked_neighbours() const;
    /// Who on those ways sends to another MAC address than that of its next hop.
    [[nodiscard]] std::optional<WrongNeighbour> wrong_neighbour() const { return wrong_neighbour(hops_); }
    /// The same on the way from that place to `source`.
    [[nodiscard]] std::optional<WrongNeighbour> wrong_neighbour_back(std::size_t place,
                                                                     const IpAddress& source) const;
    /// Whether the namespace of that place cannot send from `own` to `source`.
    [[nodiscard]] std::optional<NoWayBack> no_way_back(std::size_t place, const IpAddress& own,
                                                       const IpAddress& source) const;
    /// Where an answer sets out.
    struct AnswerStart {
        std::size_t place = 0;
        std::string input;  ///< interface that it comes in by; "": it is made there
        IpAddress own;      ///< its source
        IpAddress to;       ///< FROM's address, or what a translation has made of it
    };
    /// Whether it does not come to FROM's `source`. nullopt, too, where its first namespace cannot send it.
    [[nodiscard]] std::optional<LostAnswer> lost_answer(const AnswerStart& start,
                                                        const IpAddress& source) const;
    /// The interface by which the namespace of that place sends its answer from `own`; nullopt where that is
    /// not known.
    [[nodiscard]] std::optional<std::string> output_of_answer(std::size_t place, const IpAddress& own,
                                                              const IpAddress& to) const;
    /// How the namespace of that place sends its own packets to it; nullopt where it has no way, or it is not
    /// known.
    [[nodiscard]] std::optional<ProxyRoute> host_route(std::size_t place, const IpAddress& to,
                                                       const Transport& packet) const;
    /// FROM's next hop, where it is another's address than the destination.
    [[nodiscard]] std::optional<IpAddress> next_hop(const IpAddress& destination) const;

  private:
    /// Where a hop sends to, and what of.
    struct Sending {
        const PlacedHop* hop;
        Port output;
    };
    [[nodiscard]] std::vector<Sending> sendings(const std::vector<PlacedHop>& hops) const;
    [[nodiscard]] std::optional<WrongNeighbour> wrong_neighbour(const std::vector<PlacedHop>& hops) const;
    [[nodiscard]] std::optional<std::string> shut_setting(const PlacedHop& last, Family family) const;
    [[nodiscard]] std::optional<SilentNeighbour> silent_neighbour(const std::vector<PlacedHop>& hops) const;
    /// Of that namespace; 0: it has none of that name.
    [[nodiscard]] std::uint32_t index_of(std::size_t place, const std::optional<std::string>& name) const;
    /// Of the packet, or of its answer: to `destination`.
    [[nodiscard]] static kernel::RouteQuery query_of(const Transport& packet, const IpAddress& destination);
    /// "eth1 (by the policy rule 5: from all lookup 100)": where it is sent on `by` that interface, or else
    /// by the last namespace that does so.
    [[nodiscard]] std::string led(const std::vector<PlacedHop>& hops, kernel::RouteQuery query,
                                  std::optional<Port> by) const;
    [[nodiscard]] AskKernel ask() const;
    [[nodiscard]] Result<std::vector<PlacedHop>> walk_from(std::size_t place,
                                                           const kernel::RouteQuery& query) const;

    const Topology& topology_;
    const KnownNamespaces& known_;
    Transport packet_;
    std::vector<PlacedHop> hops_;      // of the way as it is behind what translates the packet
    PlacedHop first_;                  // FROM's, to the destination that the packet has there
    std::optional<IpAddress> chosen_;  // FROM's source, where its kernel refuses that one
    std::uint32_t last_input_ = 0;     // by which it came to where the first way ends; 0: it is made there
};

}  // namespace netlab::operations
