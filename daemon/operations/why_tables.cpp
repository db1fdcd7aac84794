#include "daemon/operations/why_tables.hpp"

#include "daemon/operations/route_probe.hpp"
#include "daemon/operations/route_row.hpp"
#include "daemon/operations/route_walk.hpp"

#include <algorithm>

#include <linux/rtnetlink.h>

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

AskKernel WhyTables::ask() const {
    AskKernel ask;
    ask.route = [this](std::size_t place, const kernel::RouteQuery& query) -> Result<kernel::RouteReply> {
        const auto& socket = known_.socket(place);
        if (!socket) return socket.error();
        return kernel::query_route(socket->get(), query);
    };
    ask.settings = [this](std::size_t place, Family family,
                          std::uint32_t index) -> Result<kernel::InterfaceSettings> {
        const auto& socket = known_.socket(place);
        if (!socket) return socket.error();
        return kernel::query_settings(socket->get(), family, index);
    };
    return ask;
}

Result<std::vector<PlacedHop>> WhyTables::walk_from(std::size_t place,
                                                    const kernel::RouteQuery& query) const {
    std::vector<std::optional<std::size_t>> places;
    auto hops = walk(topology_, place, query, ask(), &places);
    if (!hops) return hops.error();
    std::vector<PlacedHop> out;
    out.reserve(hops->size());
    for (std::size_t i = 0; i < hops->size(); ++i) {
        auto& hop = out.emplace_back();
        static_cast<api::RouteHop&>(hop) = std::move((*hops)[i]);
        hop.place = places.at(i);
    }
    return out;
}

Result<Way> WhyTables::way_to(const IpAddress& destination) {
    kernel::RouteQuery query;
    query.destination = destination;
    auto hops = walk_from(0, query);
    if (!hops) return hops.error();
    const auto& last = hops->back();
    const auto place = last.place;
    if (place && last.input) {
        const auto& links = topology_[*place].links;
        const auto found = std::ranges::find(links, *last.input, &kernel::Link::name);
        if (found != links.end() && found->name != "lo") last_input_ = found->index;
    }
    hops_ = *hops;
    return way_of(topology_, *hops);
}

Way WhyTables::went_on(Way first, std::size_t place, const api::Endpoint& destination,
                       const std::string& translation) {
    auto input = last_input_;
    if (first.end_place != place) {
        first = until(std::move(first), place, topology_[place].target);
        const auto* last = first.points.empty() ? nullptr : &first.points.back();
        const auto& links = topology_[place].links;
        const auto link = last == nullptr
                              ? links.end()
                              : std::ranges::find(links, last->hop.interface, &kernel::Link::name);
        input = link == links.end() ? 0 : link->index;
    }
    kernel::RouteQuery query;
    query.destination = destination.address;
    const auto& source = hops_.front().route ? hops_.front().route->source : std::nullopt;
    // A packet that comes in needs a source for the kernel to route it.
    if (input != 0 && source && source->family() == destination.address.family()) {
        query.from = source;
        query.input = input;
    }
    const auto hops = walk_from(place, query);
    if (!hops) return first;
    hops_.insert(hops_.end(), hops->begin(), hops->end());
    return joined(std::move(first), way_of(topology_, *hops), translation);
}

std::optional<SilentNeighbour> WhyTables::silent_neighbour() const {
    for (const auto& hop : hops_) {
        if (hop.step != api::RouteStep::routed || !hop.next_hop || !hop.output) continue;
        const auto place = hop.place;
        if (!place || !known_.socket(*place)) continue;
        if (neighbour_is_silent(known_.socket(*place)->get(), *hop.next_hop))
            return SilentNeighbour{hop.target, *hop.output, *hop.next_hop};
    }
    return std::nullopt;
}

std::optional<Port> WhyTables::bridge_of(const IpAddress& address, std::string_view owner) const {
    for (const auto port : topology_.owners(address)) {
        // Anybody can give himself an address: only whom the engine says to have it counts.
        const auto peer = topology_.peer(port);
        if (topology_[port.place].target != owner || port.place == *host_ || !peer || peer->place != *host_)
            continue;
        if (const auto bridge = topology_.master(*peer)) return bridge;
    }
    return std::nullopt;
}

std::optional<StrayRoute> WhyTables::stray_route(const IpAddress& address, std::string_view owner) const {
    if (!host_ || !known_.socket(*host_)) return std::nullopt;
    const auto bridge = bridge_of(address, owner);
    if (!bridge) return std::nullopt;
    kernel::RouteQuery query;
    query.destination = address;
    const auto reply = kernel::query_route(known_.socket(*host_)->get(), query);
    query.which_entry = true;
    const auto entry = kernel::query_route(known_.socket(*host_)->get(), query);
    if (!reply || !reply->route || reply->route->hop.index == bridge->index || !entry || !entry->route)
        return std::nullopt;
    // Not in anybody's way: it is the network's own route that is missing, or another network's own.
    if (entry->route->destination.length() == 0 || entry->route->protocol == RTPROT_KERNEL)
        return std::nullopt;
    const InterfaceNames names(topology_[*host_].links);
    const auto& target = topology_[*host_].target;
    return StrayRoute{target, entry_text(route_entry(target, *entry->route, names)),
                      names[reply->route->hop.index], topology_.name(*bridge), address};
}

std::optional<IpAddress> WhyTables::next_hop(const IpAddress& destination) const {
    if (hops_.empty() || hops_.front().step != api::RouteStep::routed) return std::nullopt;
    const auto& next = hops_.front().next_hop;
    return next && *next != destination ? next : std::nullopt;
}

std::optional<DecisiveRoute> WhyTables::decisive_route(const IpAddress& destination) const {
    if (!known_.socket(0)) return std::nullopt;
    kernel::RouteQuery query;
    query.destination = destination;
    query.which_entry = true;
    const auto reply = kernel::query_route(known_.socket(0)->get(), query);
    if (!reply || !reply->route) return std::nullopt;
    const auto& target = topology_[0].target;
    return DecisiveRoute{target,
                         entry_text(route_entry(target, *reply->route, InterfaceNames(topology_[0].links))),
                         reply->route->destination.length() == 0};
}

std::optional<DecisiveRoute> WhyTables::refusing_route(std::size_t place,
                                                       const IpAddress& destination) const {
    if (place >= topology_.size() || !known_.socket(place)) return std::nullopt;
    const auto dump = kernel::dump_routes(known_.socket(place)->get(), RT_TABLE_MAIN);
    if (!dump) return std::nullopt;
    const kernel::Route* nearest = nullptr;
    for (const auto& route : dump->rows) {
        if (!route.destination.contains(destination)) continue;
        if (nearest == nullptr || route.destination.length() > nearest->destination.length())
            nearest = &route;
    }
    const bool refuses =
        nearest != nullptr &&
        (nearest->kind == RTN_BLACKHOLE || nearest->kind == RTN_UNREACHABLE || nearest->kind == RTN_PROHIBIT);
    if (!refuses) return std::nullopt;
    const auto& target = topology_[place].target;
    const auto entry = route_entry(target, *nearest, InterfaceNames(topology_[place].links));
    return DecisiveRoute{target, entry.kind + " " + entry.destination, nearest->destination.length() == 0};
}

}  // namespace netlab::operations
