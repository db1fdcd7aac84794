#pragma once

#include "daemon/operations/why_ends.hpp"
#include "daemon/operations/why_host.hpp"
#include "daemon/operations/why_tables.hpp"

/// What is around the way of a packet that was not answered, or not sent: neighbours, routes, links, the way
/// back. For `run`.
namespace netlab::operations {

class WhySurroundings {
  public:
    /// All are borrowed; `host` has read its rules.
    WhySurroundings(WhyHandles& handles, const Destination& destination, const Topology& topology,
                    const WhyTables& tables, const WhyHost& host, WhyEnds& ends, WhyFacts& facts)
        : destination_(destination),
          topology_(topology),
          tables_(tables),
          routes_(topology, handles.known, host.place()),
          host_(host),
          ends_(ends),
          facts_(facts) {}

    /// Puts it all into the facts. `packet`: as it is behind whatever translates it.
    void look(const Transport& packet);

  private:
    [[nodiscard]] std::optional<SilentNeighbour> kept_silent() const;
    [[nodiscard]] std::optional<NeighbourStop> stop_of(const SilentNeighbour& silent) const;
    [[nodiscard]] std::optional<LostAnswer> lost_answer(const IpAddress& to) const;
    void look_at_segments(const IpAddress& to);
    void look_at_way_back(const Transport& packet);
    void look_at_mark(const Transport& packet);
    [[nodiscard]] std::optional<std::string> named(const IpAddress& address) const;

    const Destination& destination_;
    const Topology& topology_;
    const WhyTables& tables_;
    DecisiveRoutes routes_;
    const WhyHost& host_;
    WhyEnds& ends_;
    WhyFacts& facts_;
};

/// Whom an engine gives that address.
[[nodiscard]] std::optional<std::string> named_by_engine(const api::Context& context,
                                                         const IpAddress& address);

}  // namespace netlab::operations
