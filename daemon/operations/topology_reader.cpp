#include "daemon/operations/topology_reader.hpp"

#include <new>

namespace netlab::operations {

namespace {

std::map<std::int32_t, std::size_t> numbered(KnownNamespaces& known, std::size_t place,
                                             const std::vector<kernel::Link>& links) {
    std::map<std::int32_t, std::size_t> found;
    for (const auto& link : links) {
        if (!link.peer_nsid || found.contains(*link.peer_nsid)) continue;
        if (const auto there = known.find(place, link.peer_nsid)) found.emplace(*link.peer_nsid, *there);
    }
    return found;
}

/// The links, and what of them is worth keeping besides.
std::vector<kernel::Link> take_links(std::vector<kernel::LinkDetails>&& details,
                                     std::map<std::uint32_t, FrameRules>& rules) {
    std::vector<kernel::Link> links;
    links.reserve(details.size());
    for (auto& one : details) {
        const bool filters = one.bridge && one.bridge->vlan_filtering;
        if (one.bridge_port || filters || !one.mode.empty())
            rules[one.link.index] = {one.bridge_port, filters, std::move(one.mode), std::move(one.isolation)};
        links.push_back(std::move(one.link));
    }
    return links;
}

/// One namespace with a million addresses must not cost the others theirs.
template <class Row>
bool limit(std::vector<Row>& rows) {
    constexpr std::size_t most = 20'000;
    if (rows.size() <= most) return true;
    rows.resize(most);
    rows.shrink_to_fit();
    return false;
}

/// False where it could not be read, or not as a whole.
bool read(KnownNamespaces& known, std::size_t place, NamespaceFacts& facts) try {
    const int socket = known.socket(place)->get();
    auto links = kernel::dump_link_details(socket, false);
    auto addresses = kernel::dump_addresses(socket);
    if (!links || !addresses) return false;
    const bool all_links = limit(links->rows);
    const bool all_addresses = limit(addresses->rows);
    facts.links = take_links(std::move(links->rows), facts.rules);
    facts.numbered = numbered(known, place, facts.links);
    facts.addresses = std::move(addresses->rows);
    return all_links && all_addresses && links->consistent && addresses->consistent;
} catch (const std::bad_alloc&) {
    return false;
}

}  // namespace

ReadTopology read_topology(KnownNamespaces& known, const api::Context& context) {
    std::vector<NamespaceFacts> facts(known.size());
    bool consistent = true;
    for (std::size_t i = 0; i < known.size(); ++i) {
        facts[i].target = target_at(context, i).name;
        if (!known.socket(i) || known.home(i) != i) continue;
        consistent = read(known, i, facts[i]) && consistent;
    }
    return {Topology(std::move(facts)), consistent};
}

}  // namespace netlab::operations
