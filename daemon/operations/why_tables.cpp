#include "daemon/operations/why_tables.hpp"

#include "daemon/kernel/neighbour.hpp"
#include "daemon/operations/route_probe.hpp"
#include "daemon/operations/route_refusal.hpp"
#include "daemon/operations/route_row.hpp"
#include "daemon/operations/route_walk.hpp"

#include <algorithm>

#include <linux/rtnetlink.h>
#include <net/if.h>

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
    std::vector<HopFacts> facts;
    auto hops = walk(topology_, place, query, ask(), &facts);
    if (!hops) return hops.error();
    std::vector<PlacedHop> out;
    out.reserve(hops->size());
    for (std::size_t i = 0; i < hops->size(); ++i) {
        out.push_back({std::move((*hops)[i]), facts.at(i)});
    }
    return out;
}

kernel::RouteQuery WhyTables::query_of(const Transport& packet, const IpAddress& destination) {
    kernel::RouteQuery query;
    query.destination = destination;
    packet.say_in(query);
    return query;
}

Result<Way> WhyTables::way_to(const IpAddress& destination, bool connected) {
    auto query = query_of(packet_, destination);
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
    if (last.place && last.input != "lo") last_input_ = index_of(*last.place, last.input);
    hops_ = *hops;
    first_ = hops_.front();
    return way_of(topology_, *hops);
}

Way WhyTables::went_on(Way first, std::size_t place, const api::Endpoint& destination,
                       const std::string& translation) {
    auto input = last_input_;
    if (first.end_place != place) {
        first = until(std::move(first), place, topology_[place].target);
        input = first.points.empty() ? 0 : index_of(place, first.points.back().hop.interface);
    }
    auto query = query_of(packet_, destination.address);
    query.destination_port = destination.port;
    const auto& source = first_.route ? first_.route->source : std::nullopt;
    // A packet that comes in needs a source for the kernel to route it.
    if (input != 0 && source && source->family() == destination.address.family()) {
        query.from = source;
        query.input = input;
    }
    const auto hops = walk_from(place, query);
    if (!hops) return first;
    hops_ = until(std::move(hops_), place);
    hops_.insert(hops_.end(), hops->begin(), hops->end());
    return joined(std::move(first), way_of(topology_, *hops), translation);
}

std::optional<std::string> WhyTables::shut_setting() const {
    const auto& asked = first_.route;
    return asked && !hops_.empty() ? shut_setting(hops_.back(), asked->family) : std::nullopt;
}

std::optional<std::string> WhyTables::shut_setting(const PlacedHop& last, Family family) const {
    if (last.step != api::RouteStep::not_forwarded || !last.place) return std::nullopt;
    const auto input = index_of(*last.place, last.input);
    if (input == 0) return std::nullopt;
    const auto settings = ask().settings(*last.place, family, input);
    if (!settings) return std::nullopt;
    return kernel::forwarding_sysctl(family, *settings, *last.input);
}

std::uint32_t WhyTables::index_of(std::size_t place, const std::optional<std::string>& name) const {
    const auto& links = topology_[place].links;
    const auto found = name ? std::ranges::find(links, *name, &kernel::Link::name) : links.end();
    return found == links.end() ? 0 : found->index;
}

std::optional<RouteRefusal> WhyTables::refusal(const IpAddress& destination,
                                               const std::optional<IpAddress>& source) const {
    if (hops_.empty() || !is_lost(hops_.back().step)) return std::nullopt;
    const auto& last = hops_.back();
    if (!last.place || !known_.socket(*last.place)) return std::nullopt;
    auto query = query_of(packet_, destination);
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
        if (const auto output = index_of(*hop.place, hop.output)) out.push_back({&hop, {*hop.place, output}});
    }
    return out;
}

std::optional<SilentNeighbour> WhyTables::silent_neighbour() const {
    return silent_neighbour(hops_);
}

std::optional<SilentNeighbour> WhyTables::silent_neighbour(const std::vector<PlacedHop>& hops) const {
    for (const auto& [hop, output] : sendings(hops)) {
        if (neighbour_is_silent(known_.socket(output.place)->get(), *hop->next_hop, output.index))
            return SilentNeighbour{hop->target, *hop->output, *hop->next_hop, output};
    }
    return std::nullopt;
}

std::vector<SilentNeighbour> WhyTables::unasked_neighbours() const {
    std::vector<SilentNeighbour> out;
    for (const auto& sending : sendings(hops_)) {
        const auto& hop = *sending.hop;
        const auto output = sending.output;
        const auto* link = topology_.link(output);
        const auto known = kernel::dump_neighbours(known_.socket(output.place)->get());
        if (!known || link == nullptr || (link->flags & (IFF_NOARP | IFF_LOOPBACK)) != 0) continue;
        const bool is_there = std::ranges::any_of(known->rows, [&](const kernel::Neighbour& one) {
            return one.address == *hop.next_hop && one.index == output.index && one.mac &&
                   !one.is_unanswered();
        });
        if (!is_there) out.push_back({hop.target, *hop.output, *hop.next_hop, output});
    }
    return out;
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
    const auto hops = walk_from(place, query_of(packet_.back(), source));
    return hops ? wrong_neighbour(*hops) : std::nullopt;
}

std::optional<NoWayBack> WhyTables::no_way_back(std::size_t place, const IpAddress& own,
                                                const IpAddress& source) const {
    const auto& socket = known_.socket(place);
    if (!socket || own.family() != source.family()) return std::nullopt;
    auto query = query_of(packet_.back(), source);
    // From an address that it has lost there are no routes.
    if (topology_[place].has_address(own)) query.from = own;
    const auto reply = kernel::query_route(socket->get(), query);
    if (!reply || reply->error == 0) return std::nullopt;
    return NoWayBack{place, source, reply->error, ask_refusal(socket->get(), query, {})};
}

std::optional<std::string> WhyTables::output_of_answer(std::size_t place, const IpAddress& own,
                                                       const IpAddress& to) const {
    const auto& socket = known_.socket(place);
    // Such a one is answered by the interface that it was asked by.
    const bool is_of_interface = to.is_v6() && to.is_link_local();
    if (!socket || own.family() != to.family() || is_of_interface) return std::nullopt;
    auto query = query_of(packet_.back(), to);
    if (topology_[place].has_address(own)) query.from = own;
    const auto reply = kernel::query_route(socket->get(), query);
    if (!reply || reply->error != 0 || !reply->route) return std::nullopt;
    auto output = topology_.name({place, reply->route->hop.index});
    return output.empty() ? std::nullopt : std::optional(std::move(output));
}

std::optional<LostAnswer> WhyTables::lost_answer(const AnswerStart& start, const IpAddress& source) const {
    if (!known_.socket(start.place) || start.own.family() != start.to.family()) return std::nullopt;
    auto query = query_of(packet_.back(), start.to);
    query.from = start.own;
    if (!start.input.empty()) query.input = index_of(start.place, start.input);
    auto hops = walk_from(start.place, query);
    if (!hops || hops->empty()) return std::nullopt;
    if (start.input.empty() && hops->size() == 1) return std::nullopt;
    const auto& first_end = hops->back();
    // Who has masqueraded the packet gives its answer FROM's address before he routes it.
    if (first_end.step == api::RouteStep::delivered && first_end.place && start.to != source) {
        query.destination = source;
        query.input = index_of(*first_end.place, first_end.input);
        const auto rest = walk_from(*first_end.place, query);
        if (!rest) return std::nullopt;
        hops->insert(hops->end(), rest->begin(), rest->end());
    }
    const auto& last = hops->back();
    LostAnswer out{last.place.value_or(start.place), last.step, query.destination, last.input.value_or(""),
                   last.note};
    out.silent = silent_neighbour(*hops);
    if (!is_lost(last.step) && last.step != api::RouteStep::leaves && !out.silent) return std::nullopt;
    if (is_lost(last.step)) {
        out.shut = shut_setting(last, source.family());
        query.input = 0;
        if (last.place && known_.socket(*last.place))
            out.refusing = ask_refusal(known_.socket(*last.place)->get(), query, out.input);
    } else {
        out.led = led(*hops, query, out.silent ? std::optional(out.silent->at) : std::nullopt);
    }
    return out;
}

std::string WhyTables::led(const std::vector<PlacedHop>& hops, kernel::RouteQuery query,
                           std::optional<Port> by) const {
    const auto sent = sendings(hops);
    if (sent.empty()) return {};
    const auto found = by ? std::ranges::find(sent, *by, &Sending::output) : sent.end();
    const auto& [hop, output] = found == sent.end() ? sent.back() : *found;
    query.input = 0;
    const auto rule = ask_policy_rule(known_.socket(output.place)->get(), query, hop->input.value_or(""));
    return *hop->output + (rule.empty() ? std::string() : " (by the policy rule " + rule + ")");
}

std::optional<ProxyRoute> WhyTables::host_route(std::size_t place, const IpAddress& to,
                                                const Transport& packet) const {
    const auto& socket = known_.socket(place);
    if (!socket) return std::nullopt;
    const auto reply = kernel::query_route(socket->get(), query_of(packet, to));
    if (!reply || reply->error != 0 || !reply->route || !reply->route->source) return std::nullopt;
    auto output = topology_.name({place, reply->route->hop.index});
    return output.empty() ? std::nullopt
                          : std::optional(ProxyRoute{std::move(output), *reply->route->source});
}

std::optional<IpAddress> WhyTables::next_hop(const IpAddress& destination) const {
    if (first_.step != api::RouteStep::routed) return std::nullopt;
    const auto& next = first_.next_hop;
    return next && *next != destination ? next : std::nullopt;
}

}  // namespace netlab::operations
