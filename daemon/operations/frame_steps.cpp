#include "daemon/operations/frame_steps.hpp"

#include "daemon/kernel/link_details.hpp"

#include <linux/if.h>
#include <linux/if_bridge.h>

namespace netlab::operations {

namespace {

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

class Steps {
  public:
    Steps(const Topology& topology, Port origin) : topology_(topology), origin_(origin) {}

    [[nodiscard]] std::vector<FrameStep> from(const FrameState& state) const {
        std::vector<FrameStep> steps;
        if (state.act == FrameAct::sent) {
            sent(state.port, steps);
        } else if (state.act == FrameAct::received) {
            received(state.port, steps);
        }
        return steps;
    }

  private:
    void sent(Port port, std::vector<FrameStep>& steps) const {
        if (const auto peer = topology_.peer(port)) steps.push_back({{*peer, FrameAct::received}});
        for (const auto exit : topology_.ports(port))
            steps.push_back({{exit, FrameAct::sent}, port, not_forwarding(topology_, port, exit)});
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

    void sent_by_child(Port child, Port parent, std::vector<FrameStep>& steps) const {
        steps.push_back({{parent, FrameAct::sent}, parent});
        const auto& mode = sharing_mode(topology_, child);
        for (const auto other : topology_.children(parent)) {
            if (other == child) continue;
            const auto& others = sharing_mode(topology_, other);
            std::optional<Obstacle> obstacle;
            if (mode != "bridge" || others != "bridge")
                obstacle = blocked("between " + child_text(topology_, child) + " and " +
                                   child_text(topology_, other) +
                                   " nothing passes inside: both would have to be in the mode bridge");
            steps.push_back({{other, FrameAct::received}, parent, std::move(obstacle)});
        }
        steps.push_back({{parent, FrameAct::taken}, parent, host_and_child(parent, child)});
    }

    void sent_to_own_children(Port parent, std::vector<FrameStep>& steps) const {
        for (const auto child : topology_.children(parent))
            steps.push_back({{child, FrameAct::received}, parent, host_and_child(parent, child)});
    }

    [[nodiscard]] Obstacle host_and_child(Port parent, Port child) const {
        const auto& kind = topology_.link(child)->kind;
        return blocked(kind + " host to container: " + topology_.full_name(child) + " (mode " +
                       sharing_mode(topology_, child) + ") and the host of its parent " +
                       topology_.name(parent) + " do not reach each other (a " + kind +
                       " of the host's own would)");
    }

    void received(Port port, std::vector<FrameStep>& steps) const {
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
            steps.push_back({{child, FrameAct::received}, port, std::move(obstacle)});
        }
        std::optional<Obstacle> obstacle;
        if (taken_over)
            obstacle = blocked(topology_.full_name(port) +
                               " gives everything to its macvlan, which is in the mode passthru");
        steps.push_back({{port, FrameAct::taken}, std::nullopt, std::move(obstacle)});
    }

    /// Only an obstacle: without it nobody would be told why.
    void down_receiver(Port port, std::vector<FrameStep>& steps) const {
        steps.push_back({{port, FrameAct::taken}, std::nullopt, down(topology_, port)});
    }

    void entered(Port bridge, Port entry, std::vector<FrameStep>& steps) const {
        const auto shut = not_forwarding(topology_, bridge, entry);
        steps.push_back({{bridge, FrameAct::received}, bridge, shut});
        for (const auto exit : topology_.ports(bridge)) {
            if (exit == entry && !has_hairpin(topology_, entry)) continue;
            auto obstacle = shut;
            if (!obstacle) obstacle = both_isolated(topology_, bridge, entry, exit);
            if (!obstacle) obstacle = not_forwarding(topology_, bridge, exit);
            steps.push_back({{exit, FrameAct::sent}, bridge, std::move(obstacle)});
        }
    }

    const Topology& topology_;
    Port origin_;
};

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

std::vector<FrameStep> frame_steps(const Topology& topology, Port origin, const FrameState& state) {
    return Steps(topology, origin).from(state);
}

}  // namespace netlab::operations
