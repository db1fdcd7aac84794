#include "daemon/operations/segment_owners.hpp"

#include "daemon/operations/network_facts.hpp"

#include <algorithm>

namespace netlab::operations {

std::vector<Port> owners_on_segment(const Topology& topology, Port out, const IpAddress& address) {
    auto owners = topology.owners(address);
    std::erase_if(
        owners, [&](Port owner) { return owner.place == out.place || !topology.on_one_segment(owner, out); });
    return owners;
}

std::vector<Port> answering_for(const Topology& topology, Port out, const IpAddress& address) {
    std::vector<Port> found;
    for (const auto owner : topology.owners(address)) {
        if (owner.place == out.place) continue;
        const auto there = topology.on_segment(owner.place, out);
        found.insert(found.end(), there.begin(), there.end());
    }
    return found;
}

std::string elsewhere(const Topology& topology, Port out, const IpAddress& address) {
    auto owners = topology.owners(address);
    std::erase_if(owners, [&](Port owner) { return owner.place == out.place; });
    constexpr std::size_t most = 3;
    if (owners.empty()) return {};
    if (owners.size() > most) owners.resize(most);
    return " (" + names_of(topology, owners) + (owners.size() == 1 ? " has" : " have") + " it, elsewhere)";
}

std::string names_of(const Topology& topology, const std::vector<Port>& ports) {
    std::vector<std::string> names;
    for (const auto port : ports)
        names.push_back(topology.full_name(port));
    return list_and(names);
}

}  // namespace netlab::operations
