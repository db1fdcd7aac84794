#include "daemon/operations/why_question.hpp"

#include "common/endpoint.hpp"
#include "daemon/operations/conntrack_staleness.hpp"
#include "daemon/operations/request_time.hpp"
#include "daemon/operations/sightings.hpp"
#include "daemon/operations/why_counts.hpp"
#include "daemon/operations/why_explanation.hpp"
#include "daemon/operations/why_narrow.hpp"
#include "daemon/operations/why_publisher.hpp"
#include "daemon/operations/why_rules.hpp"
#include "daemon/operations/why_segment.hpp"
#include "daemon/operations/why_sending.hpp"
#include "daemon/operations/why_sockets.hpp"
#include "daemon/operations/why_tables.hpp"
#include "daemon/operations/why_translation.hpp"
#include "daemon/operations/why_verdict.hpp"

#include <algorithm>

#include <netinet/in.h>

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
          routes_(topology, handles.known, host_of(handles)),
          facts_(context, request) {}

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

  private:
    static std::optional<std::size_t> host_of(const WhyHandles& handles) {
        return handles.host ? std::optional(handles.host->place) : std::nullopt;
    }

    [[nodiscard]] std::optional<std::string> owner_of_destination() const {
        if (destination_.peer_address && context_.peer) return context_.peer->name;
        return named(destination_.to.address);
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
        handles_.sight.read_rules(output_, is_answered() ? std::nullopt : host_of(handles_));
        auto traced = handles_.sight.take_traced();
        for (auto& [place, one] : traced) {
            one.target = target_at(context_, place).name;
            for (const auto& link : topology_[place].links)
                one.interfaces[link.index] = link.name;
        }
        facts_.trace = read_trace(facts_.flow, traced, mark_of(facts_.flow, handles_.sight.packets()));
        const auto host = host_of(handles_);
        if (host && traced.contains(*host) && traced[*host].rules)
            facts_.ingress = ingress_drops(*traced[*host].rules, facts_.way, *host);
    }

    // ---- what is around it

    /// The destination that the packet had at last: seen, or else as the host's rules would have it.
    void follow_translation() {
        read_host();
        const auto own = [&](const std::string& interface) { return own_address(interface); };
        tables_.follow(transport_of(facts_.flow, request_.port));
        facts_.translated =
            find_translation(facts_, rules_, {host_of(handles_), passage(), destination_.source}, own);
        if (facts_.translated) {
            const auto to = endpoint_text(facts_.translated->address, facts_.translated->port);
            if (const auto place = translating_place(facts_, host_of(handles_)))
                facts_.way =
                    tables_.went_on(std::move(facts_.way), *place, *facts_.translated, "DNAT to " + to);
        }
        packet_ = transport_of(facts_.flow, facts_.destination().port);
        tables_.follow(packet_);
        if (const auto whole = passage(); whole && destination_.source) {
            const auto to = facts_.destination();
            const auto& from = *destination_.source;
            facts_.rules = decide_as_counted([&](const FamilyRules& rules) {
                return decide_by_rules(rules, *whole, facts_.flow, from, to);
            });
            const auto decide_answer = [&](const FamilyRules& rules) {
                return decide_answer_by_rules(rules, *whole, facts_.flow, from, to,
                                              answered_address().value_or(from));
            };
            // No rule has counted an answer that never came.
            const bool came = std::ranges::any_of(facts_.sightings, &Sighting::answer);
            facts_.rules_back = came ? decide_as_counted(decide_answer) : decide_answer(rules_);
            look_at_source(*whole, to);
        }
        look_at_leg();
        facts_.final_target = facts_.way.end_target;
        mark_sightings(facts_.way, facts_.sightings, facts_.observed, facts_.saw_all);
    }

    template <class Decide>
    [[nodiscard]] RulesDecision decide_as_counted(Decide decide) const {
        return counts_ ? decide_by_counts(rules_, *counts_, decide) : decide(rules_);
    }

    void look_at_source(const HostPassage& passage, const api::Endpoint& to) {
        const auto& source = *destination_.source;
        auto nat = source_nat_by_rules(rules_, passage, facts_.flow, source, to);
        if (!nat) return;
        const bool is_hosts = nat->to && topology_[handles_.host->place].has_address(*nat->to);
        const auto own = [&](const std::string& interface) { return own_address(interface); };
        facts_.leaving = LeavingSource{
            std::move(*nat), source_by_rules(rules_, passage, facts_.flow, source, to, own), is_hosts};
    }

    [[nodiscard]] std::optional<HostPassage> passage() const {
        if (!handles_.host) return std::nullopt;
        return passage_of(
            facts_.way, facts_.host, handles_.host->place,
            facts_.flow.remote.is_v4() ? handles_.host->bridges_filter_v4 : handles_.host->bridges_filter_v6);
    }

    /// Of the flow's family.
    [[nodiscard]] std::optional<IpAddress> own_address(const std::string& interface) const {
        const auto& facts = topology_[handles_.host->place];
        const auto link = std::ranges::find(facts.links, interface, &kernel::Link::name);
        if (link == facts.links.end()) return std::nullopt;
        for (const auto& address : facts.addresses) {
            const auto& own = address.prefix.address();
            if (address.index == link->index && own.family() == facts_.flow.remote.family() &&
                (own.is_v4() || !own.is_link_local()))
                return own;
        }
        return std::nullopt;
    }

    /// Its rules, and the entries of conntrack that outlived whom they lead to.
    void read_host() {
        if (!handles_.host) return;
        const auto place = handles_.host->place;
        facts_.host = topology_[place].target;
        const InterfaceNames names(topology_[place].links);
        all_rules_ = handles_.host->rules.read(names);
        rules_ = all_rules_.of(facts_.flow.remote.family());
        const auto& route_socket = handles_.known.socket(place);
        if (route_socket && handles_.host->conntrack && facts_.flow.protocol != WhyProtocol::icmp &&
            context_.names_complete)
            find_stale_entry(*handles_.host->conntrack, route_socket->get());
    }

    void find_stale_entry(kernel::ConntrackTable& table, int route_socket) {
        const auto around = read_surroundings(route_socket);
        if (!around) return;
        auto surroundings = *around;
        if (facts_.flow.remote.is_v4()) surroundings.chains = rules_.chains;
        const AddressNames names(context_.names);
        const std::uint8_t protocol = facts_.flow.protocol == WhyProtocol::udp ? IPPROTO_UDP : IPPROTO_TCP;
        (void)table.read([&](kernel::ConntrackChange, const kernel::Conntrack& entry) {
            const auto& original = entry.original;
            if (facts_.stale || original.protocol != protocol || original.destination != facts_.flow.remote ||
                original.destination_port != facts_.flow.remote_port)
                return;
            facts_.stale = find_stale(entry, surroundings, names);
        });
    }

    /// Whom an engine gives that address.
    [[nodiscard]] std::optional<std::string> named(const IpAddress& address) const {
        for (const auto& name : context_.names) {
            if (name.address == address) return name.name;
        }
        return std::nullopt;
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
        facts_.silent = tables_.silent_neighbour();
        if (facts_.silent) facts_.silent->stop = stop_of(*facts_.silent);
        facts_.wrong = tables_.wrong_neighbour();
        look_at_way_back();
        look_at_mark();
        const auto to = facts_.translated ? facts_.translated->address : destination_.to.address;
        if (const auto owner = named(to)) facts_.stray = routes_.stray(to, *owner, packet_);
        if (!facts_.stray && destination_.source)
            facts_.stray = routes_.stray(*destination_.source, context_.targets.front().name, packet_.back());
        facts_.next_hop = tables_.next_hop(destination_.to.address);
        facts_.route =
            routes_.decisive(0, destination_.to.address, {}, transport_of(facts_.flow, request_.port));
        facts_.shut = tables_.shut_setting();
        facts_.refusing = tables_.refusal(to, destination_.source);
        if (request_.size != 0) facts_.narrow = find_narrow(topology_, facts_.way, request_.size);
        facts_.lost_answer = lost_answer(to);
        look_at_segments(facts_.proxied ? facts_.proxied->to.address : to);
    }

    /// By the host's rules, or by those of one of the two.
    [[nodiscard]] std::optional<NeighbourStop> stop_of(const SilentNeighbour& silent) {
        const auto by = [&](const FamilyRules& rules, std::size_t place) {
            auto stop =
                find_neighbour_stop(rules, topology_, place, silent.at, silent.address, destination_.source);
            return stop && stop->certain ? std::move(stop) : std::nullopt;
        };
        if (handles_.host) {
            if (auto stop = by(rules_, handles_.host->place)) return stop;
        }
        for (auto& [place, rules] : handles_.inside) {
            const auto home = handles_.known.home(place);
            const auto read = rules.read(InterfaceNames(topology_[home].links));
            if (auto stop = by(read.of(silent.address.family()), home)) return stop;
        }
        return std::nullopt;
    }

    /// Whether the answer is lost behind TO, who has `to`.
    [[nodiscard]] std::optional<LostAnswer> lost_answer(const IpAddress& to) const {
        const auto& way = facts_.way;
        if (!destination_.source || way.points.empty()) return std::nullopt;
        if (way.end_place && topology_[*way.end_place].has_address(to)) {
            const auto answered = answered_address();
            return answered ? tables_.lost_answer({*way.end_place, {}, to, *answered}, *destination_.source)
                            : std::nullopt;
        }
        const auto whole = passage();
        const bool outside = way.points.back().hop.kind == "outside";
        if (!outside || !whole || whole->output.empty()) return std::nullopt;
        return tables_.lost_answer({handles_.host->place, whole->output, to, *destination_.source},
                                   *destination_.source);
    }

    /// Of FROM, and of whom the packet is for.
    void look_at_segments(const IpAddress& to) {
        for (std::size_t place = 0; place < named_places(context_); ++place) {
            const auto& target = target_at(context_, place);
            const bool has_it = std::ranges::any_of(target.networks, [&](const api::Membership& network) {
                return std::ranges::find(network.addresses, to, &IpPrefix::address) !=
                       network.addresses.end();
            });
            const bool is_peer = context_.peer_namespace && place == context_.targets.size();
            if (place != 0 && !has_it && !is_peer && place != facts_.way.end_place) continue;
            facts_.segment = explain_segment(topology_, context_, place, to);
            if (!facts_.segment.explanation.empty()) return;
        }
    }

    void look_at_way_back() {
        const auto answered = answered_address();
        if (!facts_.way.end_place || !answered) return;
        const auto place = *facts_.way.end_place;
        facts_.wrong_back = tables_.wrong_neighbour_back(place, *answered);
        // The host gives the answer its destination back, and sends it on.
        if (!facts_.wrong_back && *answered != *destination_.source && handles_.host)
            facts_.wrong_back = tables_.wrong_neighbour_back(handles_.host->place, *destination_.source);
        const auto to = facts_.destination().address;
        if (topology_[place].has_address(to)) facts_.no_way_back = tables_.no_way_back(place, to, *answered);
        facts_.route_back = routes_.decisive(place, *answered, {}, packet_.back());
    }

    /// How the host routes what a rule of its has marked is not asked.
    void look_at_mark() {
        const auto whole = passage();
        if (!whole || !handles_.host || !destination_.source) return;
        kernel::RouteQuery query;
        query.destination = facts_.destination().address;
        query.from = destination_.source;
        packet_.say_in(query);
        if (facts_.rules && facts_.rules->marks)
            facts_.by_mark = tables_.rule_by_mark(handles_.host->place, query, whole->input);
        std::swap(query.destination, *query.from);
        packet_.back().say_in(query);
        if (facts_.rules_back && facts_.rules_back->marks)
            facts_.by_mark_back = tables_.rule_by_mark(handles_.host->place, query, whole->output);
    }

    /// Whom TO answers.
    [[nodiscard]] std::optional<IpAddress> answered_address() const {
        if (!destination_.source) return std::nullopt;
        if (facts_.probed) {
            const auto seen = translated_source(facts_.sightings);
            return seen ? seen->address : *destination_.source;
        }
        // Without its interface the kernel has no route to one.
        if (destination_.source->is_link_local()) return std::nullopt;
        // What others do to the packets that they route netlab has not read.
        const auto is_others = [&](const WayPoint& point) {
            return point.hop.kind == "route" && point.place != 0 && point.place != host_of(handles_);
        };
        if (!handles_.host || std::ranges::any_of(facts_.way.points, is_others)) return std::nullopt;
        const auto whole = passage();
        if (!whole) return destination_.source;
        return source_by_rules(rules_, *whole, facts_.flow, *destination_.source, facts_.destination(),
                               [&](const std::string& interface) { return own_address(interface); });
    }

    [[nodiscard]] bool ignores_echoes(std::size_t place) const {
        if (request_.protocol != WhyProtocol::icmp) return false;
        const auto& ignored = handles_.ignored;
        return (facts_.flow.remote.is_v4() ? ignored.v4 : ignored.v6).contains(handles_.known.home(place));
    }

    void judge_listener() {
        if (request_.protocol == WhyProtocol::icmp) return;
        facts_.listener = sockets_.judge(*facts_.way.end_place, facts_.destination());
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
            facts_.leg = decide_leg_by_rules(all_rules_.of(to.address.family()), facts_.host, *route,
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
    DecisiveRoutes routes_;
    RuleSet all_rules_;  ///< the host's
    FamilyRules rules_;  ///< those of the flow's family
    Transport packet_;   ///< as it is behind whatever translates it
    std::optional<RuleCounts>
        counts_;  ///< of iptables-legacy's among them, where the packet was not answered
    std::optional<Publisher> publisher_;
    std::optional<BehindProxy> behind_;  ///< who gets it if the publisher's process takes it
    BehindProxy::Leg leg_ = BehindProxy::Leg::unseen;
    WhyFacts facts_;
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
