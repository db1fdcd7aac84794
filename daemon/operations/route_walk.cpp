#include "daemon/operations/route_walk.hpp"

#include "daemon/operations/network_facts.hpp"
#include "daemon/operations/route_row.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>

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

std::string kernel_words(int error) {
    // fib_frontend.c, fib_validate_source(): the reverse path filter, and a source that can be nobody's.
    if (error == EXDEV)
        return "the reverse path filter drops it: the way back to its source is another interface "
               "(rp_filter)";
    if (error == EINVAL) return "its source or destination address is not acceptable here (martian)";
    return std::strerror(error);
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
            const auto reply = ask_(at.place, query_);
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

  private:
    RouteHop& hop(const Position& at, RouteStep step) {
        auto& hop = hops_.emplace_back();
        hop.target = topology_[at.place].target;
        hop.step = step;
        if (at.input) hop.input = topology_.name(*at.input);
        if (at.port) hop.port = topology_.name(*at.port);
        return hop;
    }

    std::string cause_of(const Position& at, const kernel::RouteReply& reply, RouteStep step) {
        if (step == RouteStep::prohibited) return "a route or rule says so";
        if (step == RouteStep::refused) return kernel_words(reply.error);
        if (step != RouteStep::unreachable) return {};
        int error = reply.error;
        if (at.input && !reply.route) {
            // A namespace that does not forward says EHOSTUNREACH, whatever its routes are.
            const auto own = ask_(at.place, {query_.destination, std::nullopt, 0, 0, false});
            if (own && own->error == 0)
                return "there is a route, but nothing is forwarded from " + topology_.name(*at.input) +
                       " (ip_forward, forwarding)";
            if (own) error = own->error;
        }
        return error == ENETUNREACH ? "there is no route" : "a route or rule says so";
    }

    /// EINVAL is a blackhole's, but also what a packet that comes in gets whose source is not acceptable:
    /// without both there is no other reason for it.
    bool is_blackhole(std::size_t place) {
        const auto again = ask_(place, {query_.destination, std::nullopt, 0, 0, false});
        return again && again->error == EINVAL;
    }

    /// One kernel's answer; false where the way ends.
    bool decide(Position& at, const kernel::RouteReply& reply) {
        auto step = step_of(reply);
        if (step == RouteStep::blackhole && !reply.route && at.input && !is_blackhole(at.place))
            step = RouteStep::refused;
        auto& here = hop(at, step);
        here.note = cause_of(at, reply, step);
        if (reply.route) {
            const InterfaceNames names(topology_[at.place].links);
            here.route = route_entry(here.target, *reply.route, names);
        }
        if (step != RouteStep::routed) return false;
        const Port out{at.place, reply.route->hop.index};
        const auto next = reply.route->hop.gateway.value_or(query_.destination);
        here.output = topology_.name(out);
        here.next_hop = next;
        // Behind the first namespace it is a packet like any other, from the source that it was given there.
        if (!query_.from) query_.from = reply.route->source;
        query_.mark = 0;
        if (reply.route->kind == RTN_BROADCAST || query_.destination.is_multicast()) {
            here.note = "to all that listen on this network";
            return false;
        }
        return cross(out, next, at);
    }

    /// From an interface to whoever has the next hop's address on its segment; false where that is nobody.
    bool cross(Port out, const IpAddress& next, Position& at) {
        auto owners = topology_.owners(next);
        std::erase_if(owners, [&](Port owner) {
            return owner.place == out.place || !topology_.on_one_segment(owner, out);
        });
        const auto entry = topology_.peer(out);
        const auto bridge = entry ? topology_.master(*entry) : std::nullopt;
        if (owners.empty()) {
            nobody(out, next, entry, bridge);
            return false;
        }
        const auto owner = owners.front();
        const auto exit = topology_.peer(owner);
        if (owners.size() > 1) hops_.back().note = several(next, owners);
        // From the host's own bridge it goes straight to the port.
        if (exit && topology_.master(*exit) == out) hops_.back().output_port = topology_.name(*exit);
        if (bridge && owner != *bridge) {
            auto& between = hop({bridge->place, bridge, entry}, RouteStep::switched);
            if (exit && topology_.master(*exit) == bridge) between.output_port = topology_.name(*exit);
            between.next_hop = next;
        }
        at = {owner.place, owner, std::nullopt};
        if (bridge && owner == *bridge) at.port = entry;
        query_.input = owner.index;
        return true;
    }

    std::string several(const IpAddress& address, const std::vector<Port>& owners) const {
        std::vector<std::string> names;
        for (const auto owner : owners)
            names.push_back(topology_[owner.place].target + " " + topology_.name(owner));
        return address.to_string() + " is there more than once: " + list_and(names);
    }

    void nobody(Port out, const IpAddress& next, std::optional<Port> entry, std::optional<Port> bridge) {
        const auto text = next.to_string();
        if (entry) {
            const Position there{entry->place, bridge ? bridge : entry,
                                 bridge ? entry : std::optional<Port>()};
            hop(there, RouteStep::unknown).note =
                bridge ? "no target that netlab knows has " + text + " on this bridge"
                       : text + " is no address of this namespace";
        } else if (topology_.has_company(out)) {
            hops_.back().note = "no target that netlab knows has " + text + " on this network";
        } else {
            auto& last = hops_.emplace_back();
            last.step = RouteStep::leaves;
            last.note = "what is behind " + topology_.name(out) + " of " + topology_[out.place].target +
                        " netlab does not see";
        }
    }

    const Topology& topology_;
    kernel::RouteQuery query_;
    const AskKernel& ask_;
    std::vector<RouteHop> hops_;
};

}  // namespace

RouteStep step_of(const kernel::RouteReply& reply) {
    if (reply.route) {
        switch (reply.route->kind) {
            case RTN_LOCAL:
            case RTN_ANYCAST:
                return RouteStep::delivered;
            case RTN_BLACKHOLE:
                return RouteStep::blackhole;
            case RTN_UNREACHABLE:
                return RouteStep::unreachable;
            case RTN_PROHIBIT:
                return RouteStep::prohibited;
            default:
                break;
        }
    }
    switch (reply.error) {
        case 0:
            return RouteStep::routed;
        case ENETUNREACH:
        case EHOSTUNREACH:
            return RouteStep::unreachable;
        case EACCES:
            return RouteStep::prohibited;
        case EINVAL:
            return RouteStep::blackhole;
        default:
            return RouteStep::refused;
    }
}

bool is_lost(RouteStep step) {
    return step == RouteStep::unreachable || step == RouteStep::prohibited || step == RouteStep::blackhole ||
           step == RouteStep::refused;
}

Result<std::vector<RouteHop>> walk(const Topology& topology, std::size_t place,
                                   const kernel::RouteQuery& query, const AskKernel& ask) {
    return Walk(topology, query, ask).from(place);
}

}  // namespace netlab::operations
