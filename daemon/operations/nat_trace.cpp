#include "daemon/operations/nat_trace.hpp"

#include "daemon/operations/missed_chain.hpp"
#include "daemon/operations/network_family.hpp"
#include "daemon/operations/packet_explanation.hpp"

#include <utility>

#include <arpa/inet.h>  // before the kernel's headers, which then leave out what it has
#include <linux/netfilter.h>

namespace netlab::operations {

using kernel::PacketFacts;
using kernel::RuleAction;
using Kind = kernel::FramePoint::Kind;

namespace {

constexpr std::uint16_t any_port = 40'000;
constexpr std::uint16_t web = 443;

}  // namespace

PacketFacts packet_out(const WayOut& way) {
    PacketFacts out{way.source, way.destination, IPPROTO_TCP, any_port, web};
    out.input = way.bridge;
    out.output = way.output;
    out.destination_local = false;
    out.reverse_path = true;
    out.mark = 0;
    out.flow = kernel::flow_is_new;
    out.masqueraded_as = way.host_address;
    return out;
}

PacketFacts answer_back(const WayOut& way) {
    auto out = packet_out(way);
    std::swap(out.source, out.destination);
    std::swap(out.source_port, out.destination_port);
    out.input = way.output;
    out.output = way.bridge;
    out.flow = kernel::flow_is_established;
    out.masqueraded_as.reset();
    return out;
}

/// In the container what it sends has no interface that it came in by, and what comes in none to leave by.
PacketFacts NatTrace::packet(Leg leg) const {
    auto out = leg.answer ? answer_back(way_) : packet_out(way_);
    (leg.answer ? out.source_port : out.destination_port) = service_;
    if (leg.inside) {
        out.input = leg.answer ? way_.interface : "";
        out.output = leg.answer ? "" : way_.interface;
        out.destination_local = leg.answer;
    }
    if (!leg.later) return out;
    constexpr std::uint8_t push_and_ack = 0x18;
    out.flow = kernel::flow_is_established;
    out.tcp_flags = push_and_ack;
    return out;
}

std::string NatTrace::words(Leg leg) const {
    const std::string later = leg.later ? ", behind the first packet," : "";
    if (way_.target != nullptr)
        return (leg.answer ? "what the outside answers " + way_.target->name
                           : "what " + way_.target->name + " sends to the outside") +
               later;
    const auto who = way_.network ? network_text(*way_.network) : way_.source.to_string();
    return (leg.answer ? "what the outside answers " + who : "what leaves by " + way_.bridge) + later;
}

NatTrace::Stop NatTrace::doubt(const kernel::RuleChain* chain, const kernel::PacketRule* rule,
                               Leg leg) const {
    const std::string whose = leg.inside ? " in " + way_.target->name : std::string();
    WayStop out;
    out.certain = false;
    out.answer = leg.answer;
    out.why.explanation = leg.inside ? "not all of the rules" + whose + " are understood"
                                     : "not all of the host's rules are understood";
    if (rule != nullptr) {
        const auto described = describe_rule(*chain, *rule);
        out.why.explanation = place_of(described) + whose + " may decide otherwise" +
                              (leg.answer ? " of what the outside answers: " : ": ") + described.text;
    }
    return out;
}

NatTrace::Stop NatTrace::stop_of(const kernel::FilterDecision& decision, const PacketFacts& facts,
                                 Leg leg) const {
    if (decision.uncertain) return doubt(decision.doubtful_chain, decision.doubtful, leg);
    if (!decision.dropped) return std::nullopt;
    DroppedPacket dropped{words(leg), facts, "tcp"};
    dropped.engine = way_.engine;
    dropped.source = way_.network;
    if (leg.inside) dropped.inside = way_.target;
    dropped.passes_by = leg.answer || leg.later ? PassesBy::flow : PassesBy::source;
    const bool by_program = !leg.inside && dropped.passes_by == PassesBy::source;
    if (by_program) dropped.program_flow = {way_.bridge, way_.output, {}, 0, true};
    const auto* missed =
        leg.answer && !leg.inside ? find_missed_chain(rules_.chains, decision, facts) : nullptr;
    WayStop out{explain_drop(dropped, decision, missed)};
    if (leg.answer) out.why.explanation += "; no answer comes back";
    out.answer = leg.answer;
    if (decision.rule != nullptr) out.rule = describe_rule(*decision.chain, *decision.rule);
    return out;
}

NatTrace::Stop NatTrace::stop_at(std::uint32_t hook, PacketFacts& facts, Leg leg,
                                 kernel::HookPart part) const {
    const auto decision = kernel::find_drop(rules_of(leg).chains, hook, facts, part);
    kernel::apply(decision.effects, facts);
    return stop_of(decision, facts, leg);
}

NatTrace::Stop NatTrace::stop_at(const kernel::FramePoint& point, PacketFacts& facts, Leg leg) const {
    const auto& frames = rules_of(leg).frames;
    if (frames.empty()) return std::nullopt;
    auto frame = facts;
    // Conntrack has not seen it, or rules there do not ask it.
    frame.flow.reset();
    frame.destination_local.reset();
    frame.input.reset();
    frame.output.reset();
    const bool enters = point.kind == Kind::ingress || (point.kind == Kind::bridge && !leg.answer);
    const auto& device = point.kind == Kind::bridge ? way_.port : point.device;
    if (!device.empty()) (enters ? frame.input : frame.output) = device;
    const auto decision = kernel::find_frame_drop(frames, point, frame);
    if (decision.effects.marks) facts.mark.reset();
    if (auto stop = stop_of(decision, facts, leg)) return stop;
    // Whether conntrack comes to it there is not known.
    const auto& effects = decision.effects;
    if (effects.untracks != nullptr) return doubt(effects.untrack_chain, effects.untracks, leg);
    return effects.zones != nullptr ? doubt(effects.zone_chain, effects.zones, leg) : std::nullopt;
}

/// A drop, or other addresses. Another source on the host is the judgement's.
NatTrace::Stop NatTrace::stop_by_nat(std::uint32_t hook, const PacketFacts& facts, Leg leg) const {
    // What conntrack is kept from is not translated.
    if (!facts.flow || (*facts.flow & kernel::flow_is_untracked) != 0) return std::nullopt;
    const auto nat = kernel::find_nat(rules_of(leg).chains, hook, facts);
    if (nat.uncertain) return doubt(nat.doubtful_chain, nat.doubtful, leg);
    if (kernel::is_drop(nat)) return stop_of({true, nat.chain, nat.rule}, facts, leg);
    if (nat.rule == nullptr || nat.rule->action == RuleAction::masquerade) return std::nullopt;
    const auto& rule = *nat.rule;
    const bool same = rule.action == RuleAction::dnat && !rule.to_port &&
                      rule.to_address.value_or(facts.destination) == facts.destination;
    if (same) return std::nullopt;
    // A proxy may take it there, and go on by itself.
    WayStop out;
    out.certain = false;
    out.rule = describe_rule(*nat.chain, rule);
    const auto place = place_of(*out.rule) + (leg.inside ? " in " + way_.target->name : std::string());
    const bool source = rule.action == RuleAction::snat;
    out.why.explanation = place + (source ? " gives another source to " : " sends elsewhere ") + words(leg) +
                          ", and what becomes of it then netlab does not know: " + out.rule->text;
    out.why.suggestion = removal_of(*out.rule, leg.inside ? way_.target : nullptr);
    if (!out.why.suggestion.empty()) out.why.suggestion += "  # if that is not wanted";
    return out;
}

NatTrace::Stop NatTrace::stop_by_route(const PacketFacts& back, Leg leg) const {
    const auto& route = way_.back;
    WayStop out;
    out.answer = true;
    if (!back.mark && !route.by_mark.empty()) {
        out.certain = false;
        out.why.explanation =
            "a rule sets marks, and the host's policy rule " + route.by_mark + " goes by them";
        return out;
    }
    if (!route.known || (route.error == 0 && !route.local && route.output == way_.bridge))
        return std::nullopt;
    // It may find its way by another interface too, where somebody has seen to that.
    out.certain = route.error != 0 || route.local;
    out.why = explain_unrouted(words(leg), back, route, way_.bridge);
    return out;
}

}  // namespace netlab::operations
