#include "daemon/operations/why_tables.hpp"

#include "daemon/operations/route_probe.hpp"
#include "daemon/operations/route_row.hpp"
#include "daemon/operations/route_walk.hpp"

#include <algorithm>

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

std::optional<std::size_t> WhyTables::place_of(const std::string& target) const {
    for (std::size_t i = 0; i < topology_.size(); ++i) {
        if (topology_[i].target == target && !topology_[i].links.empty()) return i;
    }
    return std::nullopt;
}

Result<Way> WhyTables::way_to(const IpAddress& destination) {
    kernel::RouteQuery query;
    query.destination = destination;
    auto hops = walk(topology_, 0, query, ask());
    if (!hops) return hops.error();
    const auto& last = hops->back();
    const auto place = place_of(last.target);
    if (place && last.input) {
        const auto& links = topology_[*place].links;
        const auto found = std::ranges::find(links, *last.input, &kernel::Link::name);
        if (found != links.end() && found->name != "lo") last_input_ = found->index;
    }
    hops_ = *hops;
    return way_of(topology_, *hops);
}

Way WhyTables::went_on(Way first, const api::Endpoint& destination, const std::string& translation) {
    if (!first.end_place) return first;
    kernel::RouteQuery query;
    query.destination = destination.address;
    const auto& source = hops_.front().route ? hops_.front().route->source : std::nullopt;
    // A packet that comes in needs a source for the kernel to route it.
    if (last_input_ != 0 && source && source->family() == destination.address.family()) {
        query.from = source;
        query.input = last_input_;
    }
    const auto hops = walk(topology_, *first.end_place, query, ask());
    if (!hops) return first;
    hops_.insert(hops_.end(), hops->begin(), hops->end());
    return joined(std::move(first), way_of(topology_, *hops), translation);
}

std::optional<SilentNeighbour> WhyTables::silent_neighbour() const {
    for (const auto& hop : hops_) {
        if (hop.step != api::RouteStep::routed || !hop.next_hop || !hop.output) continue;
        const auto place = place_of(hop.target);
        if (!place || !known_.socket(*place)) continue;
        if (neighbour_is_silent(known_.socket(*place)->get(), *hop.next_hop))
            return SilentNeighbour{hop.target, *hop.output, *hop.next_hop};
    }
    return std::nullopt;
}

std::optional<StrayRoute> WhyTables::stray_route(const IpAddress& address) const {
    const auto host = host_;
    if (!host || !known_.socket(*host)) return std::nullopt;
    std::optional<Port> bridge;
    for (const auto owner : topology_.owners(address)) {
        const auto peer = topology_.peer(owner);
        if (owner.place != *host && peer && peer->place == *host) bridge = topology_.master(*peer);
    }
    if (!bridge) return std::nullopt;
    kernel::RouteQuery query;
    query.destination = address;
    const auto reply = kernel::query_route(known_.socket(*host)->get(), query);
    query.which_entry = true;
    const auto entry = kernel::query_route(known_.socket(*host)->get(), query);
    if (!reply || !reply->route || reply->route->hop.index == bridge->index || !entry || !entry->route)
        return std::nullopt;
    // Not in anybody's way: it is the network's own route that is missing.
    if (entry->route->destination.length() == 0) return std::nullopt;
    const InterfaceNames names(topology_[*host].links);
    const auto& target = topology_[*host].target;
    return StrayRoute{target, entry_text(route_entry(target, *entry->route, names)),
                      names[reply->route->hop.index], topology_.name(*bridge), address};
}

std::optional<IpAddress> WhyTables::next_hop(const IpAddress& destination) const {
    if (hops_.empty() || hops_.front().step != api::RouteStep::routed) return std::nullopt;
    const auto& next = hops_.front().next_hop;
    return next && *next != destination ? next : std::nullopt;
}

}  // namespace netlab::operations
