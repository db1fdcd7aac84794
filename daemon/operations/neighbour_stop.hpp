#pragma once

#include "common/api/why.hpp"
#include "daemon/operations/explanation.hpp"
#include "daemon/operations/host_rules.hpp"
#include "daemon/operations/topology.hpp"

#include <optional>

/// Rules that keep neighbours from finding each other. IPv6's questions and answers are packets as any other
/// (RFC 4861); ARP's are frames alone, and meet the rules of bridges, interfaces and ARP's own tables. Pure.
namespace netlab::operations {

struct NeighbourStop {
    api::WhyRule rule;
    std::size_t place = 0;       ///< of the namespace whose rule it is
    bool advertisement = false;  ///< it is the answer that it drops
    bool arp = false;            ///< of IPv4
    bool certain = true;         ///< false: it is not understood, and may
    friend bool operator==(const NeighbourStop&, const NeighbourStop&) = default;
};

/// Of the rules of the namespace in that place the first that drops `asking`'s question for that address, or
/// the answer to it, where that namespace is one of the two, or its bridge passes frames from the one to the
/// other; or else the first that may. nullopt: none. `source` is that of the packet for which `asking` asks,
/// where that is known.
[[nodiscard]] std::optional<NeighbourStop> find_neighbour_stop(const FamilyRules& rules,
                                                               const Topology& topology, std::size_t place,
                                                               Port asking, const IpAddress& asked,
                                                               const std::optional<IpAddress>& source);

/// "; a rule of ip6 filter INPUT of host drops the question …", and what lets it pass. `target`: whose rule
/// it is; nullptr: the host's.
[[nodiscard]] Explanation explain_neighbour_stop(const NeighbourStop& stop,
                                                 const api::Target* target = nullptr);

}  // namespace netlab::operations
