#include "daemon/operations/why_tables.hpp"

#include "daemon/operations/route_probe.hpp"
#include "daemon/operations/route_refusal.hpp"
#include "daemon/operations/route_row.hpp"
#include "daemon/operations/route_walk.hpp"

#include <algorithm>

#include <linux/rtnetlink.h>

namespace netlab::operations {

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
    ask.refuses = [this](std::size_t place, const kernel::RouteQuery& query) {
        const auto& socket = known_.socket(place);
        const auto input = query.input == 0 ? std::string() : topology_.name({place, query.input});
        return socket && ask_refusal(socket->get(), query, input).has_value();
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

Result<Way> WhyTables::way_to(const IpAddress& destination, bool connected) {
    kernel::RouteQuery query;
    query.destination = destination;
    auto hops = walk_from(0, query);
    if (!hops) return hops.error();
    const auto& first = hops->front();
    query.from = first.route ? first.route->source : std::nullopt;
    if (connected && first.step == api::RouteStep::routed && query.from) {
        const auto again = ask().route(0, query);
        if (again && again->error != 0) {
            chosen_ = query.from;
            hops = walk_from(0, query);
            if (!hops) return hops.error();
        }
    }
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

std::optional<std::string> WhyTables::shut_setting() const {
    if (hops_.empty()) return std::nullopt;
    const auto& last = hops_.back();
    if (last.step != api::RouteStep::not_forwarded || !last.place || !last.input) return std::nullopt;
    const auto& links = topology_[*last.place].links;
    const auto input = std::ranges::find(links, *last.input, &kernel::Link::name);
    const auto& asked = hops_.front().route;
    if (input == links.end() || !asked) return std::nullopt;
    const auto family = asked->family;
    const auto settings = ask().settings(*last.place, family, input->index);
    if (!settings) return std::nullopt;
    return kernel::forwarding_sysctl(family, *settings, input->name);
}

std::optional<RouteRefusal> WhyTables::refusal(const IpAddress& destination,
                                               const std::optional<IpAddress>& source) const {
    if (hops_.empty() || !is_lost(hops_.back().step)) return std::nullopt;
    const auto& last = hops_.back();
    if (!last.place || !known_.socket(*last.place)) return std::nullopt;
    kernel::RouteQuery query;
    query.destination = destination;
    const auto& from = source ? source : chosen_;
    if (from && from->family() == destination.family()) query.from = from;
    return ask_refusal(known_.socket(*last.place)->get(), query, last.input.value_or(""));
}

std::string WhyTables::rule_by_mark(std::size_t place, const kernel::RouteQuery& query,
                                    const std::string& input) const {
    const auto& socket = known_.socket(place);
    if (!socket) return {};
    const auto rules = kernel::dump_rules(socket->get());
    return rules ? find_rule_by_mark(rules->rows, query, input) : std::string();
}

std::vector<WhyTables::Sending> WhyTables::sendings(const std::vector<PlacedHop>& hops) const {
    std::vector<Sending> out;
    for (const auto& hop : hops) {
        if (hop.step != api::RouteStep::routed || !hop.next_hop || !hop.output) continue;
        if (!hop.place || !known_.socket(*hop.place)) continue;
        const auto& links = topology_[*hop.place].links;
        const auto link = std::ranges::find(links, *hop.output, &kernel::Link::name);
        if (link != links.end()) out.push_back({&hop, {*hop.place, link->index}});
    }
    return out;
}

std::optional<SilentNeighbour> WhyTables::silent_neighbour() const {
    for (const auto& [hop, output] : sendings(hops_)) {
        if (neighbour_is_silent(known_.socket(output.place)->get(), *hop->next_hop, output.index))
            return SilentNeighbour{hop->target, *hop->output, *hop->next_hop, output};
    }
    return std::nullopt;
}

std::optional<WrongNeighbour> WhyTables::wrong_neighbour(const std::vector<PlacedHop>& hops) const {
    for (const auto& [hop, output] : sendings(hops)) {
        if (auto wrong =
                find_wrong_neighbour(topology_, known_.socket(output.place)->get(), output, *hop->next_hop))
            return wrong;
    }
    return std::nullopt;
}

std::optional<WrongNeighbour> WhyTables::wrong_neighbour_back(std::size_t place,
                                                              const IpAddress& source) const {
    kernel::RouteQuery query;
    query.destination = source;
    const auto hops = walk_from(place, query);
    return hops ? wrong_neighbour(*hops) : std::nullopt;
}

std::optional<NoWayBack> WhyTables::no_way_back(std::size_t place, const IpAddress& own,
                                                const IpAddress& source) const {
    const auto& socket = known_.socket(place);
    if (!socket || own.family() != source.family()) return std::nullopt;
    kernel::RouteQuery query;
    query.destination = source;
    // From an address that it has lost there are no routes.
    if (topology_[place].has_address(own)) query.from = own;
    const auto reply = kernel::query_route(socket->get(), query);
    if (!reply || reply->error == 0) return std::nullopt;
    return NoWayBack{place, source, reply->error, ask_refusal(socket->get(), query, {})};
}

std::optional<IpAddress> WhyTables::next_hop(const IpAddress& destination) const {
    if (hops_.empty() || hops_.front().step != api::RouteStep::routed) return std::nullopt;
    const auto& next = hops_.front().next_hop;
    return next && *next != destination ? next : std::nullopt;
}

}  // namespace netlab::operations
