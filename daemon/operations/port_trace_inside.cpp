#include "common/endpoint.hpp"
#include "daemon/operations/port_trace.hpp"

#include <algorithm>

#include <arpa/inet.h>  // before the kernel's headers, which then leave out what it has
#include <linux/netfilter.h>

/// The part of the way inside the container.
namespace netlab::operations {

using api::PortVerdict;
using kernel::RuleAction;

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
        out.stop = blocked({true, nat.chain, nat.rule, false}, role(BlockedPacket::in_container), facts);
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
    const auto interface = packet_inside(to, client).input;
    auto output = interface;
    if (route) {
        if (auto lost = no_way_back(*route, client, interface)) return lost;
        if (route->kind == RouteBack::Kind::there && !route->interface.empty()) output = route->interface;
    }
    const auto nat = inside == to ? std::uint32_t{0} : std::uint32_t{kernel::flow_has_dnat};
    Stops stops;
    for (const bool is_later : {false, true}) {
        auto facts = packet_inside(to, client);
        if (is_later) facts = later(std::move(facts));
        using Kind = kernel::FramePoint::Kind;
        if (interface)
            stops.add(stop_at(rules, {Kind::ingress, *interface}, facts,
                              role(BlockedPacket::in_container, is_later)));
        stops.add(stop_at(rules, NF_INET_PRE_ROUTING, facts, role(BlockedPacket::in_container, is_later)));
        facts.destination = inside.address;
        facts.destination_port = inside.port;
        if (facts.flow) *facts.flow |= nat;
        stops.add(stop_at(rules, NF_INET_LOCAL_IN, facts, role(BlockedPacket::in_container, is_later)));
        auto back = answer_inside(inside, client);
        *back.flow |= nat;
        back.output = output;
        if (is_later) back = later(std::move(back));
        for (const std::uint32_t hook : {NF_INET_LOCAL_OUT, NF_INET_POST_ROUTING})
            stops.add(stop_at(rules, hook, back, role(BlockedPacket::answer_in_container, is_later)));
        if (output)
            stops.add(stop_at(rules, {Kind::egress, *output}, back,
                              role(BlockedPacket::answer_in_container, is_later)));
    }
    return stops.first();
}

kernel::PacketFacts HostTrace::answer_inside(const api::Endpoint& inside, const IpAddress& client) const {
    auto back = answer(inside);
    back.destination = client;
    back.input = "";
    return back;
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
            if (client == client_.address) return std::nullopt;
            out.why = explain_refused_back(row_, client, {"it has no route there", {}});
            return out;
        case RouteBack::Kind::there:
            break;
    }
    if (route.why) {
        out.why = *route.why;
        return out;
    }
    if (route.by_host || client != client_.address) return std::nullopt;
    out.verdict = PortVerdict::unknown;
    out.why.explanation = row_.target + " answers the outside by " + route.interface +
                          (route.gateway ? " and " + route.gateway->to_string() : std::string()) +
                          ", past the host, which would have to translate it back" +
                          (interface ? ": it came by " + *interface : std::string());
    return out;
}

}  // namespace netlab::operations
