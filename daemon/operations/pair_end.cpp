#include "daemon/operations/pair_end.hpp"

#include "daemon/kernel/address.hpp"
#include "daemon/kernel/link.hpp"
#include "daemon/kernel/neighbour.hpp"
#include "daemon/kernel/route.hpp"
#include "daemon/operations/peer_address.hpp"

#include <algorithm>

#include <linux/neighbour.h>
#include <net/if.h>

namespace netlab::operations {

namespace {

std::vector<IpPrefix> prefixes_of(const PairEnd& end) {
    std::vector<IpPrefix> out;
    out.reserve(end.addresses.size());
    std::ranges::transform(end.addresses, std::back_inserter(out), &OwnAddress::prefix);
    return out;
}

const OwnAddress* find(const PairEnd& end, const auto& is_wanted) {
    const auto at = std::ranges::find_if(end.addresses, is_wanted);
    return at == end.addresses.end() ? nullptr : &*at;
}

std::optional<SharedLink> shared_link(const PairEnd& from, const PairEnd& to, const PeerChoice& choice) {
    if (choice.way != PeerWay::shared_subnet || !choice.subnet) return std::nullopt;
    const auto* here = find(from, [&](const OwnAddress& own) { return own.prefix == *choice.subnet; });
    const auto* there =
        find(to, [&](const OwnAddress& own) { return own.prefix.address() == choice.address; });
    if (here == nullptr || there == nullptr) return std::nullopt;
    const auto source_mac = from.mac_of(here->interface);
    const auto destination_mac = to.mac_of(there->interface);
    if (!source_mac || !destination_mac) return std::nullopt;
    return SharedLink{here->interface, here->prefix.address(), *source_mac, *destination_mac};
}

}  // namespace

std::optional<MacAddress> PairEnd::mac_of(std::uint32_t interface) const {
    const auto at = std::ranges::find(links, interface, &std::pair<std::uint32_t, MacAddress>::first);
    return at == links.end() ? std::nullopt : std::optional(at->second);
}

Result<PairEnd> read_pair_end(int route_socket) {
    PairEnd end;
    const auto addresses = kernel::dump_addresses(route_socket);
    if (!addresses) return addresses.error();
    for (const auto& row : addresses->rows)
        end.addresses.push_back({row.prefix, row.index});
    const auto links = kernel::dump_links(route_socket);
    if (!links) return links.error();
    for (const auto& link : links->rows) {
        if (link.mac && (link.flags & (IFF_NOARP | IFF_LOOPBACK)) == 0)
            end.links.emplace_back(link.index, *link.mac);
    }
    const auto routes = kernel::default_routes(route_socket);
    if (!routes) return routes.error();
    std::ranges::transform(*routes, std::back_inserter(end.gateways), &kernel::DefaultRoute::gateway);
    const auto neighbours = kernel::dump_neighbours(route_socket);
    if (!neighbours) return neighbours.error();
    constexpr unsigned known = NUD_REACHABLE | NUD_STALE | NUD_DELAY | NUD_PROBE | NUD_PERMANENT;
    for (const auto& neighbour : neighbours->rows) {
        if ((neighbour.state & known) != 0) end.neighbours.insert(neighbour.address);
    }
    return end;
}

std::optional<PairWay> choose_way(const PairEnd& from, const PairEnd& to, std::optional<Family> family) {
    PeerFacts facts;
    facts.from = prefixes_of(from);
    facts.peer = prefixes_of(to);
    facts.gateways = from.gateways;
    facts.same_namespace = from.is_same_namespace(to);
    facts.family = family;
    const auto choice = choose_peer_address(facts);
    if (!choice) return std::nullopt;
    return PairWay{choice->address, shared_link(from, to, *choice)};
}

}  // namespace netlab::operations
