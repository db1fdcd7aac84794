#include "daemon/operations/why_rules_around.hpp"

#include "daemon/operations/why_translation.hpp"

#include <arpa/inet.h>  // before the kernel's headers, which then leave out what it has
#include <linux/netfilter.h>

namespace netlab::operations {

namespace {

using Kind = kernel::FramePoint::Kind;

/// What comes next counts where nothing has stopped it before, or made another packet of it.
void go_on(RulesDecision& so_far, RulesDecision next) {
    const bool known = so_far.known && next.known;
    if (!so_far.rule && !so_far.translation_in_doubt) {
        if (!so_far.doubt.empty()) next.doubt = std::move(so_far.doubt);
        next.marks = next.marks || so_far.marks;
        so_far = std::move(next);
    }
    so_far.known = known;
}

RulesDecision nothing_met() {
    RulesDecision out;
    out.known = true;
    return out;
}

/// As it is answered: from one address to another.
kernel::PacketFacts answer_of(kernel::PacketFacts packet, const api::Endpoint& from, const IpAddress& to) {
    packet.destination = to;
    packet.destination_port = packet.source_port;
    packet.source = from.address;
    packet.source_port = from.port;
    packet.flow = kernel::flow_is_established;
    return packet;
}

/// The same flow as it is behind what translates it.
Flow translated(Flow flow, const api::Endpoint& destination) {
    flow.remote = destination.address;
    flow.remote_port = destination.port;
    return flow;
}

/// Whose they are, in the words that a doubt begins with.
RulesDecision of_end(RulesDecision decision, const WayEnd& end) {
    decision.place = end.place;
    if (!decision.doubt.empty()) decision.doubt = end.passage.target + "'s " + decision.doubt;
    return decision;
}

class Around {
  public:
    Around(const WayRules& rules, const Flow& flow, const WayAddresses& addresses)
        : rules_(rules), flow_(flow), at_(addresses) {}

    [[nodiscard]] RulesAround there() const {
        RulesAround out{nothing_met(), nothing_met()};
        if (rules_.from) go_on(out.before, leaving_from());
        if (rules_.frames) go_on(out.before, frames_in(packet()));
        if (!at_.answered) {
            out.behind.known = !rules_.frames && !rules_.to;
            return out;
        }
        if (rules_.frames) go_on(out.behind, frames_out(packet_behind()));
        if (rules_.to) go_on(out.behind, coming_to());
        return out;
    }

    [[nodiscard]] RulesAround back() const {
        RulesAround out{nothing_met(), nothing_met()};
        if (!at_.answered) {
            out.before.known = !rules_.frames && !rules_.to;
        } else {
            if (rules_.to) go_on(out.before, leaving_to());
            if (rules_.answers_by) {
                out.before.known = out.behind.known = false;
                return out;
            }
            if (rules_.frames) go_on(out.before, frames_in(answer_behind(), true));
        }
        const auto answer = answer_of(packet(), {flow_.remote, flow_.remote_port}, at_.source);
        if (rules_.frames) go_on(out.behind, frames_out(behind_host(answer), true));
        if (rules_.from) go_on(out.behind, coming_back_to(answer));
        return out;
    }

  private:
    [[nodiscard]] kernel::PacketFacts packet() const { return packet_facts({}, flow_, at_.source); }
    [[nodiscard]] kernel::PacketFacts packet_behind() const {
        return behind_host(packet_facts({}, translated(flow_, at_.destination), *at_.answered));
    }
    /// With the mark that the host's rules may have set; a veth clears it.
    [[nodiscard]] static kernel::PacketFacts behind_host(kernel::PacketFacts packet) {
        packet.mark.reset();
        return packet;
    }
    [[nodiscard]] kernel::PacketFacts answer_behind() const {
        return answer_of(packet_facts({}, flow_, at_.source), at_.destination, *at_.answered);
    }

    [[nodiscard]] RulesDecision frames_in(const kernel::PacketFacts& packet, bool back = false) const {
        if (rules_.host == nullptr) return {};
        return decide_frames_in(*rules_.host, back ? rules_.frames->back() : *rules_.frames, packet);
    }
    [[nodiscard]] RulesDecision frames_out(const kernel::PacketFacts& packet, bool back = false) const {
        if (rules_.host == nullptr) return {};
        return decide_frames_out(*rules_.host, back ? rules_.frames->back() : *rules_.frames, packet);
    }

    /// Nothing where it goes to FROM itself.
    [[nodiscard]] static RulesDecision at_interface(const WayEnd& end, Kind kind,
                                                    const kernel::PacketFacts& packet) {
        const bool enters_by = !end.passage.input.empty() && !end.passage.output.empty();
        if (enters_by) return nothing_met();
        const auto& name = end.passage.input.empty() ? end.passage.output : end.passage.input;
        return decide_frame_at(*end.rules, end.passage.target, {kind, name}, packet);
    }

    [[nodiscard]] RulesDecision leaving_from() const {
        const auto& end = *rules_.from;
        if (end.rules == nullptr) return of_end({}, end);
        const bool stays = end.passage.for_host;
        const api::Endpoint to = stays ? at_.inside : api::Endpoint{flow_.remote, flow_.remote_port};
        auto out = decide_by_rules(*end.rules, end.passage, flow_, at_.source, to);
        if (!stays) {
            if (!out.rule) look_for_translation(end, out);
            go_on(out, at_interface(end, Kind::egress, packet()));
        }
        return of_end(std::move(out), end);
    }

    /// What it makes of the packet's addresses before it leaves netlab does not follow.
    void look_for_translation(const WayEnd& end, RulesDecision& out) const {
        auto facts = packet_facts(end.passage, flow_, at_.source);
        facts.output = end.passage.output;
        for (const std::uint32_t hook : {NF_INET_LOCAL_OUT, NF_INET_POST_ROUTING}) {
            const auto nat = kernel::find_nat(end.rules->chains, hook, facts);
            if (!nat.uncertain && nat.action == kernel::RuleAction::none) continue;
            out.translation_in_doubt = true;
            if (out.doubt.empty())
                out.doubt = nat.uncertain ? doubt_of(nat.doubtful_chain, nat.doubtful)
                                          : doubt_of(nat.chain, nat.rule);
        }
    }

    [[nodiscard]] RulesDecision coming_to() const {
        const auto& end = *rules_.to;
        if (end.rules == nullptr) return of_end({}, end);
        auto out = at_interface(end, Kind::ingress, packet_behind());
        go_on(out, decide_by_rules(*end.rules, end.passage, translated(flow_, at_.destination), *at_.answered,
                                   at_.inside));
        return of_end(std::move(out), end);
    }

    [[nodiscard]] RulesDecision leaving_to() const {
        const auto& end = *rules_.to;
        if (end.rules == nullptr) return of_end({}, end);
        auto leaving = end;
        if (rules_.answers_by) leaving.passage.input = *rules_.answers_by;
        auto out = decide_answer_by_rules(*end.rules, leaving.passage, translated(flow_, at_.destination),
                                          *at_.answered, at_.inside, *at_.answered);
        go_on(out, at_interface(leaving, Kind::egress, answer_behind()));
        return of_end(std::move(out), end);
    }

    [[nodiscard]] RulesDecision coming_back_to(const kernel::PacketFacts& answer) const {
        const auto& end = *rules_.from;
        if (end.rules == nullptr) return of_end({}, end);
        const bool stays = end.passage.for_host;
        const api::Endpoint to = stays ? at_.inside : api::Endpoint{flow_.remote, flow_.remote_port};
        auto out = stays ? nothing_met() : at_interface(end, Kind::ingress, answer);
        go_on(out, decide_answer_by_rules(*end.rules, end.passage, flow_, at_.source, to, at_.source));
        return of_end(std::move(out), end);
    }

    const WayRules& rules_;
    const Flow& flow_;
    const WayAddresses& at_;
};

}  // namespace

RulesAround decide_around(const WayRules& rules, const Flow& flow, const WayAddresses& addresses) {
    return Around(rules, flow, addresses).there();
}

RulesAround decide_answer_around(const WayRules& rules, const Flow& flow, const WayAddresses& addresses) {
    return Around(rules, flow, addresses).back();
}

std::optional<api::Endpoint> destination_inside(const WayEnd& end, const Flow& flow, const IpAddress& source,
                                                const api::Endpoint& destination) {
    if (end.rules == nullptr || !end.rules->known) return std::nullopt;
    const auto own = [&](const std::string&) { return std::optional(destination.address); };
    const auto to = destination_by_rules(*end.rules, end.passage, translated(flow, destination), source, own);
    return to.value_or(destination);
}

}  // namespace netlab::operations
