#include "daemon/operations/why_surroundings.hpp"

#include "daemon/operations/why_narrow.hpp"
#include "daemon/operations/why_segment.hpp"

#include <algorithm>

namespace netlab::operations {

std::optional<std::string> named_by_engine(const api::Context& context, const IpAddress& address) {
    const auto found = std::ranges::find(context.names, address, &api::NamedAddress::address);
    return found == context.names.end() ? std::nullopt : std::optional(found->name);
}

std::optional<std::string> WhySurroundings::named(const IpAddress& address) const {
    return named_by_engine(facts_.context, address);
}

void WhySurroundings::look(const Transport& packet) {
    facts_.silent = tables_.silent_neighbour();
    if (facts_.silent)
        facts_.silent->stop = stop_of(*facts_.silent);
    else if (!facts_.probed)
        facts_.silent = kept_silent();
    facts_.wrong = tables_.wrong_neighbour();
    look_at_way_back(packet);
    look_at_mark(packet);
    const auto to = facts_.translated ? facts_.translated->address : destination_.to.address;
    if (const auto owner = named(to)) facts_.stray = routes_.stray(to, *owner, packet);
    if (!facts_.stray && destination_.source)
        facts_.stray =
            routes_.stray(*destination_.source, facts_.context.targets.front().name, packet.back());
    facts_.next_hop = tables_.next_hop(destination_.to.address);
    facts_.route =
        routes_.decisive(0, destination_.to.address, {}, transport_of(facts_.flow, facts_.request.port));
    facts_.shut = tables_.shut_setting();
    facts_.refusing = tables_.refusal(to, destination_.source);
    if (facts_.request.size != 0) facts_.narrow = find_narrow(topology_, facts_.way, facts_.request.size);
    facts_.lost_answer = lost_answer(to);
    look_at_segments(facts_.proxied ? facts_.proxied->to.address : to);
}

/// Nobody has been asked for yet, and a rule will drop the question or its answer.
std::optional<SilentNeighbour> WhySurroundings::kept_silent() const {
    for (auto& one : tables_.unasked_neighbours()) {
        one.stop = stop_of(one);
        if (one.stop && one.stop->certain) return one;
    }
    return std::nullopt;
}

/// By the host's rules, or by those of one of the two; one that drops it rather than one that may.
std::optional<NeighbourStop> WhySurroundings::stop_of(const SilentNeighbour& silent) const {
    std::optional<NeighbourStop> found;
    const auto look = [&](const FamilyRules& rules, std::size_t place) {
        auto stop =
            find_neighbour_stop(rules, topology_, place, silent.at, silent.address, destination_.source);
        if (stop && (!found || (stop->certain && !found->certain))) found = std::move(stop);
    };
    if (const auto host = host_.place()) {
        look(host_.rules(), *host);
    }
    for (const auto& [place, rules] : ends_.inside())
        look(rules, place);
    return found;
}

/// Whether the answer is lost behind TO, who has `to`.
std::optional<LostAnswer> WhySurroundings::lost_answer(const IpAddress& to) const {
    const auto& way = facts_.way;
    if (!destination_.source || way.points.empty()) return std::nullopt;
    if (way.end_place && topology_[*way.end_place].has_address(to)) {
        const auto answered = host_.answered_address();
        return answered ? tables_.lost_answer({*way.end_place, {}, to, *answered}, *destination_.source)
                        : std::nullopt;
    }
    const auto whole = host_.passage();
    const bool outside = way.points.back().hop.kind == "outside";
    if (!outside || !whole || whole->output.empty()) return std::nullopt;
    return tables_.lost_answer({*host_.place(), whole->output, to, *destination_.source},
                               *destination_.source);
}

/// Of FROM, and of whom the packet is for.
void WhySurroundings::look_at_segments(const IpAddress& to) {
    const auto& context = facts_.context;
    for (std::size_t place = 0; place < named_places(context); ++place) {
        const auto& target = target_at(context, place);
        const bool has_it = std::ranges::any_of(target.networks, [&](const api::Membership& network) {
            return std::ranges::find(network.addresses, to, &IpPrefix::address) != network.addresses.end();
        });
        const bool is_peer = context.peer_namespace && place == context.targets.size();
        if (place != 0 && !has_it && !is_peer && place != facts_.way.end_place) continue;
        facts_.segment = explain_segment(topology_, context, place, to);
        if (!facts_.segment.explanation.empty()) return;
    }
}

void WhySurroundings::look_at_way_back(const Transport& packet) {
    const auto answered = host_.answered_address();
    if (!facts_.way.end_place || !answered) return;
    const auto place = *facts_.way.end_place;
    facts_.wrong_back = tables_.wrong_neighbour_back(place, *answered);
    // The host gives the answer its destination back, and sends it on.
    const auto host = host_.place();
    if (!facts_.wrong_back && *answered != *destination_.source && host)
        facts_.wrong_back = tables_.wrong_neighbour_back(*host, *destination_.source);
    const auto to = facts_.destination().address;
    if (topology_[place].has_address(to)) facts_.no_way_back = tables_.no_way_back(place, to, *answered);
    facts_.route_back = routes_.decisive(place, *answered, {}, packet.back());
}

/// How the host routes what a rule of its has marked is not asked.
void WhySurroundings::look_at_mark(const Transport& packet) {
    const auto whole = host_.passage();
    if (!whole || !host_.place() || !destination_.source) return;
    kernel::RouteQuery query;
    query.destination = facts_.destination().address;
    query.from = destination_.source;
    packet.say_in(query);
    if (facts_.rules && facts_.rules->marks)
        facts_.by_mark = tables_.rule_by_mark(*host_.place(), query, whole->input);
    std::swap(query.destination, *query.from);
    packet.back().say_in(query);
    if (facts_.rules_back && facts_.rules_back->marks)
        facts_.by_mark_back = tables_.rule_by_mark(*host_.place(), query, whole->output);
}

}  // namespace netlab::operations
