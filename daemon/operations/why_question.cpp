#include "daemon/operations/why_question.hpp"

#include "common/endpoint.hpp"
#include "daemon/operations/request_time.hpp"
#include "daemon/operations/sightings.hpp"
#include "daemon/operations/why_counts.hpp"
#include "daemon/operations/why_ends.hpp"
#include "daemon/operations/why_explanation.hpp"
#include "daemon/operations/why_host.hpp"
#include "daemon/operations/why_notes.hpp"
#include "daemon/operations/why_publisher.hpp"
#include "daemon/operations/why_rules.hpp"
#include "daemon/operations/why_sending.hpp"
#include "daemon/operations/why_sockets.hpp"
#include "daemon/operations/why_surroundings.hpp"
#include "daemon/operations/why_tables.hpp"
#include "daemon/operations/why_translation.hpp"
#include "daemon/operations/why_verdict.hpp"

#include <algorithm>

namespace netlab::operations {

namespace {

using api::Context;
using api::RouteStep;
using api::WhyProtocol;
using api::WhyReport;
using api::WhyRequest;

/// One question from its address to its report.
class Question {
  public:
    Question(WhyHandles& handles, const WhyRequest& request, const Context& context,
             const Destination& destination, const Topology& topology, Output& output)
        : handles_(handles),
          request_(request),
          context_(context),
          destination_(destination),
          topology_(topology),
          output_(output),
          sockets_(handles, request, context, topology),
          tables_(topology, handles.known),
          facts_(context, request),
          host_(handles, context, destination_, topology, facts_),
          ends_(handles, topology, host_, facts_) {}

    Result<void> answer(WhyReport& report) {
        name_itself();
        handles_.holders.settle();
        facts_.flow = {request_.protocol, 0, destination_.to.address, request_.port};
        facts_.target = owner_of_destination();
        tables_.follow(transport_of(facts_.flow, request_.port));
        auto way = tables_.way_to(destination_.to.address, request_.protocol != WhyProtocol::icmp);
        if (!way) return way.error();
        facts_.way = std::move(*way);
        look_for_publisher();
        if (request_.probe) {
            if (handles_.counters) handles_.counters->begin(destination_.to.address.family(), output_);
            WhySending sending(handles_, request_, destination_, facts_, output_);
            if (auto sent = sending.send(publisher_ ? publisher_->ways : std::vector<api::Endpoint>()); !sent)
                return sent;
            leg_ = sending.leg();
            read_traces();
            if (handles_.counters && !is_answered()) counts_ = handles_.counters->count(output_);
        }
        follow_translation();
        look_around();
        fill(report);
        return {};
    }

    [[nodiscard]] std::optional<std::string> owner_of_destination() const {
        if (destination_.peer_address && context_.peer) return context_.peer->name;
        return named_by_engine(context_, destination_.to.address);
    }

    /// 0.0.0.0 and :: are the kernel's words for its own loopback address; no rule translates them.
    void name_itself() {
        auto& address = destination_.to.address;
        if (!address.is_unspecified()) return;
        const auto loopback = *IpAddress::parse(address.is_v4() ? "127.0.0.1" : "::1");
        facts_.notes.push_back(address.to_string() + " is this namespace itself: the kernel sends to " +
                               loopback.to_string());
        address = loopback;
        destination_.source = loopback;
    }

    // ---- the packet

    [[nodiscard]] bool is_answered() const {
        return facts_.end && facts_.end->kind == ProbeEnd::Kind::answered;
    }

    void read_traces() {
        facts_.traced = handles_.sight.traces();
        facts_.untraced = handles_.sight.untraced();
        handles_.sight.read_rules(output_, is_answered() ? std::nullopt : host_.place());
        auto traced = handles_.sight.take_traced();
        for (auto& [place, one] : traced) {
            one.target = target_at(context_, place).name;
            for (const auto& link : topology_[place].links)
                one.interfaces[link.index] = link.name;
        }
        facts_.trace = read_trace(facts_.flow, traced, mark_of(facts_.flow, handles_.sight.packets()));
        const auto host = host_.place();
        if (host && traced.contains(*host) && traced[*host].rules)
            facts_.ingress = ingress_drops(*traced[*host].rules, facts_.way, *host);
    }

    // ---- what is around it

    /// The destination that the packet had at last: seen, or else as the host's rules would have it.
    void follow_translation() {
        host_.read();
        if (host_.place()) facts_.host = topology_[*host_.place()].target;
        facts_.stale = host_.stale_entry();
        tables_.follow(transport_of(facts_.flow, request_.port));
        facts_.translated =
            find_translation(facts_, host_.rules(), {host_.place(), host_.passage(), destination_.source},
                             host_.own_addresses());
        if (facts_.translated) {
            const auto to = endpoint_text(facts_.translated->address, facts_.translated->port);
            if (const auto place = translating_place(facts_, host_.place()))
                facts_.way =
                    tables_.went_on(std::move(facts_.way), *place, *facts_.translated, "DNAT to " + to);
        }
        packet_ = transport_of(facts_.flow, facts_.destination().port);
        tables_.follow(packet_);
        if (const auto whole = host_.passage(); whole && destination_.source) {
            const auto to = facts_.destination();
            const auto& from = *destination_.source;
            facts_.rules = decide_as_counted([&](const FamilyRules& rules) {
                return decide_by_rules(rules, *whole, facts_.flow, from, to);
            });
            const auto decide_answer = [&](const FamilyRules& rules) {
                return decide_answer_by_rules(rules, *whole, facts_.flow, from, to,
                                              host_.answered_address().value_or(from));
            };
            // No rule has counted an answer that never came.
            const bool came = std::ranges::any_of(facts_.sightings, &Sighting::answer);
            facts_.rules_back = came ? decide_as_counted(decide_answer) : decide_answer(host_.rules());
            facts_.leaving = host_.leaving_source(*whole, from, to);
        }
        facts_.answers_by = answers_by();
        if (destination_.source) ends_.look(*destination_.source);
        look_at_leg();
        facts_.final_target = facts_.way.end_target;
        mark_sightings(facts_.way, facts_.sightings, facts_.observed, facts_.saw_all);
    }

    /// WhyFacts::answers_by, where no answer was seen to leave by the other.
    [[nodiscard]] std::optional<std::string> answers_by() const {
        const auto& way = facts_.way;
        const auto answered = host_.answered_address();
        if (way.end != RouteStep::delivered || !way.end_place || way.points.empty() || !answered)
            return std::nullopt;
        const auto place = handles_.known.home(*way.end_place);
        if (place == handles_.known.home(0)) return std::nullopt;
        const auto& last = way.points.back();
        const bool seen = std::ranges::any_of(facts_.sightings, [&](const Sighting& one) {
            return one.answer && one.outgoing && one.port == last.port;
        });
        if (seen) return std::nullopt;
        auto output = tables_.output_of_answer(place, facts_.destination().address, *answered);
        return output != last.hop.interface ? output : std::nullopt;
    }

    template <class Decide>
    [[nodiscard]] RulesDecision decide_as_counted(Decide decide) const {
        return counts_ ? decide_by_counts(host_.rules(), *counts_, decide) : decide(host_.rules());
    }

    /// As far as its namespace was watched: somebody else may have answered.
    [[nodiscard]] bool to_has_seen_it() const {
        const auto& points = facts_.way.points;
        return points.empty() || points.back().hop.seen.value_or(true);
    }

    void look_around() {
        if (facts_.way.end == RouteStep::delivered && facts_.way.end_place) {
            judge_listener();
            facts_.asleep = sockets_.asleep(*facts_.way.end_place, facts_.listener);
            facts_.ignores_echoes = ignores_echoes(*facts_.way.end_place);
        }
        look_behind_proxy();
        const bool served = !facts_.proxied || leg_ == BehindProxy::Leg::there;
        if (is_answered() && served && to_has_seen_it()) return;
        WhySurroundings(handles_, destination_, topology_, tables_, host_, ends_, facts_).look(packet_);
    }

    [[nodiscard]] bool ignores_echoes(std::size_t place) const {
        if (request_.protocol != WhyProtocol::icmp) return false;
        const auto& ignored = handles_.ignored;
        return (facts_.flow.remote.is_v4() ? ignored.v4 : ignored.v6).contains(handles_.known.home(place));
    }

    void judge_listener() {
        if (request_.protocol == WhyProtocol::icmp) return;
        facts_.listener = sockets_.judge(*facts_.way.end_place, facts_.inside.value_or(facts_.destination()));
    }

    /// Whose published port the packet comes to on the host, if an engine's process takes it there.
    void look_for_publisher() {
        const bool on_host = handles_.host && facts_.way.end == RouteStep::delivered &&
                             facts_.way.end_place == handles_.host->place;
        if (!on_host || request_.protocol == WhyProtocol::icmp) return;
        handles_.proxies.settle();
        publisher_ = find_publisher(context_, named_places(context_) - context_.publishers.size(),
                                    request_.protocol == WhyProtocol::udp ? "udp" : "tcp",
                                    {facts_.flow.remote, request_.port}, handles_.proxies);
    }

    /// Who is behind the process if that takes it, and what the rules make of the process' own connection.
    void look_at_leg() {
        if (!publisher_ || facts_.translated) return;
        const auto& [target, place, ways] = *publisher_;
        for (const auto& to : ways) {
            const auto judgement = sockets_.judge(place, to);
            const bool takes = judgement && judgement->verdict == ListenerVerdict::takes;
            const bool nearer = judgement && judgement->verdict == ListenerVerdict::full;
            if (takes || nearer || !behind_) behind_ = BehindProxy{target->name, to, judgement};
            if (takes) break;
        }
        if (!behind_) return;
        const auto& to = behind_->to;
        const Flow leg{request_.protocol, 0, to.address, to.port};
        if (const auto route =
                tables_.host_route(handles_.host->place, to.address, transport_of(leg, to.port)))
            facts_.leg = decide_leg_by_rules(host_.all_rules().of(to.address.family()), facts_.host, *route,
                                             request_.protocol, to);
    }

    /// A published port that the host's own socket has taken.
    void look_behind_proxy() {
        const bool taken = facts_.listener && facts_.listener->verdict == ListenerVerdict::takes;
        if (!publisher_ || !taken || facts_.translated) return;
        if (facts_.probed && !came_to_socket()) return;
        facts_.proxied = behind_;
        if (!facts_.proxied) return;
        facts_.proxied->asleep = sockets_.asleep(publisher_->place, facts_.proxied->listener);
        facts_.proxied->leg = leg_;
    }

    /// To the host's own: no rule has stopped it before.
    [[nodiscard]] bool came_to_socket() const {
        if (facts_.end) return facts_.end->kind == ProbeEnd::Kind::answered;
        const auto* stop = ending_step(facts_.trace);
        return (stop == nullptr || stop->step.answer) && to_has_seen_it() &&
               !(facts_.rules && facts_.rules->rule);
    }

    void fill(WhyReport& report) const {
        const auto decision = decide(facts_);
        report.verdict = decision.verdict;
        report.where = decision.where;
        report.rule = decision.rule;
        report.resolution.target = facts_.target;
        if (destination_.source) report.source = destination_.source->to_string();
        if (facts_.translated)
            report.translated = endpoint_text(facts_.flow.remote, facts_.flow.remote_port) + " -> " +
                                endpoint_text(facts_.translated->address, facts_.translated->port);
        if (const auto source = translated_source(facts_.sightings))
            report.masqueraded = report.source + " -> " + source->address.to_string();
        for (const auto& point : facts_.way.points)
            report.hops.push_back(point.hop);
        for (const auto& step : facts_.trace)
            report.trace.push_back(step.step);
        report.probed = facts_.probed;
        report.traced = facts_.traced;
        std::ranges::copy(facts_.notes, std::back_inserter(report.notes));
        std::ranges::copy(notes_of(facts_, decision), std::back_inserter(report.notes));
        const auto why = explain_why(facts_, decision);
        report.explanation = why.explanation;
        report.suggestion = why.suggestion;
    }

    WhyHandles& handles_;
    const WhyRequest& request_;
    const Context& context_;
    Destination destination_;
    const Topology& topology_;
    Output& output_;
    WhySockets sockets_;
    WhyTables tables_;
    Transport packet_;  ///< as it is behind whatever translates it
    std::optional<RuleCounts>
        counts_;  ///< of iptables-legacy's among them, where the packet was not answered
    std::optional<Publisher> publisher_;
    std::optional<BehindProxy> behind_;  ///< who gets it if the publisher's process takes it
    BehindProxy::Leg leg_ = BehindProxy::Leg::unseen;
    WhyFacts facts_;
    WhyHost host_;
    WhyEnds ends_;
};

}  // namespace

std::size_t named_places(const Context& context) {
    return context.targets.size() + (context.peer_namespace ? 1 : 0) + context.publishers.size();
}

Result<void> follow_packet(WhyHandles& handles, const WhyRequest& request, const Context& context,
                           const Destination& destination, const Topology& topology, Output& output,
                           WhyReport& report) {
    return Question(handles, request, context, destination, topology, output).answer(report);
}

}  // namespace netlab::operations
