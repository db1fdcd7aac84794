#include "daemon/operations/neighbour_owner.hpp"

#include <algorithm>

namespace netlab::operations {

namespace {

bool has_mac(const Topology& topology, Port port, const MacAddress& mac) {
    const auto* link = topology.link(port);
    return link != nullptr && link->mac == mac;
}

/// The best of several: the one whose MAC address it is, else the first.
Port best(const Topology& topology, const std::vector<Port>& owners, const std::optional<MacAddress>& mac) {
    const auto found =
        std::ranges::find_if(owners, [&](Port owner) { return mac && has_mac(topology, owner, *mac); });
    return found == owners.end() ? owners.front() : *found;
}

}  // namespace

Ownership find_owner(const Topology& topology, Port at, const kernel::Neighbour& neighbour) {
    auto owners = topology.owners(neighbour.address);
    std::erase(owners, at);
    if (owners.empty()) return {};
    std::vector<Port> near;
    std::ranges::copy_if(owners, std::back_inserter(near),
                         [&](Port owner) { return topology.on_one_segment(owner, at); });
    if (!near.empty()) {
        const auto owner = best(topology, near, neighbour.mac);
        if (!neighbour.mac) return {owner, std::nullopt};
        return {owner, std::ranges::any_of(near, [&](Port one) {
                    return topology.has_mac_on_segment(one.place, at, *neighbour.mac);
                })};
    }
    if (!neighbour.mac) return {};
    const auto owner = best(topology, owners, neighbour.mac);
    if (has_mac(topology, owner, *neighbour.mac)) return {owner, true};
    const auto* link = topology.link(at);
    const bool network_card = link == nullptr || link->kind.empty();
    if (topology.has_company(at) || network_card) return {};
    return {owner, false};
}

}  // namespace netlab::operations
