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
    auto links = kernel::dump_links(socket);
    auto addresses = kernel::dump_addresses(socket);
    if (!links || !addresses) return false;
    const bool all_links = limit(links->rows);
    const bool all_addresses = limit(addresses->rows);
    facts.numbered = numbered(known, place, links->rows);
    facts.links = std::move(links->rows);
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
