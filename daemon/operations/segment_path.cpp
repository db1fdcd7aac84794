#include "daemon/operations/segment_path.hpp"

#include <algorithm>
#include <map>
#include <queue>

namespace netlab::operations {

namespace {

/// Fewest obstacles first, then fewest steps.
struct Cost {
    std::uint32_t obstacles = 0;
    std::uint32_t steps = 0;
    friend auto operator<=>(const Cost&, const Cost&) = default;
};

struct Visit {
    Cost cost;
    FrameState from;
    FrameStep step;
};

void add_crossing(FramePath& path, Port device, const FrameState& from, const FrameState& to) {
    if (path.crossings.empty() || path.crossings.back().device != device)
        path.crossings.push_back({device, std::nullopt, std::nullopt});
    auto& crossing = path.crossings.back();
    if (from.act == FrameAct::received && !crossing.entry) crossing.entry = from.port;
    if (to.act == FrameAct::sent) crossing.exit = to.port;
}

/// Adds one step; false where the frame does not get past it.
bool extend(FramePath& path, const FrameState& from, const FrameStep& step) {
    if (step.device) add_crossing(path, *step.device, from, step.to);
    path.last = step.to.port;
    path.obstacle = step.obstacle;
    path.arrived = step.to.act == FrameAct::taken && !step.obstacle;
    return !step.obstacle;
}

/// Dijkstra's shortest path over the states of a frame.
class Search {
  public:
    Search(const Topology& topology, Port origin, const std::vector<Port>& ends)
        : topology_(topology), start_{origin, FrameAct::sent}, ends_(ends) {}

    std::optional<FramePath> run() {
        queue_.push({Cost{}, start_});
        // Somebody's own labyrinth of bridges must not cost more than this.
        constexpr std::size_t most_steps = 1'000'000;
        for (std::size_t done = 0; !queue_.empty() && done < most_steps;) {
            const auto [cost, state] = queue_.top();
            queue_.pop();
            if (state.act == FrameAct::taken && std::ranges::count(ends_, state.port) != 0)
                return path(state);
            if (const auto seen = visits_.find(state); seen != visits_.end() && seen->second.cost < cost)
                continue;
            auto steps = frame_steps(topology_, start_.port, state);
            done += steps.size() + 1;
            for (auto& step : steps)
                visit(cost, state, std::move(step));
        }
        return std::nullopt;
    }

  private:
    void visit(Cost cost, const FrameState& from, FrameStep step) {
        cost.obstacles += step.obstacle ? 1 : 0;
        ++cost.steps;
        const auto seen = visits_.find(step.to);
        if (step.to == start_ || (seen != visits_.end() && seen->second.cost <= cost)) return;
        const FrameState to = step.to;
        queue_.push({cost, to});
        visits_.insert_or_assign(to, Visit{cost, from, std::move(step)});
    }

    [[nodiscard]] FramePath path(FrameState state) const {
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

    using Queued = std::pair<Cost, FrameState>;

    const Topology& topology_;
    FrameState start_;
    const std::vector<Port>& ends_;
    std::map<FrameState, Visit> visits_;
    std::priority_queue<Queued, std::vector<Queued>, std::greater<>> queue_;
};

/// A veth's other end, a child's parent, a bridge, else the namespace itself; nullptr: outside.
const FrameStep* step_to_nobody(const Topology& topology, const FrameState& at,
                                const std::vector<FrameStep>& steps) {
    if (at.act == FrameAct::received) return topology.master(at.port) ? &steps.front() : &steps.back();
    const auto found = std::ranges::find_if(
        steps, [](const FrameStep& step) { return !step.device || step.to.act == FrameAct::sent; });
    return found == steps.end() ? nullptr : &*found;
}

}  // namespace

std::optional<FramePath> path_to(const Topology& topology, Port out, const std::vector<Port>& ends) {
    return Search(topology, out, ends).run();
}

FramePath path_to_nobody(const Topology& topology, Port out) {
    FramePath path;
    path.last = out;
    FrameState at{out, FrameAct::sent};
    constexpr std::size_t most = 64;
    for (std::size_t i = 0; i < most && !path.arrived; ++i) {
        if (at.act == FrameAct::sent) {
            if (const auto why = why_down(topology, at.port)) {
                path.obstacle = Obstacle{Obstacle::Kind::link_down, *why};
                break;
            }
            // A bridge may pass it to any of its ports.
            if (!topology.ports(at.port).empty()) break;
        }
        const auto next = frame_steps(topology, out, at);
        const auto* step = step_to_nobody(topology, at, next);
        if (step == nullptr || !extend(path, at, *step)) break;
        at = step->to;
        if (step->device && at.act == FrameAct::received) break;  // a bridge
    }
    return path;
}

}  // namespace netlab::operations
