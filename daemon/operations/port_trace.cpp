#include "daemon/operations/port_trace.hpp"

#include "common/endpoint.hpp"
#include "daemon/operations/missed_chain.hpp"
#include "daemon/operations/port_explanation.hpp"
#include "daemon/operations/proxy_processes.hpp"

#include <algorithm>

#include <arpa/inet.h>  // before the kernel's headers, which then leave out what it has
#include <linux/netfilter.h>

namespace netlab::operations {

using api::CarrierKind;
using api::PortVerdict;
using kernel::HookPart;
using kernel::RuleAction;

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

PortTrace doubt(const kernel::RuleChain* chain, const kernel::PacketRule* rule, const std::string& whose) {
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

PortTrace explain_untracked(const kernel::RuleChain& chain, const kernel::PacketRule& rule, bool surely) {
    PortTrace out;
    out.verdict = surely ? PortVerdict::blocked : PortVerdict::unknown;
    const auto described = describe_rule(chain, rule);
    out.why = {place_of(described) + (surely ? " takes" : " may take") +
                   " it from conntrack, so that no rule may translate it: " + described.text,
               described.owner_port ? ask_owner(described.owner_port) : delete_command(described)};
    return out;
}

void Stops::add(std::optional<PortTrace> stop) {
    if (!stop || certain()) return;
    if (!first_ || stop->verdict != PortVerdict::unknown) first_ = std::move(stop);
}

bool Stops::certain() const {
    return first_ && first_->verdict != PortVerdict::unknown;
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

bool HostTrace::leads_here(const api::PortCarrier& carrier) const {
    return carrier.to && is_containers(carrier.to->address) && carrier.to->port == port_.container_port;
}

kernel::PacketFacts HostTrace::packet(const IpAddress& to, bool from_outside) const {
    const auto protocol = static_cast<std::uint8_t>(is_tcp() ? IPPROTO_TCP : IPPROTO_UDP);
    auto out = packet_from_outside(client_.address, to, protocol, *port_.host_port,
                                   host_.outside(row_.family).interface);
    if (from_outside) return out;
    out.source = to;
    out.input = "";
    out.output = "lo";
    return out;
}

/// Behind the rule that translates it.
kernel::PacketFacts HostTrace::translated(const api::Endpoint& to) const {
    auto out = packet(to.address, true);
    out.destination_port = to.port;
    out.destination_local = false;
    out.flow = kernel::flow_is_new | kernel::flow_has_dnat;
    return out;
}

kernel::PacketFacts HostTrace::answer(const api::Endpoint& to) const {
    auto out = packet(to.address, true);
    std::swap(out.source, out.destination);
    out.destination_port = out.source_port;
    out.source_port = to.port;
    out.destination_local = false;
    out.flow = kernel::flow_is_established;
    return out;
}

kernel::PacketFacts HostTrace::later(kernel::PacketFacts packet) const {
    constexpr std::uint8_t push_and_ack = 0x18;
    if (packet.flow) packet.flow = (*packet.flow & ~kernel::flow_is_new) | kernel::flow_is_established;
    if (is_tcp()) packet.tcp_flags = push_and_ack;
    return packet;
}

PortTrace HostTrace::blocked(const kernel::FilterDecision& decision, const PacketRole& role,
                             const kernel::PacketFacts& packet) const {
    PortTrace out;
    out.verdict = PortVerdict::blocked;
    const auto* missed = find_missed_chain(rules().chains, decision, packet);
    out.why = explain_blocked(row_, container_.target, role, decision, packet, missed);
    return out;
}

std::optional<PortTrace> HostTrace::stop_of(const kernel::FilterDecision& decision, const PacketRole& role,
                                            const kernel::PacketFacts& packet) const {
    if (decision.uncertain) {
        const bool inside =
            role.kind == BlockedPacket::in_container || role.kind == BlockedPacket::answer_in_container;
        return doubt(decision.doubtful_chain, decision.doubtful, inside ? row_.target : std::string());
    }
    if (!decision.dropped) return std::nullopt;
    return blocked(decision, role, packet);
}

std::optional<PortTrace> HostTrace::stop_at(const FamilyRules& rules, std::uint32_t hook,
                                            kernel::PacketFacts& packet, const PacketRole& role,
                                            kernel::HookPart part) const {
    const auto decision = kernel::find_drop(rules.chains, hook, packet, part);
    const auto& effects = decision.effects;
    const bool was_translated = packet.flow && (*packet.flow & kernel::flow_has_dnat) != 0;
    kernel::apply(effects, packet);
    auto stop = stop_of(decision, role, packet);
    if (effects.untracks == nullptr || !was_translated || (stop && stop->verdict != PortVerdict::unknown))
        return stop;
    return explain_untracked(*effects.untrack_chain, *effects.untracks, effects.surely_untracks);
}

std::optional<PortTrace> HostTrace::stop_at(const FamilyRules& rules, const kernel::FramePoint& point,
                                            const kernel::PacketFacts& packet, const PacketRole& role) const {
    const auto& frames = rules.frames;
    if (frames.empty()) return std::nullopt;
    auto frame = packet;
    // Conntrack has not seen it, or rules there do not ask it.
    frame.flow.reset();
    frame.destination_local.reset();
    using Kind = kernel::FramePoint::Kind;
    frame.input = point.kind == Kind::ingress ? std::optional(point.device) : std::nullopt;
    frame.output = point.kind == Kind::egress ? std::optional(point.device) : std::nullopt;
    const auto decision = kernel::find_frame_drop(frames, point, frame);
    auto stop = stop_of(decision, role, packet);
    const auto& effects = decision.effects;
    if (stop || (effects.untracks == nullptr && effects.zones == nullptr)) return stop;
    // Whether conntrack comes to it there is not known.
    return effects.untracks != nullptr ? explain_untracked(*effects.untrack_chain, *effects.untracks, false)
                                       : doubt(effects.zone_chain, effects.zones);
}

std::optional<PortTrace> HostTrace::stop_by_route(const kernel::PacketFacts& packet,
                                                  const std::string& output, const PacketRole& role) const {
    if (!host_.route || host_.outside(row_.family).interface.empty()) return std::nullopt;
    const auto route = host_.route(packet);
    PortTrace out;
    if (!packet.mark && !route.by_mark.empty()) {
        out.verdict = PortVerdict::unknown;
        out.why.explanation =
            "a rule sets marks, and the host's policy rule " + route.by_mark + " goes by them";
        return out;
    }
    if (!route.known) return std::nullopt;
    const bool as_expected =
        route.error == 0 && (output.empty() ? route.local : !route.local && route.output == output);
    if (as_expected && route.hop) {
        out.verdict = route.hop->certain ? PortVerdict::blocked : PortVerdict::unknown;
        out.why = explain_next_hop(row_, role, packet, *route.hop);
        return out;
    }
    if (as_expected) return std::nullopt;
    // An answer may find its way by another interface too, where somebody has seen to that.
    const bool strays = route.error == 0 && !output.empty() && !route.local;
    const bool is_answer =
        role.kind == BlockedPacket::answer_on_host || role.kind == BlockedPacket::answer_of_host;
    out.verdict = strays && is_answer ? PortVerdict::unknown : PortVerdict::blocked;
    out.why = explain_unrouted(row_, role, packet, route, output);
    return out;
}

PortTrace HostTrace::trace(const IpAddress& to, bool from_outside) const {
    if (auto taken = by_rules(to, from_outside)) return std::move(*taken);
    return by_socket(to, *port_.host_port, from_outside);
}

std::optional<PortTrace> HostTrace::by_rules(const IpAddress& to, bool from_outside) const {
    PortTrace out;
    if (!rules().known) {
        out.verdict = PortVerdict::unknown;
        out.why.explanation = "the host's rules could not be read as a whole";
        return out;
    }
    auto facts = packet(to, from_outside);
    const std::uint32_t hook = from_outside ? NF_INET_PRE_ROUTING : NF_INET_LOCAL_OUT;
    const auto who = role(from_outside ? BlockedPacket::on_host : BlockedPacket::from_host);
    Stops stops;
    if (from_outside)
        stops.add(stop_at(rules(), {kernel::FramePoint::Kind::ingress, *facts.input}, facts, who));
    stops.add(stop_at(rules(), hook, facts, who, HookPart::before_dnat));
    if (stops.first()) return stops.first();
    // It stays on the host, where a process may take it all the same.
    if (facts.flow && (*facts.flow & kernel::flow_is_untracked) != 0)
        return stop_at(rules(), hook, facts, who, HookPart::behind_dnat);
    const auto nat = kernel::find_nat(rules().chains, hook, facts);
    if (kernel::is_drop(nat) && !nat.uncertain)
        return blocked({true, nat.chain, nat.rule, false}, who, facts);
    if (nat.rule == nullptr && !nat.uncertain)
        return stop_at(rules(), hook, facts, who, HookPart::behind_dnat);
    if (!facts.flow) {
        const auto effects = kernel::find_drop(rules().chains, hook, packet(to, from_outside)).effects;
        return explain_untracked(*effects.untrack_chain, *effects.untracks, false);
    }
    if (nat.uncertain) return doubt(nat.doubtful_chain, nat.doubtful);
    if (nat.rule->action == RuleAction::redirect) return by_redirect(nat, to, from_outside);
    if (nat.rule->action != RuleAction::dnat) return blocked({true, nat.chain, nat.rule, false}, who, facts);
    const api::Endpoint target{nat.rule->to_address.value_or(to),
                               nat.rule->to_port.value_or(*port_.host_port)};
    if (nat.effects.marks) facts.mark.reset();
    out.marked = !facts.mark;
    auto& carrier = out.carrier.emplace();
    carrier.kind = CarrierKind::dnat;
    carrier.rule = describe_rule(*nat.chain, *nat.rule);
    carrier.to = target;
    carrier.owner = owner_of(target.address);
    auto behind = facts;
    behind.destination = target.address;
    behind.destination_port = target.port;
    behind.destination_local = false;
    *behind.flow |= kernel::flow_has_dnat;
    if (auto stop = stop_at(rules(), hook, behind, who, HookPart::behind_dnat)) {
        out.verdict = stop->verdict;
        out.why = std::move(stop->why);
    }
    return out;
}

/// To another port of the host's, where somebody else may be.
std::optional<PortTrace> HostTrace::by_redirect(const kernel::NatDecision& nat, const IpAddress& to,
                                                bool from_outside) const {
    const auto port = nat.rule->to_port.value_or(*port_.host_port);
    if (port == *port_.host_port) return std::nullopt;
    auto taken = by_socket(to, port, from_outside);
    if (taken.carrier && taken.carrier->kind == CarrierKind::proxy && leads_here(*taken.carrier))
        return taken;
    const auto rule = describe_rule(*nat.chain, *nat.rule);
    PortTrace out;
    out.verdict = PortVerdict::shadowed;
    out.why = explain_redirected(rule, port, taken.carrier);
    auto& carrier = out.carrier.emplace();
    carrier.kind = CarrierKind::dnat;
    carrier.rule = rule;
    carrier.to = api::Endpoint{to, port};
    carrier.owner = owner_of(to);
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
    if (auto stop = stopped_at_socket({to, port}, from_outside)) {
        out.verdict = stop->verdict;
        out.why = std::move(stop->why);
    }
    return out;
}

std::optional<PortTrace> HostTrace::stopped_at_socket(const api::Endpoint& to, bool from_outside) const {
    return with_cause(from_outside ? tracked_at_socket(to) : Tracked(), [&](Tracking tracking) {
        Stops stops;
        for (const bool is_later : {false, true}) {
            reach_socket(to, from_outside, tracking, is_later, stops);
            answer_from_socket(to, from_outside, tracking, is_later, stops);
        }
        return stops.first();
    });
}

void HostTrace::reach_socket(const api::Endpoint& to, bool from_outside, Tracking tracking, bool is_later,
                             Stops& stops) const {
    auto facts = packet(to.address, from_outside);
    facts.destination_port = to.port;
    if (is_later) facts = later(std::move(facts));
    const auto who = role(from_outside ? BlockedPacket::on_host : BlockedPacket::from_host, is_later);
    if (!from_outside) return by_loopback(facts, who, stops);
    if (is_later) facts = alone(std::move(facts), tracking, false);
    stops.add(stop_by_route(facts, {}, who));
    auto stop = stop_at(rules(), NF_INET_PRE_ROUTING, facts, who);
    // Of the first one by_rules() has said so.
    if (is_later) stops.add(std::move(stop));
    stops.add(stop_at(rules(), NF_INET_LOCAL_IN, facts, who));
}

void HostTrace::answer_from_socket(const api::Endpoint& to, bool from_outside, Tracking tracking,
                                   bool is_later, Stops& stops) const {
    auto back = answer(to);
    if (is_later) back = later(std::move(back));
    back.input = "";
    const auto who = role(BlockedPacket::answer_of_host, is_later);
    if (!from_outside) {
        back.destination = to.address;
        return by_loopback(back, who, stops);
    }
    back = alone(std::move(back), tracking, !is_later);
    const auto& outside = host_.outside(row_.family).interface;
    stops.add(stop_by_route(back, outside, who));
    back.output = outside;
    for (const std::uint32_t hook : {NF_INET_LOCAL_OUT, NF_INET_POST_ROUTING})
        stops.add(stop_at(rules(), hook, back, who));
    stops.add(stop_at(rules(), {kernel::FramePoint::Kind::egress, outside}, back, who));
}

Tracked HostTrace::tracked_at_socket(const api::Endpoint& to) const {
    auto there = packet(to.address, true);
    there.destination_port = to.port;
    auto back = answer(to);
    back.input = "";
    back.output = host_.outside(row_.family).interface;
    return tracked(effects_at(rules(), NF_INET_PRE_ROUTING, there),
                   effects_at(rules(), NF_INET_LOCAL_OUT, back));
}

/// Between two sockets of the host's.
void HostTrace::by_loopback(kernel::PacketFacts facts, const PacketRole& who, Stops& stops) const {
    for (const std::uint32_t hook :
         {NF_INET_LOCAL_OUT, NF_INET_POST_ROUTING, NF_INET_PRE_ROUTING, NF_INET_LOCAL_IN}) {
        const bool out = hook == NF_INET_LOCAL_OUT || hook == NF_INET_POST_ROUTING;
        facts.input = out ? "" : "lo";
        facts.output = out ? "lo" : "";
        facts.destination_local = true;
        stops.add(stop_at(rules(), hook, facts, who));
    }
}

}  // namespace netlab::operations
