#include "daemon/operations/route_walk.hpp"

#include "daemon/operations/route_row.hpp"
#include "daemon/operations/segment_owners.hpp"
#include "daemon/operations/segment_path.hpp"

#include <algorithm>

namespace netlab::operations {

namespace {

using api::RouteHop;
using api::RouteStep;

/// Where the packet is: it came into `place` by `input`, or was made there.
struct Position {
    std::size_t place = 0;
    std::optional<Port> input;  ///< what the kernel routes by: of a bridge the bridge itself
    std::optional<Port> port;   ///< the bridge's port
};

RouteStep step_of(Obstacle::Kind kind) {
    return kind == Obstacle::Kind::link_down ? RouteStep::link_down : RouteStep::blocked;
}

void add_note(RouteHop& hop, const std::string& note) {
    hop.note += (hop.note.empty() || note.empty() ? "" : "; ") + note;
}

class Walk {
  public:
    Walk(const Topology& topology, const kernel::RouteQuery& query, const AskKernel& ask)
        : topology_(topology), query_(query), ask_(ask) {}

    Result<std::vector<RouteHop>> from(std::size_t place) {
        Position at{place, std::nullopt, std::nullopt};
        if (query_.input != 0) at.input = Port{place, query_.input};
        constexpr std::size_t most = 16;
        for (std::size_t i = 0; i < most; ++i) {
            const auto reply = ask_.route(at.place, query_);
            if (!reply) {
                if (hops_.empty()) return reply.error();
                hop(at, RouteStep::unknown).note = reply.error().message;
                return std::move(hops_);
            }
            if (!decide(at, *reply)) return std::move(hops_);
        }
        hop(at, RouteStep::unknown).note = "it goes in circles, or further than netlab follows it";
        return std::move(hops_);
    }

    [[nodiscard]] std::vector<HopFacts> facts() { return std::move(facts_); }

  private:
    RouteHop& hop(const Position& at, RouteStep step) {
        auto& hop = hops_.emplace_back();
        hop.target = topology_[at.place].target;
        facts_.push_back({at.place});
        hop.step = step;
        if (at.input) hop.input = topology_.name(*at.input);
        if (at.port) hop.port = topology_.name(*at.port);
        return hop;
    }

    /// One kernel's answer; false where the way ends.
    bool decide(Position& at, const kernel::RouteReply& reply) {
        const auto verdict = judge(topology_, ask_, at.place, query_, reply);
        auto& here = hop(at, verdict.step);
        here.note = verdict.note;
        if (reply.route) {
            const InterfaceNames names(topology_[at.place].links);
            here.route = route_entry(here.target, *reply.route, names);
        }
        if (verdict.step != RouteStep::routed) return false;
        const Port out{at.place, reply.route->hop.index};
        const auto next = reply.route->hop.gateway.value_or(query_.destination);
        here.output = topology_.name(out);
        here.next_hop = next;
        add_note(here, one_of_several(at.place));
        // Behind the first namespace it is a packet like any other, from the source that it was given there.
        if (!query_.from) query_.from = reply.route->source;
        query_.mark = 0;
        query_.output = 0;
        if (reply.route->kind == RTN_BROADCAST || query_.destination.is_multicast()) {
            add_note(here, "to all that listen on this network");
            return false;
        }
        return is_routed_by_parent(out) ? leave_to_parent(out, at) : cross(out, next, at);
    }

    /// Of a route with several next hops, the kernel's answer is one for this question only.
    std::string one_of_several(std::size_t place) const {
        auto query = query_;
        query.which_entry = true;
        const auto entry = ask_.route(place, query);
        const auto count = entry && entry->route ? entry->route->hops.size() : 0;
        if (count < 2) return {};
        return "one of " + std::to_string(count) + " next hops: of a connection its hash decides";
    }

    // ---- over a segment

    /// From an interface to whoever has the next hop's address on its segment; false where that is nobody, or
    /// where it is lost on the way.
    bool cross(Port out, const IpAddress& next, Position& at) {
        const auto owners = owners_on_segment(topology_, out, next);
        auto path = path_to(topology_, out, owners);
        if (path && owners.size() > 1) {
            facts_.back().duplicate_next_hop = true;
            add_note(hops_.back(),
                     next.to_string() + " is there more than once: " + names_of(topology_, owners));
        }
        if (!path && next.is_v4()) {
            path = path_to(topology_, out, answering_for(topology_, out, next));
            if (path && path->arrived)
                add_note(hops_.back(), topology_.full_name(path->last) + " answers for " + next.to_string() +
                                           ", which another interface there has (unless arp_ignore)");
        }
        if (!path) return nobody(out, next, at);
        const auto port = show(*path, out, next);
        if (path->obstacle) return false;
        arrive(path->last, port, at);
        return true;
    }

    void arrive(Port owner, std::optional<Port> port, Position& at) {
        at = {owner.place, owner, port};
        query_.input = owner.index;
    }

    /// A hop for each device that passes it on. What the sending namespace's own bridge does is said in the
    /// hop before, and what the receiving one's does in the next: then the port that it comes in by is
    /// returned.
    std::optional<Port> show(const FramePath& path, Port out, const IpAddress& next) {
        const auto before = hops_.size();
        std::optional<Port> port;
        for (const auto& crossing : path.crossings) {
            if (path.arrived && crossing.device == path.last) {
                if (crossing.entry != crossing.device) port = crossing.entry;
            } else if (crossing.device == out) {
                if (crossing.exit) hops_.back().output_port = topology_.name(*crossing.exit);
            } else {
                show(crossing, out, next);
            }
        }
        if (path.obstacle) {
            hops_.back().step = step_of(path.obstacle->kind);
            // It names who is concerned better than what is there by now.
            if (hops_.size() > before) hops_.back().note.clear();
            add_note(hops_.back(), path.obstacle->note);
        }
        return port;
    }

    void show(const Crossing& crossing, Port out, const IpAddress& next) {
        const auto device = crossing.device;
        const bool from_outside = crossing.entry == device;
        auto& here =
            hop({device.place, device, from_outside ? std::nullopt : crossing.entry}, RouteStep::switched);
        here.next_hop = next;
        if (crossing.exit == device)
            here.output = topology_.name(device);
        else if (crossing.exit)
            here.output_port = topology_.name(*crossing.exit);
        if (topology_.parent(out) == device) here.note = "the parent of " + topology_.full_name(out);
        if (topology_.rules(device).filters_vlans)
            add_note(here, topology_.name(device) + " filters by VLAN, which netlab does not look at");
    }

    /// False, but where a namespace answers for addresses that it does not have.
    bool nobody(Port out, const IpAddress& next, Position& at) {
        const auto path = path_to_nobody(topology_, out);
        const auto text = next.to_string();
        const auto port = show(path, out, next);
        if (path.obstacle) return false;
        if (path.arrived) {
            const auto settings = ask_.settings(path.last.place, next.family(), path.last.index);
            if (settings && settings->proxies.value_or(false)) {
                add_note(hops_.back(), topology_.full_name(path.last) + " answers for " + text +
                                           (next.is_v4() ? " (proxy_arp)" : " (proxy_ndp)"));
                arrive(path.last, port, at);
                return true;
            }
            hop({path.last.place, path.last, port}, RouteStep::unknown).note =
                text + " is no address of this namespace";
        } else if (stays_on_bridge(path, out)) {
            auto& last = hops_.back();
            if (last.step == RouteStep::switched) last.step = RouteStep::unknown;
            add_note(last, "no target that netlab knows has " + text +
                               (last.step == RouteStep::unknown ? " on this bridge" : " on this network") +
                               elsewhere(topology_, out, next));
        } else {
            auto& last = hops_.emplace_back();
            facts_.emplace_back();
            last.step = RouteStep::leaves;
            last.note = "what is behind " + topology_.full_name(path.last) + " netlab does not see";
        }
        return false;
    }

    [[nodiscard]] bool stays_on_bridge(const FramePath& path, Port out) const {
        const auto device = path.crossings.empty() ? out : path.crossings.back().device;
        return topology_.link(device) != nullptr && topology_.link(device)->kind == "bridge";
    }

    // ---- ipvlan in its modes l3 and l3s

    [[nodiscard]] bool is_routed_by_parent(Port out) const {
        const auto& mode = topology_.rules(out).mode;
        return (mode == "l3" || mode == "l3s") && topology_.parent(out);
    }

    /// ipvlan_xmit_mode_l3() in drivers/net/ipvlan: another child that has the destination gets it, else the
    /// parent's namespace routes it as if it were its own, out by the parent.
    bool leave_to_parent(Port out, Position& at) {
        const auto parent = *topology_.parent(out);
        const auto children = topology_.children(parent);
        for (const auto owner : topology_.owners(query_.destination)) {
            if (owner == out || std::ranges::count(children, owner) == 0) continue;
            arrive(owner, std::nullopt, at);
            return true;
        }
        add_note(hops_.back(), "what the ipvlan does not know " + topology_[parent.place].target +
                                   " routes, by " + topology_.name(parent));
        at = {parent.place, std::nullopt, std::nullopt};
        query_.input = 0;
        query_.output = parent.index;
        return true;
    }

    const Topology& topology_;
    kernel::RouteQuery query_;
    const AskKernel& ask_;
    std::vector<RouteHop> hops_;
    std::vector<HopFacts> facts_;  ///< of the hops
};

}  // namespace

Result<std::vector<RouteHop>> walk(const Topology& topology, std::size_t place,
                                   const kernel::RouteQuery& query, const AskKernel& ask,
                                   std::vector<HopFacts>* facts) {
    Walk walk(topology, query, ask);
    auto hops = walk.from(place);
    if (facts != nullptr) *facts = walk.facts();
    return hops;
}

}  // namespace netlab::operations
