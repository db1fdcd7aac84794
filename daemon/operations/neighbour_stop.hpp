#pragma once

#include "common/api/why.hpp"
#include "daemon/operations/explanation.hpp"
#include "daemon/operations/host_rules.hpp"
#include "daemon/operations/topology.hpp"

#include <optional>

/// Rules that keep IPv6's neighbours from finding each other (RFC 4861), which are packets as any other; ARP
/// is none, and meets no rules of IP's. Pure.
namespace netlab::operations {

struct NeighbourStop {
    api::WhyRule rule;
    bool advertisement = false;  ///< it is the answer that it drops
    friend bool operator==(const NeighbourStop&, const NeighbourStop&) = default;
};

/// Of the host's IPv6 rules the first that drops `asking`'s question for that address, or the answer to it,
/// where the host is one of the two; nullopt where none does for certain. `source` is that of the packet for
/// which it asks, where that is known.
[[nodiscard]] std::optional<NeighbourStop> find_neighbour_stop(const FamilyRules& rules,
                                                               const Topology& topology, std::size_t host,
                                                               Port asking, const IpAddress& asked,
                                                               const std::optional<IpAddress>& source);

/// "; a rule of ip6 filter INPUT of host drops the question …", and what lets it pass.
[[nodiscard]] Explanation explain_neighbour_stop(const NeighbourStop& stop);

}  // namespace netlab::operations
