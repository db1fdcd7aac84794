#include "daemon/operations/why_way.hpp"

#include <algorithm>

namespace netlab::operations {

namespace {

using api::RouteStep;

class Builder {
  public:
    explicit Builder(const Topology& topology) : topology_(topology) {}

    Way from(const std::vector<PlacedHop>& hops) {
        for (const auto& hop : hops)
            add(hop, &hop == &hops.front());
        if (!hops.empty()) {
            const auto& last = hops.back();
            way_.end = last.step;
            way_.end_target = last.target;
            way_.end_place = last.place;
            way_.note = last.note;
        }
        return std::move(way_);
    }

  private:
    void add(const PlacedHop& hop, bool first) {
        switch (hop.step) {
            case RouteStep::switched:
                add_bridge(hop);
                break;
            case RouteStep::routed:
                add_routed(hop, first);
                break;
            case RouteStep::delivered:
                add_port(hop);
                point(hop, hop.input.value_or("lo"), "destination", hop.note);
                break;
            case RouteStep::leaves:
                point(hop, std::nullopt, "outside", hop.note);
                break;
            default:
                add_lost(hop, first);
        }
    }

    void add_source(const PlacedHop& hop) {
        auto detail = hop.route && hop.route->source ? "from " + hop.route->source->to_string() + ", " : "";
        point(hop, hop.output, "source", detail + next_hop(hop));
    }

    static std::string next_hop(const PlacedHop& hop) {
        std::string text;
        if (hop.next_hop) text = "next hop " + hop.next_hop->to_string();
        if (!hop.note.empty()) text += (text.empty() ? "" : "; ") + hop.note;
        return text;
    }

    void add_routed(const PlacedHop& hop, bool first) {
        if (first) {
            add_source(hop);
        } else {
            add_input(hop, "routed by " + hop.target);
            point(hop, hop.output, "route", next_hop(hop));
        }
        point(hop, hop.output_port, "port", {});
    }

    void add_lost(const PlacedHop& hop, bool first) {
        const bool on_link = hop.step == RouteStep::link_down || hop.step == RouteStep::blocked;
        const bool on_bridge = !hop.route && hop.input && hop.next_hop;
        if (on_bridge && (on_link || hop.step == RouteStep::unknown)) {
            add_bridge(hop);
            way_.ends_on_bridge = true;
        } else if (on_link && hop.route && hop.output) {
            add_routed(hop, first);
        } else {
            add_end(hop, first);
        }
    }

    void add_bridge(const PlacedHop& hop) {
        add_port(hop);
        point(hop, hop.input, "bridge", hop.note);
        way_.points.back().forwards = true;
        way_.points.back().port.reset();
        point(hop, hop.output_port, "port", {});
    }

    void add_port(const PlacedHop& hop) { point(hop, hop.port, "port", {}); }

    void add_input(const PlacedHop& hop, const std::string& detail) {
        add_port(hop);
        point(hop, hop.input, hop.port ? "bridge" : "port", detail);
    }

    /// Where it is lost, or what netlab does not know.
    void add_end(const PlacedHop& hop, bool first) {
        add_port(hop);
        const auto& interface = hop.input ? hop.input : hop.output;
        const auto words = hop.note.empty() ? std::string() : hop.note;
        if (interface) {
            point(hop, interface, first ? "source" : "route", words);
        } else {
            auto& end = way_.points.emplace_back();
            end.place = hop.place;
            end.hop = {hop.target, "", "route", {}, {}, words};
        }
    }

    void point(const PlacedHop& hop, const std::optional<std::string>& interface, const char* kind,
               std::string detail) {
        if (!interface && std::string_view(kind) != "outside") return;
        WayPoint one;
        one.hop = {hop.target, interface.value_or(""), kind, {}, {}, std::move(detail)};
        one.place = hop.place;
        one.duplicate_next_hop = hop.duplicate_next_hop;
        if (interface && hop.place) one.port = find(*hop.place, *interface);
        way_.points.push_back(std::move(one));
    }

    [[nodiscard]] std::optional<Port> find(std::size_t place, const std::string& interface) const {
        const auto& links = topology_[place].links;
        const auto found = std::ranges::find(links, interface, &kernel::Link::name);
        return found == links.end() ? std::nullopt : std::optional(Port{place, found->index});
    }

    const Topology& topology_;
    Way way_;
};

}  // namespace

Way way_of(const Topology& topology, const std::vector<PlacedHop>& hops) {
    return Builder(topology).from(hops);
}

Way until(Way way, std::size_t place, const std::string& target) {
    auto& points = way.points;
    const auto is_there = [&](const WayPoint& one) { return one.place == place; };
    const auto there = std::ranges::find_if(points, is_there);
    const bool comes = there != points.end();
    // Where a frame comes in by a bridge's port, the bridge is what takes it.
    const auto end = std::find_if(
        there, points.end(), [&](const WayPoint& one) { return !is_there(one) || one.hop.kind != "port"; });
    const bool bridge = end != points.end() && is_there(*end) && end->hop.kind == "bridge";
    points.erase(bridge ? std::next(end) : end, points.end());
    if (!comes || points.empty() || !is_there(points.back())) points.clear();
    if (!points.empty()) points.back().forwards = false;
    way.end = RouteStep::routed;
    way.end_target = target;
    way.end_place = place;
    way.note.clear();
    way.ends_on_bridge = false;
    return way;
}

std::vector<PlacedHop> until(std::vector<PlacedHop> hops, std::size_t place) {
    // A bridge of its may have passed the frame on before.
    const auto there = std::ranges::find_if(
        hops, [&](const PlacedHop& one) { return one.place == place && one.step != RouteStep::switched; });
    hops.erase(there, hops.end());
    return hops;
}

Way joined(Way first, const Way& rest, const std::string& translation) {
    // It is not taken there, but sent on: what it was delivered by is where it came in.
    if (!first.points.empty() && first.points.back().hop.kind == "destination") {
        first.points.back().hop.kind = first.points.back().hop.interface == "lo" ? "source" : "port";
        if (first.points.back().hop.kind == "source") first.points.pop_back();
    }
    auto& nat = first.points.emplace_back();
    nat.place = first.end_place;
    nat.hop = {first.end_target, "", "nat", {}, {}, translation};
    for (const auto& point : rest.points) {
        first.points.push_back(point);
        // The second walk begins in the middle.
        if (first.points.back().hop.kind == "source") first.points.back().hop.kind = "route";
    }
    first.end = rest.end;
    first.end_target = rest.end_target;
    first.end_place = rest.end_place;
    first.note = rest.note;
    first.ends_on_bridge = rest.ends_on_bridge;
    return first;
}

}  // namespace netlab::operations
