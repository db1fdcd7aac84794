#include "daemon/operations/nat_trace.hpp"
#include "daemon/operations/packet_explanation.hpp"

#include <array>
#include <utility>

#include <arpa/inet.h>  // before the kernel's headers, which then leave out what it has
#include <linux/netfilter.h>
#include <linux/netfilter_bridge.h>

/// The points that the packets pass, one after another.
namespace netlab::operations {

using kernel::HookPart;
using kernel::PacketFacts;
using Kind = kernel::FramePoint::Kind;

namespace {

constexpr std::array<std::uint32_t, 2> bridge_in{NF_BR_PRE_ROUTING, NF_BR_LOCAL_IN};
constexpr std::array<std::uint32_t, 2> bridge_out{NF_BR_LOCAL_OUT, NF_BR_POST_ROUTING};

/// The first that is certain, or else the first that may be.
void take(std::optional<WayStop>& first, std::optional<WayStop> stop) {
    if (!stop || (first && first->certain)) return;
    if (!first || stop->certain) first = std::move(stop);
}

/// Rules may ask for an address that is not known.
void doubt_address(std::optional<WayStop>& stop) {
    if (!stop || !stop->certain) return;
    stop->certain = false;
    stop->why = {"the address that it leaves with is not known, and it may be that " + stop->why.explanation,
                 {}};
}

/// Any that is not the container's stands for one that is not known.
IpAddress stand_in(const std::optional<IpAddress>& as, const WayOut& way) {
    return as.value_or(way.destination);
}

}  // namespace

/// Of the first packet and its answer, as either comes to the host.
Tracked NatTrace::tracked_on_host(const std::optional<IpAddress>& as) const {
    auto there = packet({});
    there.output = "";
    auto back = packet({.answer = true});
    back.output = "";
    back.destination = stand_in(as, way_);
    back.destination_local = as != way_.source;
    auto out = tracked(effects_at(rules_, NF_INET_PRE_ROUTING, there),
                       effects_at(rules_, NF_INET_PRE_ROUTING, back));
    if (!as && out.tracking == Tracking::apart) out.tracking = Tracking::doubtful;
    return out;
}

Tracked NatTrace::tracked_inside() const {
    return tracked(
        effects_at(*way_.own_rules, NF_INET_LOCAL_OUT, packet({.inside = true})),
        effects_at(*way_.own_rules, NF_INET_PRE_ROUTING, packet({.answer = true, .inside = true})));
}

/// An answer that is of no flow stays with the host, whose address it is for.
NatTrace::Stop NatTrace::not_led_back(const std::optional<IpAddress>& as) const {
    const auto tracking = tracked_on_host(as);
    if (tracking.tracking == Tracking::one_flow) return std::nullopt;
    const auto answers = words({.answer = true});
    WayStop out;
    out.rule = tracking.by;
    out.answer = true;
    out.certain = tracking.tracking == Tracking::apart;
    const auto& rule = *tracking.by;
    if (!out.certain) {
        out.rule.reset();
        out.why.explanation = place_of(rule) + " may keep " + answers + " from its flow: " + rule.text;
        return out;
    }
    if (tracking.by_zone) {
        const auto there = words({});
        out.why =
            tracking.by_answer ? explain_zone(rule, answers, there) : explain_zone(rule, there, answers);
    } else {
        out.why = {place_of(rule) + " takes " + answers +
                       " from conntrack, so that nothing leads it back: " + rule.text,
                   removal_of(rule)};
    }
    out.why.explanation += "; no answer comes back";
    return out;
}

void NatTrace::leave_container(bool later, Stop& stops) const {
    if (way_.own_rules == nullptr) return;
    if (!way_.own_rules->known) {
        WayStop unread;
        unread.certain = false;
        unread.why.explanation = "the rules of " + way_.target->name + " could not be read as a whole";
        take(stops, unread);
    }
    const Leg leg{.later = later, .inside = true};
    auto facts = packet(leg);
    if (later) facts = alone(std::move(facts), tracked_inside().tracking, false);
    take(stops, stop_at(NF_INET_LOCAL_OUT, facts, leg, HookPart::before_dnat));
    if (!later) take(stops, stop_by_nat(NF_INET_LOCAL_OUT, facts, leg));
    take(stops, stop_at(NF_INET_LOCAL_OUT, facts, leg, HookPart::behind_dnat));
    take(stops, stop_at(NF_INET_POST_ROUTING, facts, leg));
    if (!later) take(stops, stop_by_nat(NF_INET_POST_ROUTING, facts, leg));
    take(stops, stop_at({Kind::egress, way_.interface}, facts, leg));
}

PacketFacts NatTrace::cross_host(Leg leg, Tracking tracking, Stop& stops) const {
    auto facts = packet(leg);
    if (leg.later) facts = alone(std::move(facts), tracking, false);
    cross_bridge(facts, leg, stops);
    facts.output = "";
    take(stops, stop_at(NF_INET_PRE_ROUTING, facts, leg, HookPart::before_dnat));
    if (!leg.later) take(stops, stop_by_nat(NF_INET_PRE_ROUTING, facts, leg));
    take(stops, stop_at(NF_INET_PRE_ROUTING, facts, leg, HookPart::behind_dnat));
    if (way_.hop && !leg.later) {
        WayStop lost{explain_next_hop(words(leg), *way_.hop)};
        lost.certain = way_.hop->certain;
        take(stops, std::move(lost));
    }
    facts.output = way_.output;
    take(stops, stop_at(NF_INET_FORWARD, facts, leg));
    // Rules of the last hook do not see the interface it came in by with every kernel.
    facts.input.reset();
    take(stops, stop_at(NF_INET_POST_ROUTING, facts, leg));
    return facts;
}

/// From the container, or towards it.
void NatTrace::cross_bridge(PacketFacts& facts, Leg leg, Stop& stops) const {
    const auto pass = [&](const std::array<std::uint32_t, 2>& hooks) {
        for (const auto hook : hooks) {
            if (way_.bridged) take(stops, stop_at({Kind::bridge, {}, hook}, facts, leg));
        }
    };
    if (leg.answer) {
        take(stops, stop_at({Kind::egress, way_.bridge}, facts, leg));
        pass(bridge_out);
        if (!way_.port.empty()) take(stops, stop_at({Kind::egress, way_.port}, facts, leg));
        return;
    }
    if (!way_.port.empty()) take(stops, stop_at({Kind::ingress, way_.port}, facts, leg));
    pass(bridge_in);
    take(stops, stop_at({Kind::ingress, way_.bridge}, facts, leg));
}

/// What stops it before is leaving()'s, of the first.
void NatTrace::leave_host(const std::optional<IpAddress>& as, Leg leg, Tracking tracking, Stop& stops) const {
    if (!leg.later && rules_.frames.empty()) return;
    if (leg.later) leave_container(true, stops);
    Stop known;
    auto facts = cross_host(leg, leg.later ? tracking : Tracking::one_flow, leg.later ? stops : known);
    facts.source = stand_in(as, way_);
    auto stop = stop_at({Kind::egress, way_.output}, facts, leg);
    if (!as) doubt_address(stop);
    take(stops, std::move(stop));
}

void NatTrace::come_back(const std::optional<IpAddress>& as, Leg leg, Tracking tracking, Stop& stops) const {
    const bool translated = as != way_.source;
    auto facts = alone(packet(leg), translated ? Tracking::one_flow : tracking, !leg.later);
    if (translated) *facts.flow |= kernel::flow_has_snat;
    facts.destination = stand_in(as, way_);
    facts.destination_local = translated;
    facts.output = "";
    Stop early;
    take(early, stop_at({Kind::ingress, way_.output}, facts, leg));
    take(early, stop_at(NF_INET_PRE_ROUTING, facts, leg, HookPart::before_dnat));
    if (!as) doubt_address(early);
    take(stops, std::move(early));
    if (translated && !leg.later) take(stops, not_led_back(as));
    facts.destination = way_.source;
    facts.destination_local = false;
    take(stops, stop_at(NF_INET_PRE_ROUTING, facts, leg, HookPart::behind_dnat));
    take(stops, stop_by_route(facts, leg));
    facts.output = way_.bridge;
    take(stops, stop_at(NF_INET_FORWARD, facts, leg));
    facts.input.reset();
    take(stops, stop_at(NF_INET_POST_ROUTING, facts, leg));
    cross_bridge(facts, leg, stops);
}

void NatTrace::enter_container(bool later, Stop& stops) const {
    if (way_.own_rules == nullptr) return;
    const Leg leg{true, later, true};
    auto facts = alone(packet(leg), tracked_inside().tracking, !later);
    take(stops, stop_at({Kind::ingress, way_.interface}, facts, leg));
    for (const std::uint32_t hook : {NF_INET_PRE_ROUTING, NF_INET_LOCAL_IN})
        take(stops, stop_at(hook, facts, leg));
}

std::optional<WayStop> NatTrace::leaving() const {
    Stop stops;
    leave_container(false, stops);
    cross_host({}, Tracking::one_flow, stops);
    return stops;
}

NatTrace::Stop NatTrace::answered(const std::optional<IpAddress>& as, Tracking tracking) const {
    Stop stops;
    for (const bool later : {false, true}) {
        leave_host(as, {.later = later}, tracking, stops);
        come_back(as, {.answer = true, .later = later}, tracking, stops);
        enter_container(later, stops);
    }
    return stops;
}

std::optional<WayStop> NatTrace::answered(const std::optional<IpAddress>& as) const {
    const auto tracking = tracked_on_host(as);
    auto stop = answered(as, tracking.tracking);
    if (!stop || !stop->certain || !tracking.by || stop->rule == tracking.by || as != way_.source ||
        answered(as, Tracking::one_flow))
        return stop;
    stop->of_no_flow = true;
    stop->why.explanation +=
        "; it is of no flow for the rules because of " + place_of(*tracking.by) + ": " + tracking.by->text;
    stop->why.suggestion = removal_of(*tracking.by);
    return stop;
}

}  // namespace netlab::operations
