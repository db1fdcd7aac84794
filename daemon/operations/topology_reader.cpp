#include "daemon/operations/topology_reader.hpp"

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

}  // namespace

ReadTopology read_topology(KnownNamespaces& known, const api::Context& context) {
    std::vector<NamespaceFacts> facts(known.size());
    bool consistent = true;
    for (std::size_t i = 0; i < known.size(); ++i) {
        facts[i].target = target_at(context, i).name;
        if (!known.socket(i) || known.home(i) != i) continue;
        const int socket = known.socket(i)->get();
        auto links = kernel::dump_links(socket);
        auto addresses = kernel::dump_addresses(socket);
        if (!links || !addresses) {
            consistent = false;
            continue;
        }
        consistent = consistent && links->consistent && addresses->consistent;
        facts[i].numbered = numbered(known, i, links->rows);
        facts[i].links = std::move(links->rows);
        facts[i].addresses = std::move(addresses->rows);
    }
    return {Topology(std::move(facts)), consistent};
}

}  // namespace netlab::operations
