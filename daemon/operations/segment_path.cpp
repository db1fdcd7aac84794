#include "daemon/operations/segment_path.hpp"

#include "daemon/kernel/link_details.hpp"

#include <algorithm>
#include <map>
#include <queue>

#include <linux/if.h>
#include <linux/if_bridge.h>

namespace netlab::operations {

namespace {

/// What happens to the frame at an interface.
enum class Act : std::uint8_t {
    sent,      ///< it is given to the interface to be sent
    received,  ///< it came in by it
    taken,     ///< its namespace takes it
};

struct State {
    Port port;
    Act act = Act::sent;
    friend auto operator<=>(const State&, const State&) = default;
};

/// From one state to the next.
struct Step {
    State to;
    std::optional<Port> device = std::nullopt;  ///< the one that passes it on between others
    std::optional<Obstacle> obstacle = std::nullopt;
};

Obstacle blocked(std::string note) {
    return {Obstacle::Kind::blocked, std::move(note)};
}

bool is_up(const Topology& topology, Port port) {
    const auto* link = topology.link(port);
    return link != nullptr && (link->flags & IFF_UP) != 0;
}

std::optional<Obstacle> down(const Topology& topology, Port port) {
    auto why = why_down(topology, port);
    return why ? std::optional(Obstacle{Obstacle::Kind::link_down, std::move(*why)}) : std::nullopt;
}

/// A bridge's port passes frames in the state forwarding only; a bond's has no such state.
std::optional<Obstacle> not_forwarding(const Topology& topology, Port bridge, Port port) {
    const auto& rules = topology.rules(port).port;
    if (!rules || rules->state == BR_STATE_FORWARDING) return std::nullopt;
    const auto bridge_name = topology.name(bridge);
    if (!is_up(topology, bridge))
        return Obstacle{Obstacle::Kind::link_down, topology.full_name(bridge) + " is down"};
    if (auto why = down(topology, port)) return why;
    return blocked("the port " + topology.name(port) + " of " + bridge_name + " is in the state " +
                   kernel::port_state_name(rules->state) + ", which passes nothing");
}

std::optional<Obstacle> both_isolated(const Topology& topology, Port bridge, Port in, Port out) {
    const auto isolated = [&](Port port) {
        const auto& rules = topology.rules(port).port;
        return rules && rules->isolated;
    };
    if (!isolated(in) || !isolated(out)) return std::nullopt;
    return blocked(topology.name(bridge) + " passes nothing between " + topology.name(in) + " and " +
                   topology.name(out) + ": both ports are isolated");
}

bool has_hairpin(const Topology& topology, Port port) {
    const auto& rules = topology.rules(port).port;
    return rules && rules->hairpin;
}

bool is_ipvlan(const Topology& topology, Port port) {
    return topology.link(port)->kind.starts_with("ipv");
}

/// "bridge", "private", "vepa", "passthru", "source": how it deals with others of its parent.
const std::string& sharing_mode(const Topology& topology, Port child) {
    const auto& rules = topology.rules(child);
    return is_ipvlan(topology, child) ? rules.isolation : rules.mode;
}

std::string child_text(const Topology& topology, Port child) {
    return topology.full_name(child) + " (" + topology.link(child)->kind + ", mode " +
           sharing_mode(topology, child) + ")";
}

/// All steps that a frame may take; `origin` is the interface that it was first sent by.
class Steps {
  public:
    Steps(const Topology& topology, Port origin) : topology_(topology), origin_(origin) {}

    [[nodiscard]] std::vector<Step> from(const State& state) const {
        std::vector<Step> steps;
        if (state.act == Act::sent) {
            sent(state.port, steps);
        } else if (state.act == Act::received) {
            received(state.port, steps);
        }
        return steps;
    }

  private:
    void sent(Port port, std::vector<Step>& steps) const {
        if (const auto peer = topology_.peer(port)) steps.push_back({{*peer, Act::received}});
        for (const auto exit : topology_.ports(port))
            steps.push_back({{exit, Act::sent}, port, not_forwarding(topology_, port, exit)});
        if (const auto parent = topology_.parent(port)) sent_by_child(port, *parent, steps);
        if (port == origin_) sent_to_own_children(port, steps);
        // What is down sends nothing at all.
        const auto obstacle = steps.empty() ? std::nullopt : down(topology_, port);
        for (auto& step : steps) {
            if (!obstacle) break;
            step.device.reset();
            step.obstacle = obstacle;
        }
    }

    void sent_by_child(Port child, Port parent, std::vector<Step>& steps) const {
        steps.push_back({{parent, Act::sent}, parent});
        const auto& mode = sharing_mode(topology_, child);
        for (const auto other : topology_.children(parent)) {
            if (other == child) continue;
            const auto& others = sharing_mode(topology_, other);
            std::optional<Obstacle> obstacle;
            if (mode != "bridge" || others != "bridge")
                obstacle = blocked("between " + child_text(topology_, child) + " and " +
                                   child_text(topology_, other) +
                                   " nothing passes inside: both would have to be in the mode bridge");
            steps.push_back({{other, Act::received}, parent, std::move(obstacle)});
        }
        steps.push_back({{parent, Act::taken}, parent, host_and_child(parent, child)});
    }

    void sent_to_own_children(Port parent, std::vector<Step>& steps) const {
        for (const auto child : topology_.children(parent))
            steps.push_back({{child, Act::received}, parent, host_and_child(parent, child)});
    }

    [[nodiscard]] Obstacle host_and_child(Port parent, Port child) const {
        const auto& kind = topology_.link(child)->kind;
        return blocked(kind + " host to container: " + child_text(topology_, child) + " and " +
                       topology_[parent.place].target + ", which has its parent " + topology_.name(parent) +
                       ", do not reach each other over it (they would over a " + kind + " of " +
                       topology_[parent.place].target + "'s own)");
    }

    void received(Port port, std::vector<Step>& steps) const {
        if (!is_up(topology_, port)) return down_receiver(port, steps);
        if (const auto bridge = topology_.master(port)) return entered(*bridge, port, steps);
        const auto children = topology_.children(port);
        const auto parent_of_origin = topology_.parent(origin_);
        // It came back from outside: macvlan_handle_frame() knows its own children's frames again.
        const bool reflected = parent_of_origin == port;
        bool taken_over = false;
        for (const auto child : children) {
            const auto& mode = sharing_mode(topology_, child);
            taken_over = taken_over || mode == "passthru";
            if (child == origin_) continue;
            std::optional<Obstacle> obstacle;
            if (reflected && (mode == "private" || sharing_mode(topology_, origin_) == "private"))
                obstacle = blocked("between " + child_text(topology_, origin_) + " and " +
                                   child_text(topology_, child) + " nothing passes");
            steps.push_back({{child, Act::received}, port, std::move(obstacle)});
        }
        std::optional<Obstacle> obstacle;
        if (taken_over)
            obstacle = blocked(topology_.full_name(port) +
                               " gives everything to its macvlan, which is in the mode passthru");
        steps.push_back({{port, Act::taken}, std::nullopt, std::move(obstacle)});
    }

    /// Only an obstacle: without it nobody would be told why.
    void down_receiver(Port port, std::vector<Step>& steps) const {
        steps.push_back({{port, Act::taken}, std::nullopt, down(topology_, port)});
    }

    void entered(Port bridge, Port entry, std::vector<Step>& steps) const {
        const auto shut = not_forwarding(topology_, bridge, entry);
        steps.push_back({{bridge, Act::received}, bridge, shut});
        for (const auto exit : topology_.ports(bridge)) {
            if (exit == entry && !has_hairpin(topology_, entry)) continue;
            auto obstacle = shut;
            if (!obstacle) obstacle = both_isolated(topology_, bridge, entry, exit);
            if (!obstacle) obstacle = not_forwarding(topology_, bridge, exit);
            steps.push_back({{exit, Act::sent}, bridge, std::move(obstacle)});
        }
    }

    const Topology& topology_;
    Port origin_;
};

/// Fewest obstacles first, then fewest steps.
struct Cost {
    std::uint32_t obstacles = 0;
    std::uint32_t steps = 0;
    friend auto operator<=>(const Cost&, const Cost&) = default;
};

struct Visit {
    Cost cost;
    State from;
    Step step;
};

void add_crossing(FramePath& path, Port device, const State& from, const State& to) {
    if (path.crossings.empty() || path.crossings.back().device != device)
        path.crossings.push_back({device, std::nullopt, std::nullopt});
    auto& crossing = path.crossings.back();
    if (from.act == Act::received && !crossing.entry) crossing.entry = from.port;
    if (to.act == Act::sent) crossing.exit = to.port;
}

/// Adds one step; false where the frame does not get past it.
bool extend(FramePath& path, const State& from, const Step& step) {
    if (step.device) add_crossing(path, *step.device, from, step.to);
    path.last = step.to.port;
    path.obstacle = step.obstacle;
    path.arrived = step.to.act == Act::taken && !step.obstacle;
    return !step.obstacle;
}

/// Dijkstra's shortest path over the states of a frame.
class Search {
  public:
    Search(const Topology& topology, Port origin, const std::vector<Port>& ends)
        : steps_(topology, origin), start_{origin, Act::sent}, ends_(ends) {}

    std::optional<FramePath> run() {
        queue_.push({Cost{}, start_});
        // Somebody's own labyrinth of bridges must not cost more than this.
        constexpr std::size_t most_steps = 1'000'000;
        for (std::size_t done = 0; !queue_.empty() && done < most_steps;) {
            const auto [cost, state] = queue_.top();
            queue_.pop();
            if (state.act == Act::taken && std::ranges::count(ends_, state.port) != 0) return path(state);
            if (const auto seen = visits_.find(state); seen != visits_.end() && seen->second.cost < cost)
                continue;
            auto steps = steps_.from(state);
            done += steps.size() + 1;
            for (auto& step : steps)
                visit(cost, state, std::move(step));
        }
        return std::nullopt;
    }

  private:
    void visit(Cost cost, const State& from, Step step) {
        cost.obstacles += step.obstacle ? 1 : 0;
        ++cost.steps;
        const auto seen = visits_.find(step.to);
        if (step.to == start_ || (seen != visits_.end() && seen->second.cost <= cost)) return;
        queue_.push({cost, step.to});
        visits_.insert_or_assign(step.to, Visit{cost, from, std::move(step)});
    }

    [[nodiscard]] FramePath path(State state) const {
        std::vector<const Visit*> way;
        while (state != start_) {
            way.push_back(&visits_.at(state));
            state = way.back()->from;
        }
        FramePath out;
        for (auto at = way.rbegin(); at != way.rend(); ++at) {
            if (!extend(out, (*at)->from, (*at)->step)) break;
        }
        return out;
    }

    using Queued = std::pair<Cost, State>;

    Steps steps_;
    State start_;
    const std::vector<Port>& ends_;
    std::map<State, Visit> visits_;
    std::priority_queue<Queued, std::vector<Queued>, std::greater<>> queue_;
};

/// A veth's other end, a child's parent, a bridge, else the namespace itself; nullptr: outside.
const Step* step_to_nobody(const Topology& topology, const State& at, const std::vector<Step>& steps) {
    if (at.act == Act::received) return topology.master(at.port) ? &steps.front() : &steps.back();
    const auto found = std::ranges::find_if(
        steps, [](const Step& step) { return !step.device || step.to.act == Act::sent; });
    return found == steps.end() ? nullptr : &*found;
}

}  // namespace

std::optional<std::string> why_down(const Topology& topology, Port port) {
    const auto* link = topology.link(port);
    if (link == nullptr) return std::nullopt;
    if ((link->flags & IFF_UP) == 0) return topology.full_name(port) + " is down";
    if ((link->flags & IFF_LOWER_UP) != 0) return std::nullopt;
    auto text = topology.full_name(port) + " has no carrier";
    if (const auto peer = topology.peer(port); peer && !is_up(topology, *peer))
        return text + ": its other end " + topology.full_name(*peer) + " is down";
    if (const auto parent = topology.parent(port)) {
        if (const auto why = why_down(topology, *parent)) return text + ": its parent " + *why;
    }
    return text;
}

std::optional<FramePath> path_to(const Topology& topology, Port out, const std::vector<Port>& ends) {
    return Search(topology, out, ends).run();
}

FramePath path_to_nobody(const Topology& topology, Port out) {
    const Steps steps(topology, out);
    FramePath path;
    path.last = out;
    State at{out, Act::sent};
    constexpr std::size_t most = 64;
    for (std::size_t i = 0; i < most && !path.arrived; ++i) {
        if (at.act == Act::sent) {
            path.obstacle = down(topology, at.port);
            // A bridge may pass it to any of its ports.
            if (path.obstacle || !topology.ports(at.port).empty()) break;
        }
        const auto next = steps.from(at);
        const auto* step = step_to_nobody(topology, at, next);
        if (step == nullptr || !extend(path, at, *step)) break;
        at = step->to;
        if (step->device && at.act == Act::received) break;  // a bridge
    }
    return path;
}

}  // namespace netlab::operations
