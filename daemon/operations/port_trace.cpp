#include "daemon/operations/port_trace.hpp"

#include "common/endpoint.hpp"
#include "daemon/operations/port_explanation.hpp"
#include "daemon/operations/proxy_processes.hpp"

#include <algorithm>

#include <arpa/inet.h>  // before the kernel's headers, which then leave out what it has
#include <linux/netfilter.h>

namespace netlab::operations {

namespace {

using api::CarrierKind;
using api::PortVerdict;
using kernel::RuleAction;

constexpr std::uint16_t any_port = 40'000;  ///< of a client

/// `whose`: "" of the host's rules.
PortTrace doubt(const kernel::RuleChain* chain, const kernel::PacketRule* rule,
                const std::string& whose = {}) {
    PortTrace out;
    out.verdict = PortVerdict::unknown;
    out.why.explanation = "not all that decides is understood";
    if (rule != nullptr) {
        const auto described = describe_rule(*chain, *rule);
        out.why.explanation = place_of(described) + (whose.empty() ? "" : " in " + whose) +
                              " may decide otherwise: " + described.text;
    }
    return out;
}

}  // namespace

std::vector<api::Listener> without_holders(const std::vector<HeldListener>& held) {
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

IpAddress HostTrace::container_address(Family family) const {
    const auto& all = container_.addresses;
    const auto same = std::ranges::find_if(
        all, [&](const ContainerAddress& one) { return one.address.family() == family; });
    if (same != all.end()) return same->address;
    return all.empty() ? IpAddress() : all.front().address;
}

bool HostTrace::is_containers(const IpAddress& address) const {
    return std::ranges::find(container_.addresses, address, &ContainerAddress::address) !=
           container_.addresses.end();
}

kernel::PacketFacts HostTrace::packet(const IpAddress& to, bool from_outside) const {
    const auto protocol = static_cast<std::uint8_t>(is_tcp() ? IPPROTO_TCP : IPPROTO_UDP);
    auto out = packet_from_outside(to, protocol, *port_.host_port, host_.outside(row_.family).interface);
    out.source = from_outside ? somebody_outside(row_.family) : to;
    if (from_outside) return out;
    out.input = "";
    out.output = "lo";
    return out;
}

kernel::PacketFacts HostTrace::answer(const api::Endpoint& to) const {
    auto out = packet(to.address, true);
    std::swap(out.source, out.destination);
    out.source_port = to.port;
    out.destination_port = any_port;
    out.destination_local = false;
    out.flow = kernel::flow_is_established;
    return out;
}

PortTrace HostTrace::blocked(const kernel::FilterDecision& decision, BlockedPacket kind,
                             const kernel::PacketFacts& packet) const {
    PortTrace out;
    out.verdict = PortVerdict::blocked;
    out.why = explain_blocked(row_, container_.target, kind, decision, packet);
    return out;
}

std::optional<PortTrace> HostTrace::stop_at(const std::vector<kernel::RuleChain>& chains, std::uint32_t hook,
                                            const kernel::PacketFacts& packet, BlockedPacket kind) const {
    const auto decision = kernel::find_drop(chains, hook, packet);
    if (decision.uncertain) {
        const bool inside = kind == BlockedPacket::in_container || kind == BlockedPacket::answer_in_container;
        return doubt(decision.doubtful_chain, decision.doubtful, inside ? row_.target : std::string());
    }
    if (!decision.dropped) return std::nullopt;
    return blocked(decision, kind, packet);
}

PortTrace HostTrace::trace(const IpAddress& to, bool from_outside) const {
    if (!host_.rules.of(row_.family).known) {
        PortTrace out;
        out.verdict = PortVerdict::unknown;
        out.why.explanation = "the host's rules could not be read as a whole";
        return out;
    }
    const auto facts = packet(to, from_outside);
    const std::uint32_t hook = from_outside ? NF_INET_PRE_ROUTING : NF_INET_LOCAL_OUT;
    const auto kind = from_outside ? BlockedPacket::on_host : BlockedPacket::from_host;
    if (auto stop = stop_at(chains(), hook, facts, kind)) return std::move(*stop);
    const auto nat = kernel::find_nat(chains(), hook, facts);
    if (nat.uncertain) return doubt(nat.doubtful_chain, nat.doubtful);
    if (nat.rule == nullptr) return by_socket(to, *port_.host_port, from_outside);
    if (nat.rule->action == RuleAction::redirect)
        return by_socket(to, nat.rule->to_port.value_or(*port_.host_port), from_outside);
    if (nat.rule->action != RuleAction::dnat) return blocked({true, nat.chain, nat.rule, false}, kind, facts);
    PortTrace out;
    auto& carrier = out.carrier.emplace();
    carrier.kind = CarrierKind::dnat;
    carrier.rule = describe_rule(*nat.chain, *nat.rule);
    carrier.to =
        api::Endpoint{nat.rule->to_address.value_or(to), nat.rule->to_port.value_or(*port_.host_port)};
    carrier.owner = owner_of(carrier.to->address);
    return out;
}

std::optional<std::string> HostTrace::owner_of(const IpAddress& address) const {
    if (is_containers(address)) return row_.target;
    const auto way = host_.way(address);
    if (way.local) return "host";
    return way.owners.empty() ? std::nullopt : std::optional(way.owners.front());
}

PortTrace HostTrace::by_socket(const IpAddress& to, std::uint16_t port, bool from_outside) const {
    PortTrace out;
    const auto& held = host_.listeners.of(is_tcp());
    const std::vector<std::string> came_by{from_outside ? host_.outside(row_.family).interface : "lo"};
    const auto judged = judge_listeners(without_holders(held), to, port, came_by);
    if (judged.verdict != ListenerVerdict::takes && judged.verdict != ListenerVerdict::full) return out;
    const auto* holder = find_held(held, judged.listener);
    // A connection to it stays in its queue for ever.
    if (holder != nullptr && only_reserves_port(holder->process)) return out;
    auto& carrier = out.carrier.emplace();
    const bool proxy = holder != nullptr && is_port_proxy(holder->process);
    carrier.kind = proxy ? CarrierKind::proxy : CarrierKind::process;
    if (holder == nullptr || !holder->holder_known) {
        out.verdict = PortVerdict::unknown;
        out.why.explanation =
            "who holds " + endpoint_text(judged.listener.address, port) + " on the host could not be seen";
        return out;
    }
    carrier.pid = holder->pid;
    if (!holder->process.empty()) carrier.process = holder->process;
    if (!proxy) return out;
    carrier.to = holder->to.value_or(api::Endpoint{container_address(row_.family), port_.container_port});
    carrier.owner = owner_of(carrier.to->address);
    if (!from_outside) return out;
    if (auto stop = stop_at(chains(), NF_INET_LOCAL_IN, packet(to, true), BlockedPacket::on_host)) {
        out.verdict = stop->verdict;
        out.why = std::move(stop->why);
    }
    return out;
}

std::optional<PortTrace> HostTrace::stopped(const api::Endpoint& to) const {
    const auto& outside = host_.outside(row_.family);
    const auto way = host_.way(to.address);
    if (outside.forwards == false) {
        PortTrace out;
        out.verdict = PortVerdict::blocked;
        out.why = {"the host does not forward what comes in by " + outside.interface,
                   row_.family == Family::ipv4 ? "sysctl -w net.ipv4.ip_forward=1"
                                               : "sysctl -w net.ipv6.conf.all.forwarding=1"};
        return out;
    }
    auto facts = packet(to.address, true);
    facts.destination_port = to.port;
    facts.output = way.output;
    facts.destination_local = false;
    facts.flow = kernel::flow_is_new | kernel::flow_has_dnat;
    if (auto stop = stop_at(chains(), NF_INET_FORWARD, facts, BlockedPacket::on_host)) return stop;
    // Rules of the last hook do not see the interface it came in by with every kernel.
    facts.input.reset();
    if (auto stop = stop_at(chains(), NF_INET_POST_ROUTING, facts, BlockedPacket::on_host)) return stop;
    auto back = answer(to);
    back.flow = kernel::flow_is_established | kernel::flow_has_dnat;
    back.input = way.output;
    back.output = "";
    for (const std::uint32_t hook : {NF_INET_PRE_ROUTING, NF_INET_FORWARD, NF_INET_POST_ROUTING}) {
        if (hook != NF_INET_PRE_ROUTING) back.output = outside.interface;
        if (hook == NF_INET_POST_ROUTING) back.input.reset();
        if (auto stop = stop_at(chains(), hook, back, BlockedPacket::answer_on_host)) return stop;
    }
    return std::nullopt;
}

std::optional<PortTrace> HostTrace::stopped_from_host(const api::Endpoint& to) const {
    const auto way = host_.way(to.address);
    // Its rules may be those of another family than the row's.
    const auto& rules = host_.rules.of(to.address.family());
    if (!rules.known || !way.own) return std::nullopt;
    auto facts = packet(to.address, true);
    facts.source = *way.own;
    facts.destination_port = to.port;
    facts.input = "";
    facts.output = way.output;
    facts.destination_local = false;
    for (const std::uint32_t hook : {NF_INET_LOCAL_OUT, NF_INET_POST_ROUTING}) {
        if (auto stop = stop_at(rules.chains, hook, facts, BlockedPacket::from_host)) return stop;
    }
    auto back = answer(to);
    back.destination = *way.own;
    back.input = way.output;
    back.output = "";
    back.destination_local = true;
    for (const std::uint32_t hook : {NF_INET_PRE_ROUTING, NF_INET_LOCAL_IN}) {
        if (auto stop = stop_at(rules.chains, hook, back, BlockedPacket::answer_on_host)) return stop;
    }
    return std::nullopt;
}

std::optional<PortTrace> HostTrace::down(const api::Endpoint& to) const {
    const auto way = host_.way(to.address);
    if (way.down.empty()) return std::nullopt;
    PortTrace out;
    out.verdict = PortVerdict::blocked;
    out.why = explain_down(row_, way.down);
    return out;
}

std::optional<IpAddress> HostTrace::client_of_container(const api::Endpoint& to, bool translated) const {
    const auto way = host_.way(to.address);
    if (!translated) return way.own;
    auto facts = packet(to.address, true);
    facts.destination_port = to.port;
    facts.input.reset();
    facts.output = way.output;
    facts.destination_local = false;
    facts.flow = kernel::flow_is_new | kernel::flow_has_dnat;
    const auto nat = kernel::find_nat(chains(), NF_INET_POST_ROUTING, facts);
    if (nat.uncertain) return std::nullopt;
    return nat.rule == nullptr ? std::optional(somebody_outside(row_.family)) : way.own;
}

/// As it comes in to the container.
kernel::PacketFacts HostTrace::packet_inside(const api::Endpoint& to, const IpAddress& client) const {
    const auto home = std::ranges::find(container_.addresses, to.address, &ContainerAddress::address);
    auto facts = packet(to.address, true);
    facts.source = client;
    facts.destination_port = to.port;
    facts.input = home != container_.addresses.end() ? std::optional(home->interface) : std::nullopt;
    facts.output = "";
    return facts;
}

HostTrace::Inside HostTrace::translated_inside(const api::Endpoint& to, const IpAddress& client) const {
    Inside out{to, {}, {}};
    const auto& rules = container_.rules.of(to.address.family());
    // stopped_inside() says that they are not.
    if (!rules.known) return out;
    const auto facts = packet_inside(to, client);
    const auto nat = kernel::find_nat(rules.chains, NF_INET_PRE_ROUTING, facts);
    if (nat.uncertain) {
        out.stop = doubt(nat.doubtful_chain, nat.doubtful, row_.target);
        return out;
    }
    if (nat.rule == nullptr) return out;
    if (nat.rule->action != RuleAction::dnat && nat.rule->action != RuleAction::redirect) {
        out.stop = blocked({true, nat.chain, nat.rule, false}, BlockedPacket::in_container, facts);
        return out;
    }
    out.rule = describe_rule(*nat.chain, *nat.rule);
    out.to.port = nat.rule->to_port.value_or(to.port);
    if (nat.rule->action == RuleAction::dnat) out.to.address = nat.rule->to_address.value_or(to.address);
    if (is_containers(out.to.address)) return out;
    out.stop.emplace();
    if (out.to.address.is_loopback()) {
        out.stop->verdict = PortVerdict::unknown;
        out.stop->why.explanation = place_of(*out.rule) + " in " + row_.target + " sends it on to " +
                                    endpoint_text(out.to.address, out.to.port) +
                                    ", which takes route_localnet there";
        return out;
    }
    out.stop->verdict = PortVerdict::shadowed;
    out.stop->why = explain_sent_on(container_.target, *out.rule, out.to);
    return out;
}

std::optional<PortTrace> HostTrace::stopped_inside(const api::Endpoint& to, const api::Endpoint& inside,
                                                   const IpAddress& client,
                                                   const std::optional<RouteBack>& route) const {
    const auto family = to.address.family();
    const auto& rules = container_.rules.of(family);
    if (!rules.known) {
        PortTrace out;
        out.verdict = PortVerdict::unknown;
        out.why.explanation = "the rules of " + row_.target + " could not be read as a whole";
        return out;
    }
    auto facts = packet_inside(to, client);
    const auto interface = facts.input;
    for (const std::uint32_t hook : {NF_INET_PRE_ROUTING, NF_INET_LOCAL_IN}) {
        if (hook == NF_INET_LOCAL_IN && inside != to) {
            facts.destination = inside.address;
            facts.destination_port = inside.port;
            facts.flow = kernel::flow_is_new | kernel::flow_has_dnat;
        }
        if (auto stop = stop_at(rules.chains, hook, facts, BlockedPacket::in_container)) return stop;
    }
    auto back = answer(inside);
    back.destination = client;
    if (inside != to) back.flow = kernel::flow_is_established | kernel::flow_has_dnat;
    back.input = "";
    back.output = interface;
    if (route) {
        if (auto lost = no_way_back(*route, client, interface)) return lost;
        if (route->kind == RouteBack::Kind::there) back.output = route->interface;
    }
    for (const std::uint32_t hook : {NF_INET_LOCAL_OUT, NF_INET_POST_ROUTING}) {
        if (auto stop = stop_at(rules.chains, hook, back, BlockedPacket::answer_in_container)) return stop;
    }
    return std::nullopt;
}

std::optional<PortTrace> HostTrace::no_way_back(const RouteBack& route, const IpAddress& client,
                                                const std::optional<std::string>& interface) const {
    PortTrace out;
    out.verdict = PortVerdict::blocked;
    switch (route.kind) {
        case RouteBack::Kind::none:
            out.why = explain_no_way_back(row_, client.family());
            return out;
        case RouteBack::Kind::refused:
            out.why = explain_refused_back(row_, client, route.why.value_or(Explanation()));
            return out;
        case RouteBack::Kind::some:
            if (client == somebody_outside(client.family())) return std::nullopt;
            out.why = explain_refused_back(row_, client, {"it has no route there", {}});
            return out;
        case RouteBack::Kind::there:
            break;
    }
    if (route.why) {
        out.why = *route.why;
        return out;
    }
    if (route.by_host || client != somebody_outside(client.family())) return std::nullopt;
    out.verdict = PortVerdict::unknown;
    out.why.explanation = row_.target + " answers the outside by " + route.interface +
                          (route.gateway ? " and " + route.gateway->to_string() : std::string()) +
                          ", past the host, which would have to translate it back" +
                          (interface ? ": it came by " + *interface : std::string());
    return out;
}

}  // namespace netlab::operations
