#include "daemon/operations/why_ends.hpp"

#include "common/endpoint.hpp"

#include <algorithm>

namespace netlab::operations {

const std::map<std::size_t, FamilyRules>& WhyEnds::inside() {
    if (inside_) return *inside_;
    inside_.emplace();
    for (auto& [place, rules] : handles_.inside) {
        const auto home = handles_.known.home(place);
        const auto read = rules.read(InterfaceNames(topology_[home].links));
        inside_->emplace(home, read.of(facts_.flow.remote.family()));
    }
    return *inside_;
}

std::optional<WayEnd> WhyEnds::end_at(std::size_t place) {
    const auto home = handles_.known.home(place);
    const auto host = host_.place();
    if (host && handles_.known.home(*host) == home) return std::nullopt;
    auto passage = passage_of(facts_.way, target_at(facts_.context, place).name, place);
    if (!passage) return std::nullopt;
    const auto rules = inside().find(home);
    return WayEnd{place, std::move(*passage), rules == inside().end() ? nullptr : &rules->second};
}

std::optional<FramePassage> WhyEnds::frames() const {
    const auto host = host_.place();
    if (!host) return std::nullopt;
    return frames_of(facts_.way, facts_.host, *host, [&](const std::string& name) {
        const auto& links = topology_[*host].links;
        const auto link = std::ranges::find(links, name, &kernel::Link::name);
        return link != links.end() && link->kind == "bridge";
    });
}

std::vector<std::string> WhyEnds::unread(const WayRules& rules) const {
    std::vector<std::string> out;
    for (const auto& point : facts_.way.points) {
        const auto& name = point.hop.target;
        if (!point.place || point.place == host_.place() || std::ranges::count(out, name) != 0) continue;
        const auto is_read = [&](const std::optional<WayEnd>& end) {
            return end && end->place == point.place && end->rules != nullptr && end->rules->known;
        };
        if (!is_read(rules.from) && !is_read(rules.to)) out.push_back(name);
    }
    return out;
}

void WhyEnds::look(const IpAddress& source) {
    WayRules rules;
    rules.from = end_at(0);
    const auto& end = facts_.way.end_place;
    const bool arrives = facts_.way.end == api::RouteStep::delivered;
    if (arrives && end && handles_.known.home(*end) != handles_.known.home(0)) rules.to = end_at(*end);
    rules.frames = frames();
    if (host_.place()) rules.host = &host_.rules();
    rules.answers_by = facts_.answers_by;
    const auto to = facts_.destination();
    WayAddresses addresses{source, to, host_.answered_address(), to};
    const auto& last = rules.to ? rules.to : rules.from;
    const bool own = last && last->passage.for_host && addresses.answered;
    if (own) {
        facts_.inside = destination_inside(*last, facts_.flow, *addresses.answered, to);
        addresses.inside = facts_.inside.value_or(to);
    }
    facts_.around = decide_around(rules, facts_.flow, addresses);
    facts_.around_back = decide_answer_around(rules, facts_.flow, addresses);
    facts_.unread = unread(rules);
    const bool stays = addresses.inside.address.is_loopback() ||
                       topology_[end.value_or(0)].has_address(addresses.inside.address);
    if (!own || !facts_.inside || addresses.inside == to || stays) return;
    auto& behind = rules.to ? facts_.around->behind : facts_.around->before;
    behind.translation_in_doubt = true;
    if (behind.doubt.empty())
        behind.doubt = last->passage.target + "'s, which sends it on to " +
                       endpoint_text(addresses.inside.address, addresses.inside.port);
}

}  // namespace netlab::operations
