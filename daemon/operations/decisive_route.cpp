#include "daemon/operations/decisive_route.hpp"

#include "daemon/kernel/route_query.hpp"
#include "daemon/operations/host_command.hpp"
#include "daemon/operations/interface_names.hpp"
#include "daemon/operations/network_family.hpp"
#include "daemon/operations/route_row.hpp"

#include <algorithm>
#include <cerrno>

#include <linux/rtnetlink.h>
#include <net/if.h>

namespace netlab::operations {

namespace {

/// As ip(8) takes it: "172.18.0.0/17 via 192.0.2.1 dev eth0".
std::string entry_text(const api::RouteEntry& entry) {
    auto text = entry.destination;
    if (entry.gateway) text += " via " + entry.gateway->to_string();
    if (entry.interface) text += " dev " + *entry.interface;
    if (entry.table != "main" && !entry.table.empty()) text += " table " + entry.table;
    return text;
}

}  // namespace

namespace {

/// As the kernel makes it for an address: fib_add_ifaddr() in net/ipv4/fib_frontend.c,
/// addrconf_prefix_route() in net/ipv6/addrconf.c.
std::string own_route(const IpPrefix& address, const std::string& interface) {
    const auto text = network_text(address) + " dev " + interface + " proto kernel ";
    return address.address().is_v4() ? text + "scope link src " + address.address().to_string()
                                     : text + "metric 256";
}

Explanation explain_missing(const StrayRoute& stray) {
    Explanation out{stray.target + " has no route to " + stray.network + ", the network behind " +
                        stray.expected + " where " + stray.owner + " is",
                    {}};
    if (!stray.entry.empty())
        out.explanation += ": it sends what is for " + stray.address.to_string() + " by " + stray.output +
                           ", by its route " + stray.entry;
    if (is_plain_word(stray.expected))
        out.suggestion = ip_command(stray.address) + "route add " + stray.missing;
    return out;
}

}  // namespace

Explanation explain_stray(const StrayRoute& stray) {
    if (!stray.missing.empty()) return explain_missing(stray);
    const auto command = ip_command(stray.address) + "route del ";
    return {stray.target + " sends what is for " + stray.address.to_string() + " by " + stray.output +
                ", and " + stray.owner + " is behind " + stray.expected + ": its route " + stray.entry +
                " is in the way",
            is_plain_word(stray.output) ? command + stray.entry : std::string()};
}

bool refuses(const kernel::Route& route) {
    return route.kind == RTN_BLACKHOLE || route.kind == RTN_UNREACHABLE || route.kind == RTN_PROHIBIT;
}

std::string refusing_text(const kernel::Route& route) {
    const auto entry = route_entry({}, route, InterfaceNames(std::vector<kernel::Link>()));
    return entry.kind + " " + entry.destination;
}

std::optional<Port> DecisiveRoutes::bridge_of(const IpAddress& address, std::string_view owner) const {
    if (!host_) return std::nullopt;
    for (const auto port : topology_.owners(address)) {
        // Anybody can give himself an address: only whom the engine says to have it counts.
        const auto peer = topology_.peer(port);
        if (topology_[port.place].target != owner || port.place == *host_ || !peer || peer->place != *host_)
            continue;
        if (const auto bridge = topology_.master(*peer)) return bridge;
    }
    return std::nullopt;
}

std::optional<StrayRoute> DecisiveRoutes::stray(const IpAddress& address, std::string_view owner,
                                                const Transport& packet) const {
    if (!host_ || !known_.socket(*host_)) return std::nullopt;
    const auto bridge = bridge_of(address, owner);
    if (!bridge) return std::nullopt;
    kernel::RouteQuery query;
    query.destination = address;
    packet.say_in(query);
    const auto reply = kernel::query_route(known_.socket(*host_)->get(), query);
    query.which_entry = true;
    const auto entry = kernel::query_route(known_.socket(*host_)->get(), query);
    if (!reply || (reply->error != 0 && reply->error != ENETUNREACH)) return std::nullopt;
    const bool leads = reply->error == 0 && reply->route && entry && entry->route;
    if (reply->error == 0 && (!leads || reply->route->hop.index == bridge->index)) return std::nullopt;
    const InterfaceNames names(topology_[*host_].links);
    StrayRoute out{topology_[*host_].target, {}, {}, topology_.name(*bridge), std::string(owner), address};
    if (leads) {
        out.entry = entry_text(route_entry(out.target, *entry->route, names));
        out.output = names[reply->route->hop.index];
        // A default route is in nobody's way, nor is one to another network of the host's own.
        const bool is_in_way =
            entry->route->destination.length() != 0 && entry->route->protocol != RTPROT_KERNEL;
        if (is_in_way) return out;
    }
    const auto own = without_route(*bridge, address);
    if (!own) return std::nullopt;
    out.missing = own_route(own->prefix, out.expected);
    out.network = network_text(own->prefix);
    return out;
}

std::optional<kernel::Address> DecisiveRoutes::without_route(Port bridge, const IpAddress& address) const {
    const auto& facts = topology_[bridge.place];
    const auto own = std::ranges::find_if(facts.addresses, [&](const kernel::Address& one) {
        return one.index == bridge.index && one.prefix.contains(address);
    });
    const auto* link = topology_.link(bridge);
    // The kernel takes the routes away with the interface.
    if (own == facts.addresses.end() || link == nullptr || (link->flags & IFF_UP) == 0) return std::nullopt;
    const auto dump = kernel::dump_routes(known_.socket(bridge.place)->get(), RT_TABLE_MAIN);
    if (!dump) return std::nullopt;
    const bool there = std::ranges::any_of(dump->rows, [&](const kernel::Route& route) {
        return route.hop.index == bridge.index && route.destination.length() != 0 &&
               route.destination.contains(address);
    });
    return there ? std::nullopt : std::optional(*own);
}

std::optional<DecisiveRoute> DecisiveRoutes::decisive(std::size_t place, const IpAddress& destination,
                                                      const std::optional<IpAddress>& from,
                                                      const Transport& packet) const {
    if (place >= topology_.size() || !known_.socket(place)) return std::nullopt;
    kernel::RouteQuery query;
    query.destination = destination;
    query.from = from;
    query.which_entry = true;
    packet.say_in(query);
    const auto reply = kernel::query_route(known_.socket(place)->get(), query);
    if (!reply || !reply->route) return std::nullopt;
    const auto& target = topology_[place].target;
    const auto entry = route_entry(target, *reply->route, InterfaceNames(topology_[place].links));
    const bool is_plain = (!entry.interface || is_plain_word(*entry.interface)) &&
                          (entry.table.empty() || is_plain_word(entry.table));
    return DecisiveRoute{target,
                         entry_text(entry),
                         reply->route->destination.length() == 0,
                         entry.gateway,
                         entry.table == "main" || entry.table.empty(),
                         is_plain};
}

std::optional<DecisiveRoute> DecisiveRoutes::refusing(std::size_t place, const IpAddress& destination) const {
    if (place >= topology_.size() || !known_.socket(place)) return std::nullopt;
    const auto dump = kernel::dump_routes(known_.socket(place)->get(), RT_TABLE_MAIN);
    if (!dump) return std::nullopt;
    const kernel::Route* nearest = nullptr;
    for (const auto& route : dump->rows) {
        if (!route.destination.contains(destination)) continue;
        if (nearest == nullptr || route.destination.length() > nearest->destination.length())
            nearest = &route;
    }
    if (nearest == nullptr || !refuses(*nearest)) return std::nullopt;
    return DecisiveRoute{topology_[place].target, refusing_text(*nearest),
                         nearest->destination.length() == 0};
}

}  // namespace netlab::operations
