#include "common/api/neighbours.hpp"

#include "daemon/kernel/route_names.hpp"
#include "daemon/operations/inspection.hpp"
#include "daemon/operations/interface_names.hpp"
#include "daemon/operations/neighbour_owner.hpp"
#include "daemon/operations/topology_reader.hpp"

#include <linux/neighbour.h>
#include <unistd.h>

/// `netlab neigh`: RTM_GETNEIGH of each target, held against the addresses of all that are known.
namespace netlab::operations::neighbours {

namespace {

Result<KnownNamespaces> prepare(Namespaces& namespaces, const api::NeighboursRequest&,
                                const api::Context& context) {
    return KnownNamespaces(namespaces, context);
}

std::optional<std::uint32_t> seconds(std::optional<std::uint32_t> ticks) {
    static const auto per_second = static_cast<std::uint32_t>(::sysconf(_SC_CLK_TCK));
    return ticks ? std::optional(*ticks / per_second) : std::nullopt;
}

api::NeighbourRow row_of(const std::string& target, const kernel::Neighbour& neighbour,
                         const InterfaceNames& names) {
    api::NeighbourRow row;
    row.target = target;
    row.family = neighbour.address.family();
    row.address = neighbour.address;
    row.interface = names[neighbour.index];
    row.index = neighbour.index;
    row.mac = neighbour.mac;
    row.state = kernel::neighbour_state_name(neighbour.state);
    row.flags = kernel::neighbour_flag_names(neighbour.flags);
    if (neighbour.protocol != 0) row.protocol = kernel::protocol_name(neighbour.protocol);
    row.confirmed_seconds = seconds(neighbour.confirmed);
    row.used_seconds = seconds(neighbour.used);
    row.updated_seconds = seconds(neighbour.updated);
    row.probes = neighbour.probes;
    return row;
}

/// Entries that the kernel makes for what needs no resolution, and proxies, are nobody's MAC address.
bool is_resolved_by_asking(const kernel::Neighbour& neighbour) {
    return (neighbour.state & NUD_NOARP) == 0 && (neighbour.flags & NTF_PROXY) == 0;
}

void set_owner(const Topology& topology, const Ownership& ownership, api::NeighbourRow& row) {
    row.matches = ownership.matches;
    if (!ownership.owner) return;
    const auto* link = topology.link(*ownership.owner);
    row.owner = api::NeighbourOwner{topology[ownership.owner->place].target, topology.name(*ownership.owner),
                                    link ? link->mac : std::nullopt};
}

/// As `ip neigh show` does without a word: what has no state, and what needs no resolution, is left out.
bool is_wanted(const kernel::Neighbour& neighbour, const api::NeighboursRequest& request) {
    if (request.family && neighbour.address.family() != *request.family) return false;
    if (request.noarp || (neighbour.flags & NTF_PROXY) != 0) return true;
    return (neighbour.state & ~NUD_NOARP) != 0;
}

Result<std::vector<kernel::Neighbour>> read_cache(int socket, Rows& rows) {
    auto cache = kernel::dump_neighbours(socket);
    if (!cache) return cache.error();
    const auto proxies = kernel::dump_proxies(socket);
    if (!proxies) return proxies.error();
    rows.note(cache->consistent && proxies->consistent);
    cache->rows.insert(cache->rows.end(), proxies->rows.begin(), proxies->rows.end());
    return std::move(cache->rows);
}

Result<void> run(KnownNamespaces& known, const api::NeighboursRequest& request, const api::Context& context,
                 Output& output) {
    std::optional<ReadTopology> read;
    InterfaceFilter filter(request.interface, context.targets.size());
    const auto inspect = [&](std::size_t i, Rows& rows) -> Result<void> {
        if (!known.socket(i)) return known.socket(i).error();
        const auto cache = read_cache(known.socket(i)->get(), rows);
        if (!cache) return cache.error();
        // The others after the first cache: who has come since then is known.
        if (!read) read.emplace(read_topology(known, context));
        rows.note(read->consistent);
        const auto place = known.home(i);
        const InterfaceNames names(read->topology[place].links);
        if (auto checked = filter.check(names); !checked) return checked;
        for (const auto& neighbour : *cache) {
            auto row = row_of(context.targets[i].name, neighbour, names);
            if (!is_wanted(neighbour, request)) continue;
            if (!filter.admits(neighbour.index)) continue;
            if (is_resolved_by_asking(neighbour))
                set_owner(read->topology, find_owner(read->topology, {place, neighbour.index}, neighbour),
                          row);
            rows.add(row);
            if (row.matches == false) rows.finding();
        }
        return {};
    };
    return inspect_each(context, output, inspect, [&](Rows&) { return filter.verdict(); });
}

const Registration<api::NeighboursRequest> registered{
    operation<prepare, run>({.address_space = large_tables, .descriptors = many_descriptors})};

}  // namespace

}  // namespace netlab::operations::neighbours
