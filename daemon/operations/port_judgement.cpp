#include "daemon/operations/port_judgement.hpp"

#include "common/endpoint.hpp"
#include "daemon/operations/network_facts.hpp"
#include "daemon/operations/port_explanation.hpp"
#include "daemon/operations/proxy_processes.hpp"

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
using kernel::RuleAction;

IpAddress loopback(Family family) {
    return family == Family::ipv4 ? *IpAddress::parse("127.0.0.1") : *IpAddress::parse("::1");
}

std::vector<api::Listener> plain(const std::vector<HeldListener>& held) {
    std::vector<api::Listener> out;
    for (const auto& one : held)
        out.push_back(one.listener);
    return out;
}

const HeldListener* find_held(const std::vector<HeldListener>& held, const api::Listener& wanted) {
    const auto found = std::ranges::find_if(held, [&](const HeldListener& one) {
        return one.listener.address == wanted.address && one.listener.port == wanted.port &&
               one.listener.interface == wanted.interface;
    });
    return found == held.end() ? nullptr : &*found;
}

api::PortListener described(const HeldListener& held) {
    api::PortListener out{held.listener.address,   held.listener.port, held.listener.v6only,
                          held.listener.interface, held.pid,           {}};
    if (!held.process.empty()) out.process = held.process;
    return out;
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

/// What becomes of one client's first packet on the host.
struct Trace {
    std::optional<PortCarrier> carrier;
    bool reserved = false;               ///< only Podman's conmon has the port
    std::optional<PortVerdict> verdict;  ///< where it is decided already
    Explanation why;
};

class Judge {
  public:
    Judge(const HostFacts& host, const ContainerFacts& container, const api::PublishedPort& port)
        : host_(host), container_(container), port_(port) {
        row_.target = container.target.name;
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
            look_inside({container_address(Family::ipv4), port_.container_port});
            say(PortVerdict::not_published, {});
        } else {
            judge_published();
        }
        if (row_.verdict == PortVerdict::works && container_.target.state == api::State::paused) {
            say(PortVerdict::paused,
                {row_.target + " is paused: its kernel takes the packets, its program does not run",
                 engine_command(row_.engine) + " unpause " + row_.target});
        }
        return std::move(row_);
    }

  private:
    void say(PortVerdict verdict, const Explanation& why) {
        row_.verdict = verdict;
        row_.explanation = why.explanation;
        row_.suggestion = why.suggestion;
    }

    [[nodiscard]] bool is_tcp() const { return port_.protocol != "udp"; }
    [[nodiscard]] const std::vector<kernel::RuleChain>& chains() const {
        return host_.rules.of(row_.family).chains;
    }

    /// Of the family where it has one.
    [[nodiscard]] IpAddress container_address(Family family) const {
        const auto& all = container_.addresses;
        const auto same = std::ranges::find_if(
            all, [&](const ContainerAddress& one) { return one.address.family() == family; });
        if (same != all.end()) return same->address;
        return all.empty() ? IpAddress() : all.front().address;
    }

    [[nodiscard]] bool is_containers(const IpAddress& address) const {
        return std::ranges::find(container_.addresses, address, &ContainerAddress::address) !=
               container_.addresses.end();
    }

    void judge_published() {
        const auto& address = *port_.host_address;
        const auto& outside = host_.outside(row_.family);
        if (!address.is_unspecified() && !address.is_loopback() &&
            std::ranges::find(host_.addresses, address) == host_.addresses.end()) {
            return say(PortVerdict::not_carried,
                       {"the host does not have the address " + address.to_string(),
                        "publish on one that it has (netlab addrs host), or on all of them"});
        }
        const auto local = loopback(row_.family);
        const auto from_host = address.is_loopback() ? address : local;
        if (address.is_loopback()) {
            row_.notes.emplace_back("published on a loopback address: only the host itself reaches it");
            return follow(trace(from_host, false), false);
        }
        const auto to = address.is_unspecified() ? outside.address : std::optional(address);
        if (!to) {
            row_.notes.push_back("the host has no " + family_name() +
                                 " address towards the outside: only the host itself reaches it");
            return follow(trace(from_host, false), false);
        }
        auto first = trace(*to, true);
        if (address.is_unspecified()) second_carrier(first, trace(local, false));
        follow(std::move(first), true);
    }

    [[nodiscard]] std::string family_name() const { return row_.family == Family::ipv4 ? "IPv4" : "IPv6"; }

    /// What the host's own programs meet at its loopback address, where that is something else.
    void second_carrier(Trace& first, Trace second) {
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

    kernel::PacketFacts packet(const IpAddress& to, bool from_outside) const {
        const auto protocol = static_cast<std::uint8_t>(is_tcp() ? IPPROTO_TCP : IPPROTO_UDP);
        constexpr std::uint16_t any_port = 40'000;
        kernel::PacketFacts out{from_outside ? somebody_outside(row_.family) : to, to, protocol, any_port,
                                *port_.host_port};
        out.input = from_outside ? host_.outside(row_.family).interface : "";
        out.output = from_outside ? "" : "lo";
        out.destination_local = true;
        out.mark = 0;
        out.flow = kernel::flow_is_new;
        return out;
    }

    Trace doubt(const kernel::RuleChain* chain, const kernel::PacketRule* rule) const {
        Trace out;
        out.verdict = PortVerdict::unknown;
        out.why.explanation = "not all that decides is understood";
        if (rule != nullptr) {
            const auto described = describe_rule(*chain, *rule);
            out.why.explanation = place_of(described) + " may decide otherwise: " + described.text;
        }
        return out;
    }

    Trace blocked(const kernel::FilterDecision& decision) const {
        Trace out;
        out.verdict = PortVerdict::blocked;
        std::optional<api::NatRule> rule;
        if (decision.rule != nullptr) rule = describe_rule(*decision.chain, *decision.rule);
        const auto chain = decision.chain == nullptr ? std::string("a chain")
                                                     : decision.chain->table + " " + decision.chain->name;
        out.why = explain_blocked(row_, chain, rule);
        return out;
    }

    /// Where the host's rules and sockets take it.
    Trace trace(const IpAddress& to, bool from_outside) const {
        if (!host_.rules.of(row_.family).known) {
            Trace out;
            out.verdict = PortVerdict::unknown;
            out.why.explanation = "the host's rules could not be read as a whole";
            return out;
        }
        const auto facts = packet(to, from_outside);
        const std::uint32_t hook = from_outside ? NF_INET_PRE_ROUTING : NF_INET_LOCAL_OUT;
        const auto dropped = kernel::find_drop(chains(), hook, facts);
        if (dropped.uncertain) return doubt(dropped.doubtful_chain, dropped.doubtful);
        if (dropped.dropped) return blocked(dropped);
        const auto nat = kernel::find_nat(chains(), hook, facts);
        if (nat.uncertain) return doubt(nat.doubtful_chain, nat.doubtful);
        if (nat.rule == nullptr) return by_socket(to, *port_.host_port, from_outside);
        if (nat.rule->action == RuleAction::redirect)
            return by_socket(to, nat.rule->to_port.value_or(*port_.host_port), from_outside);
        if (nat.rule->action != RuleAction::dnat) return blocked({true, nat.chain, nat.rule, false});
        Trace out;
        auto& carrier = out.carrier.emplace();
        carrier.kind = CarrierKind::dnat;
        carrier.rule = describe_rule(*nat.chain, *nat.rule);
        carrier.to =
            api::Endpoint{nat.rule->to_address.value_or(to), nat.rule->to_port.value_or(*port_.host_port)};
        carrier.owner = owner_of(carrier.to->address);
        return out;
    }

    [[nodiscard]] std::optional<std::string> owner_of(const IpAddress& address) const {
        if (is_containers(address)) return row_.target;
        const auto way = host_.way(address);
        if (way.local) return "host";
        return way.owners.empty() ? std::nullopt : std::optional(way.owners.front());
    }

    Trace by_socket(const IpAddress& to, std::uint16_t port, bool from_outside) const {
        Trace out;
        const auto& held = host_.listeners.of(is_tcp());
        const std::vector<std::string> came_by{from_outside ? host_.outside(row_.family).interface : "lo"};
        const auto judged = judge_listeners(plain(held), to, port, came_by);
        if (judged.verdict != ListenerVerdict::takes && judged.verdict != ListenerVerdict::full) return out;
        const auto* holder = find_held(held, judged.listener);
        if (holder != nullptr && only_reserves_port(holder->process)) {
            out.reserved = true;
            return out;
        }
        auto& carrier = out.carrier.emplace();
        const bool proxy = holder != nullptr && is_port_proxy(holder->process);
        carrier.kind = proxy ? CarrierKind::proxy : CarrierKind::process;
        if (holder == nullptr || !holder->holder_known) {
            out.verdict = PortVerdict::unknown;
            out.why.explanation = "who holds " + endpoint_text(judged.listener.address, port) +
                                  " on the host could not be seen";
            return out;
        }
        carrier.pid = holder->pid;
        if (!holder->process.empty()) carrier.process = holder->process;
        if (!proxy) return out;
        carrier.to = holder->to.value_or(api::Endpoint{container_address(row_.family), port_.container_port});
        carrier.owner = owner_of(carrier.to->address);
        if (!from_outside) return out;
        const auto dropped = kernel::find_drop(chains(), NF_INET_LOCAL_IN, packet(to, true));
        if (dropped.uncertain || dropped.dropped) {
            auto decided =
                dropped.uncertain ? doubt(dropped.doubtful_chain, dropped.doubtful) : blocked(dropped);
            out.verdict = decided.verdict;
            out.why = std::move(decided.why);
        }
        return out;
    }

    /// From the host on into the container.
    void follow(Trace way, bool from_outside) {
        if (way.carrier) row_.carried_by.push_back(*way.carrier);
        if (second_) row_.carried_by.push_back(*second_);
        if (way.verdict) return say(*way.verdict, way.why);
        if (!way.carrier) return say(PortVerdict::not_carried, explain_not_carried(row_));
        const auto carrier = *way.carrier;
        switch (carrier.kind) {
            case CarrierKind::process:
                return say(PortVerdict::shadowed, explain_shadowing_process(row_, carrier));
            case CarrierKind::dnat:
                if (!leads_here(carrier)) return say_elsewhere(carrier);
                look_inside(*carrier.to);
                if (from_outside && is_stopped(*carrier.to)) return;
                return tell_localhost();
            case CarrierKind::proxy:
                if (!leads_here(carrier))
                    return say(PortVerdict::shadowed, explain_stale_proxy(row_, carrier));
                look_inside(*carrier.to);
                note_proxy(from_outside);
                return tell_localhost();
            case CarrierKind::host_network:
                break;
        }
    }

    [[nodiscard]] bool leads_here(const PortCarrier& carrier) const {
        return carrier.to && is_containers(carrier.to->address) && carrier.to->port == port_.container_port;
    }

    void say_elsewhere(const PortCarrier& carrier) {
        const bool nobody = !carrier.owner && host_.way(carrier.to->address).all_known;
        say(PortVerdict::shadowed, explain_shadowing_rule(row_, carrier, nobody));
    }

    void note_proxy(bool from_outside) {
        if (!from_outside) return;
        const bool other_family = row_.to->address.family() != row_.family;
        row_.notes.push_back("carried by a process: the program in " + row_.target +
                             " sees the host as its client" + (other_family ? ", by IPv4" : std::string()));
        if (row_.engine == api::Runtime::docker && row_.family == Family::ipv4)
            row_.notes.push_back(
                "Docker makes a DNAT rule for it, which is not there: the rules may have been "
                "flushed; " +
                restore_rules(row_));
    }

    /// Whether the host does not send on what was translated; then it has been said.
    bool is_stopped(const api::Endpoint& to) {
        const auto& outside = host_.outside(row_.family);
        if (outside.forwards == false) {
            const bool v4 = row_.family == Family::ipv4;
            say(PortVerdict::blocked,
                {"the host does not forward what comes in by " + outside.interface,
                 v4 ? "sysctl -w net.ipv4.ip_forward=1" : "sysctl -w net.ipv6.conf.all.forwarding=1"});
            return true;
        }
        auto facts = packet(to.address, true);
        facts.destination_port = to.port;
        facts.output = host_.way(to.address).output;
        facts.destination_local = false;
        facts.flow = kernel::flow_is_new | kernel::flow_has_dnat;
        const auto dropped = kernel::find_drop(chains(), NF_INET_FORWARD, facts);
        if (!dropped.uncertain && !dropped.dropped) return false;
        const auto decided =
            dropped.uncertain ? doubt(dropped.doubtful_chain, dropped.doubtful) : blocked(dropped);
        say(*decided.verdict, decided.why);
        return true;
    }

    /// What listens in the container.
    void look_inside(const api::Endpoint& to) {
        row_.to = to;
        const auto& held = container_.listeners.of(is_tcp());
        const auto listeners = plain(held);
        std::vector<std::string> came_by;
        for (const auto& one : container_.addresses) {
            if (one.address == to.address) came_by.push_back(one.interface);
        }
        const auto judged = judge_listeners(listeners, to.address, to.port, came_by);
        row_.verdict = verdict_of(judged.verdict);
        if (judged.verdict != ListenerVerdict::none) {
            if (const auto* holder = find_held(held, judged.listener)) row_.listener = described(*holder);
        } else {
            find_other_ports(listeners, to.address, came_by);
        }
        say(row_.verdict, explain_listener(row_));
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
    std::optional<PortCarrier> second_;
};

}  // namespace

IpAddress somebody_outside(Family family) {
    return family == Family::ipv4 ? *IpAddress::parse("203.0.113.1") : *IpAddress::parse("2001:db8:203::1");
}

api::PortRow judge_port(const HostFacts& host, const ContainerFacts& container,
                        const api::PublishedPort& port) {
    return Judge(host, container, port).judge();
}

api::PortRow judge_host_socket(const HostFacts& host, const api::Target& target, const HeldListener& held,
                               bool tcp) {
    const auto& listener = held.listener;
    api::PublishedPort port{listener.address, listener.port, listener.port, tcp ? "tcp" : "udp"};
    api::PortRow row;
    row.target = target.name;
    row.engine = target.runtime;
    row.protocol = port.protocol;
    row.host_address = listener.address;
    row.host_port = row.container_port = listener.port;
    row.family = listener.address.family();
    row.carried_by.push_back({CarrierKind::host_network, CarrierClients::all, {}, {}, {}, {}, {}});
    row.to = api::Endpoint{listener.address, listener.port};
    row.listener = described(held);
    row.verdict = PortVerdict::works;
    if (listener.address.is_loopback()) {
        row.carried_by.front().clients = CarrierClients::localhost;
        row.notes.emplace_back("it listens on a loopback address: only the host itself reaches it");
    }
    const auto& family = host.rules.of(row.family);
    if (listener.address.is_loopback() || !host.outside(row.family).address) return row;
    kernel::PacketFacts facts{somebody_outside(row.family), *host.outside(row.family).address,
                              static_cast<std::uint8_t>(tcp ? IPPROTO_TCP : IPPROTO_UDP), 40'000,
                              listener.port};
    facts.input = host.outside(row.family).interface;
    facts.output = "";
    facts.destination_local = true;
    facts.mark = 0;
    facts.flow = kernel::flow_is_new;
    const auto nat = kernel::find_nat(family.chains, NF_INET_PRE_ROUTING, facts);
    const auto dropped = kernel::find_drop(family.chains, NF_INET_LOCAL_IN, facts);
    if (!family.known || nat.uncertain || dropped.uncertain) {
        row.verdict = PortVerdict::unknown;
        row.explanation = "not all of the host's rules are understood";
    } else if (nat.rule != nullptr && nat.rule->action == RuleAction::dnat) {
        auto& carrier = row.carried_by.emplace_back();
        carrier.rule = describe_rule(*nat.chain, *nat.rule);
        carrier.clients = CarrierClients::outside;
        carrier.to = api::Endpoint{nat.rule->to_address.value_or(facts.destination),
                                   nat.rule->to_port.value_or(listener.port)};
        row.verdict = PortVerdict::shadowed;
        const auto owners = host.way(carrier.to->address).owners;
        if (!owners.empty()) carrier.owner = owners.front();
        tell(row, explain_shadowing_rule(row, carrier, false));
    } else if (dropped.dropped) {
        row.verdict = PortVerdict::blocked;
        std::optional<api::NatRule> rule;
        if (dropped.rule != nullptr) rule = describe_rule(*dropped.chain, *dropped.rule);
        tell(row, explain_blocked(row, dropped.chain->table + " " + dropped.chain->name, rule));
    }
    return row;
}

}  // namespace netlab::operations
