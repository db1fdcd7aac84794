#include "daemon/operations/port_judgement.hpp"

#include "common/endpoint.hpp"
#include "daemon/operations/host_command.hpp"
#include "daemon/operations/named_clients.hpp"
#include "daemon/operations/nat_judgement.hpp"
#include "daemon/operations/network_facts.hpp"
#include "daemon/operations/port_explanation.hpp"
#include "daemon/operations/port_listener.hpp"
#include "daemon/operations/port_trace.hpp"

#include <algorithm>
#include <set>

#include <arpa/inet.h>  // before the kernel's headers, which then leave out what it has
#include <linux/netfilter.h>

namespace netlab::operations {

namespace {

using api::CarrierClients;
using api::CarrierKind;
using api::PortCarrier;
using api::PortVerdict;

IpAddress loopback(Family family) {
    return family == Family::ipv4 ? *IpAddress::parse("127.0.0.1") : *IpAddress::parse("::1");
}

PortVerdict verdict_of(ListenerVerdict verdict) {
    switch (verdict) {
        case ListenerVerdict::takes:
            return PortVerdict::works;
        case ListenerVerdict::full:
            return PortVerdict::queue_full;
        case ListenerVerdict::loopback_only:
            return PortVerdict::loopback_only;
        case ListenerVerdict::other_address:
        case ListenerVerdict::interface:
            return PortVerdict::other_address;
        case ListenerVerdict::ipv6_only:
        case ListenerVerdict::ipv4_only:
            return PortVerdict::other_family;
        case ListenerVerdict::none:
            break;
    }
    return PortVerdict::no_listener;
}

class Judge {
  public:
    Judge(const HostFacts& host, const ContainerFacts& container, const api::PublishedPort& port,
          const Client& client)
        : host_(host), container_(container), port_(port), host_trace_(host, container, port, row_, client) {
        row_.target = container.target.name;
        if (!container.publisher.empty()) row_.publisher = container.publisher;
        row_.engine = container.target.runtime;
        row_.protocol = port.protocol;
        row_.host_address = port.host_address;
        row_.host_port = port.host_port;
        row_.container_port = port.container_port;
        if (port.host_address) row_.family = port.host_address->family();
    }

    api::PortRow judge() {
        const bool known_protocol = port_.protocol == "tcp" || port_.protocol == "udp";
        if (!known_protocol) {
            say(PortVerdict::unknown, {"netlab does not look at sockets of " + port_.protocol, {}});
        } else if (!port_.host_address || !port_.host_port) {
            look_inside({host_trace_.container_address(Family::ipv4), port_.container_port});
            say(PortVerdict::not_published, {});
        } else {
            judge_published();
        }
        // A queue is full soon where nobody accepts.
        if (row_.verdict == PortVerdict::works || row_.verdict == PortVerdict::queue_full) tell_sleep();
        return std::move(row_);
    }

  private:
    void say(PortVerdict verdict, const Explanation& why) {
        row_.verdict = verdict;
        row_.explanation = why.explanation;
        row_.suggestion = why.suggestion;
    }

    /// Where several share the namespace, it is whose socket it is that counts.
    void tell_sleep() {
        const auto& target = container_.target;
        const bool shares = target.namespace_ && !target.namespace_->shared_with.empty();
        const bool paused = target.state == api::State::paused;
        const auto sleep = shares || !paused ? asleep_ : std::optional(Sleep{Sleep::Extent::all, target});
        if (!sleep) return;
        say(is_asleep(sleep) ? PortVerdict::paused : PortVerdict::unknown, explain_sleep(*sleep));
    }

    [[nodiscard]] bool is_tcp() const { return port_.protocol != "udp"; }

    void judge_published() {
        const auto& address = *port_.host_address;
        const auto& outside = host_.outside(row_.family);
        if (!address.is_unspecified() && !address.is_loopback() &&
            std::ranges::find(host_.addresses, address) == host_.addresses.end()) {
            return say(PortVerdict::not_carried,
                       {"the host does not have the address " + address.to_string(),
                        "netlab addrs host  # publish on one of these, or on all of them"});
        }
        const auto local = loopback(row_.family);
        const auto from_host = address.is_loopback() ? address : local;
        if (address.is_loopback()) {
            row_.notes.emplace_back("published on a loopback address: only the host itself reaches it");
            return follow(host_trace_.trace(from_host, false), false);
        }
        const auto to = address.is_unspecified() ? outside.address : std::optional(address);
        if (!to) {
            row_.notes.push_back("the host has no " + family_name() +
                                 " address towards the outside: only the host itself reaches it");
            return follow(host_trace_.trace(from_host, false), false);
        }
        auto first = host_trace_.trace(*to, true);
        if (address.is_unspecified()) second_carrier(first, host_trace_.trace(local, false));
        follow(std::move(first), true);
    }

    [[nodiscard]] std::string family_name() const { return row_.family == Family::ipv4 ? "IPv4" : "IPv6"; }

    /// What the host's own programs meet at its loopback address, where that is something else.
    void second_carrier(PortTrace& first, PortTrace second) {
        if (second.verdict && second.why.explanation != first.why.explanation)
            row_.notes.push_back("for the host's own programs at " +
                                 endpoint_text(loopback(row_.family), *port_.host_port) + ": " +
                                 second.why.explanation);
        if (!second.carrier) {
            if (first.carrier && !second.verdict)
                row_.notes.push_back("on the host itself " +
                                     endpoint_text(loopback(row_.family), *port_.host_port) +
                                     " leads nowhere");
            return;
        }
        auto carrier = *second.carrier;
        if (first.carrier && *first.carrier == carrier) return;
        if (first.carrier) first.carrier->clients = CarrierClients::outside;
        carrier.clients = CarrierClients::localhost;
        second_ = std::move(carrier);
    }

    /// From the host on into the container.
    void follow(PortTrace way, bool from_outside) {
        if (way.carrier) row_.carried_by.push_back(*way.carrier);
        if (second_) row_.carried_by.push_back(*second_);
        if (way.verdict) return say(*way.verdict, way.why);
        if (!way.carrier) return say(PortVerdict::not_carried, explain_not_carried(row_, are_chains_gone()));
        const auto carrier = *way.carrier;
        marked_ = way.marked;
        switch (carrier.kind) {
            case CarrierKind::process:
                return say(PortVerdict::shadowed, explain_shadowing_process(row_, carrier));
            case CarrierKind::dnat:
                if (!host_trace_.leads_here(carrier)) return say_elsewhere(carrier);
                return go_in(*carrier.to, from_outside, true);
            case CarrierKind::proxy:
                if (!host_trace_.leads_here(carrier))
                    return say(PortVerdict::shadowed, explain_stale_proxy(row_, carrier));
                note_proxy(*carrier.to, from_outside);
                return go_in(*carrier.to, from_outside, false);
            case CarrierKind::host_network:
                break;
        }
    }

    /// Behind what carries it: the host's way into the container, what listens there, the container's own
    /// rules and routes. `translated` by a rule; otherwise a process of the host's is its client.
    void go_in(const api::Endpoint& to, bool from_outside, bool translated) {
        const bool forwarded = translated && from_outside;
        row_.to = to;
        const auto on_host = stopped_on_host(to, forwarded);
        const auto client = host_trace_.client_of_container(to, forwarded, marked_);
        const auto sent_away = arrive(to, client);
        const auto is_certain = [](const auto& stop) {
            return stop && stop->verdict != PortVerdict::unknown;
        };
        if (is_certain(sent_away) && !is_certain(on_host)) return say(*sent_away->verdict, sent_away->why);
        if (on_host) return say(*on_host->verdict, on_host->why);
        if (sent_away) return say(*sent_away->verdict, sent_away->why);
        // What does not listen is said before what would not come to it.
        if (client && row_.verdict == PortVerdict::works) {
            if (const auto stop = stopped_inside(to, *client)) return say(*stop->verdict, stop->why);
        }
        tell_localhost();
    }

    [[nodiscard]] std::optional<PortTrace> stopped_on_host(const api::Endpoint& to, bool forwarded) const {
        if (auto down = host_trace_.down(to)) return down;
        if (auto broken = container_.broken_path ? container_.broken_path(to.address) : std::nullopt)
            return PortTrace{{}, PortVerdict::blocked, std::move(*broken)};
        auto stop = forwarded ? host_trace_.stopped(to, marked_) : host_trace_.stopped_from_host(to);
        // What would stop the packet itself is said before what stops the question for its neighbour.
        const auto lost = container_.undiscovered ? container_.undiscovered(to.address) : std::nullopt;
        const bool certain = stop && stop->verdict != PortVerdict::unknown;
        if (!lost || certain || (stop && !lost->certain)) return stop;
        return PortTrace{{}, lost->certain ? PortVerdict::blocked : PortVerdict::unknown, lost->why};
    }

    /// At the container, whose own rules may send it on, or away; then at what listens there.
    std::optional<PortTrace> arrive(const api::Endpoint& to, const std::optional<IpAddress>& client) {
        if (!client) {
            look_inside(to);
            return std::nullopt;
        }
        auto inside = host_trace_.translated_inside(to, *client);
        if (inside.stop) return std::move(inside.stop);
        look_inside(inside.to);
        if (!inside.rule) return std::nullopt;
        row_.notes.push_back("a rule of " + row_.target + "'s own sends it on to port " +
                             std::to_string(inside.to.port) + " (" + place_of(*inside.rule) + ")");
        const auto command = command_in(container_.target, delete_command(*inside.rule));
        if (row_.verdict != PortVerdict::works && !command.empty()) row_.suggestion = command;
        return std::nullopt;
    }

    std::optional<PortTrace> stopped_inside(const api::Endpoint& to, const IpAddress& client) {
        const auto back =
            container_.route_back
                ? std::optional(container_.route_back(host_trace_.answer_inside(*row_.to, client)))
                : std::nullopt;
        if (back && back->kind == RouteBack::Kind::some && back->refusing.empty())
            row_.notes.push_back(row_.target +
                                 " has no route to all of the outside: whom it has none to gets no answer");
        if (back && !back->refusing.empty() && back->kind != RouteBack::Kind::refused)
            row_.notes.push_back(row_.target + " has the route " + list_and(back->refusing) +
                                 ": whom it covers gets no answer");
        return host_trace_.stopped_inside(to, *row_.to, client, back);
    }

    /// Its engine gave it that address, and its kernel does not have it.
    [[nodiscard]] bool has_lost(const IpAddress& address) const {
        return !host_trace_.is_containers(address) &&
               std::ranges::any_of(container_.target.networks, [&](const api::Membership& network) {
                   return std::ranges::find(network.addresses, address, &IpPrefix::address) !=
                          network.addresses.end();
               });
    }

    void say_elsewhere(const PortCarrier& carrier) {
        if (has_lost(carrier.to->address))
            return say(PortVerdict::blocked, explain_lost_address(row_, carrier.to->address));
        const bool nobody = !carrier.owner && host_.way(carrier.to->address).all_known;
        say(PortVerdict::shadowed, explain_shadowing_rule(row_, carrier, nobody));
    }

    void note_proxy(const api::Endpoint& to, bool from_outside) {
        if (!from_outside) return;
        const bool other_family = to.address.family() != row_.family;
        row_.notes.push_back("carried by a process: the program in " + row_.target +
                             " sees the host as its client" + (other_family ? ", by IPv4" : std::string()));
        if (row_.engine == api::Runtime::docker && row_.family == Family::ipv4)
            row_.notes.push_back("Docker makes a DNAT rule for it, which " + why_not_translated(to));
    }

    /// Its rule is gone, or packets do not come to it.
    [[nodiscard]] std::string why_not_translated(const api::Endpoint& to) const {
        for (const auto& found : find_dnat_rules(host_.rules.of(row_.family).chains)) {
            const auto& rule = *found.rule;
            const bool its = rule.to_address == to.address && rule.to_port.value_or(to.port) == to.port &&
                             rule.destination_port &&
                             rule.destination_port->value.first <= *port_.host_port &&
                             *port_.host_port <= rule.destination_port->value.second;
            if (!its) continue;
            const auto place = place_of(describe_rule(*found.chain, rule));
            if (!found.reached)
                return "is there (" + place + "), but no chain leads to it; " + restore_chains(row_);
            if (!found.from_outside)
                return "is there (" + place + "), but no rule leads what comes in to that chain; " +
                       (found.chain->legacy ? "iptables-legacy" : "iptables-nft") +
                       " -t nat -A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER does";
            if (const auto by = host_trace_.untracked_by())
                return "is there (" + place + "), but " + place_of(*by) +
                       " takes packets from conntrack: " + by->text;
            return "is there (" + place + "), but a rule before it sends packets past it";
        }
        return "is not there: the rules may have been flushed; " +
               (are_chains_gone() ? restore_chains(row_) : restore_command(row_));
    }

    /// Into which Docker would write the port's rule again.
    [[nodiscard]] bool are_chains_gone() const {
        const auto& chains = host_.rules.of(row_.family).chains;
        return row_.engine == api::Runtime::docker &&
               std::ranges::none_of(chains, [](const kernel::RuleChain& chain) {
                   return chain.name == "DOCKER" && chain.table.ends_with(" nat");
               });
    }

    /// What listens in the container.
    void look_inside(const api::Endpoint& to) {
        row_.to = to;
        const auto& held = container_.listeners.of(is_tcp());
        const auto listeners = without_holders(held);
        std::vector<std::string> came_by;
        for (const auto& one : container_.addresses) {
            if (one.address == to.address) came_by.push_back(one.interface);
        }
        const auto judged = judge_listeners(listeners, to.address, to.port, came_by);
        row_.verdict = verdict_of(judged.verdict);
        if (judged.verdict != ListenerVerdict::none) {
            if (const auto* holder = find_held(held, judged.listener)) {
                row_.listener = describe_listener(*holder);
                asleep_ = holder->asleep;
            }
        } else {
            find_other_ports(listeners, to.address, came_by);
        }
        const auto& where = container_.target.namespace_;
        say(row_.verdict, explain_listener(row_, where ? where->shared_with : std::vector<std::string>()));
    }

    void find_other_ports(const std::vector<api::Listener>& listeners, const IpAddress& to,
                          const std::vector<std::string>& came_by) {
        // Above it UDP sockets are clients mostly.
        constexpr std::uint16_t first_ephemeral = 32'768;
        std::set<std::uint16_t> ports;
        for (const auto& listener : listeners) {
            const bool server = is_tcp() || listener.port < first_ephemeral;
            const auto verdict = judge_listeners(std::span(&listener, 1), to, listener.port, came_by).verdict;
            if (server && verdict == ListenerVerdict::takes) ports.insert(listener.port);
        }
        row_.listening.assign(ports.begin(), ports.end());
        if (!ports.empty()) row_.verdict = PortVerdict::other_port;
    }

    /// `localhost` is ::1 first.
    void tell_localhost() {
        const bool bad = row_.verdict == PortVerdict::other_family;
        if (bad && row_.family == Family::ipv6 && port_.host_address->is_unspecified())
            row_.explanation += "; programs on the host that try localhost try this one first";
    }

    const HostFacts& host_;
    const ContainerFacts& container_;
    const api::PublishedPort& port_;
    api::PortRow row_;
    HostTrace host_trace_;
    std::optional<PortCarrier> second_;
    bool marked_ = false;          ///< a rule has set the mark of what carries it on
    std::optional<Sleep> asleep_;  ///< who has the socket
};

}  // namespace

api::PortListener describe_listener(const HeldListener& held) {
    api::PortListener out{held.listener.address,   held.listener.port, held.listener.v6only,
                          held.listener.interface, held.pid,           {}};
    if (!held.process.empty()) out.process = held.process;
    return out;
}

kernel::PacketFacts packet_from_outside(const IpAddress& client, const IpAddress& to, std::uint8_t protocol,
                                        std::uint16_t port, const std::string& interface) {
    constexpr std::uint16_t any_port = 40'000;
    kernel::PacketFacts out{client, to, protocol, any_port, port};
    out.input = interface;
    out.output = "";
    out.destination_local = true;
    out.reverse_path = true;
    out.mark = 0;
    out.flow = kernel::flow_is_new;
    return out;
}

api::PortRow judge_port(const HostFacts& host, const ContainerFacts& container,
                        const api::PublishedPort& port) {
    const auto& clients =
        container.clients.of(port.host_address ? port.host_address->family() : Family::ipv4);
    auto row = Judge(host, container, port, clients.anybody).judge();
    if (!port.host_address || port.host_address->is_loopback()) return row;
    std::vector<api::PortRow> judged;
    for (const auto& client : clients.named)
        judged.push_back(Judge(host, container, port, client).judge());
    tell_named_clients(row, clients, judged);
    return row;
}

}  // namespace netlab::operations
