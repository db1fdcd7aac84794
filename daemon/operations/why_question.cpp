#include "daemon/operations/why_question.hpp"

#include "common/endpoint.hpp"
#include "daemon/operations/conntrack_staleness.hpp"
#include "daemon/operations/request_time.hpp"
#include "daemon/operations/why_explanation.hpp"
#include "daemon/operations/why_rules.hpp"
#include "daemon/operations/why_segment.hpp"
#include "daemon/operations/why_tables.hpp"
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
          tables_(topology, handles.known, host_of(handles)),
          facts_(context, request) {}

    Result<void> answer(WhyReport& report) {
        facts_.flow = {request_.protocol, 0, destination_.to.address, request_.port};
        facts_.target = owner_of_destination();
        auto way = tables_.way_to(destination_.to.address);
        if (!way) return way.error();
        facts_.way = std::move(*way);
        if (request_.probe) {
            if (auto probed = probe(); !probed) return probed;
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

    [[nodiscard]] EchoSocket* echo() const {
        auto& socket = destination_.to.address.is_v4() ? handles_.v4 : handles_.v6;
        return request_.protocol == WhyProtocol::icmp && socket ? &*socket : nullptr;
    }

    // ---- the packet

    Result<void> probe() {
        auto probe = WhyProbe::open(request_, destination_.to, echo(), handles_.id);
        if (!probe) return probe.error();
        facts_.flow = probe->flow();
        if (auto watching = handles_.sight.watch(facts_.flow, output_); !watching) return watching;
        facts_.probed = true;
        facts_.end = probe->send();
        if (!facts_.end) {
            if (auto waited = wait(*probe); !waited) return waited;
        }
        (void)handles_.sight.take_traces();
        handles_.sight.take_packets();
        if (auto small = try_small(); !small) return small;
        facts_.saw_all = handles_.sight.saw_all();
        facts_.observed = handles_.sight.places();
        facts_.sightings = find_flow(facts_.flow, handles_.sight.packets());
        read_traces();
        return {};
    }

    /// Until the answer has come, a rule is known to have stopped it, or it has had its time.
    Result<void> wait(WhyProbe& probe) {
        using Clock = Output::Clock;
        // After a drop only an error could still come, which a rule sends at once.
        constexpr std::chrono::milliseconds grace{20};
        constexpr std::chrono::milliseconds look_at_udp{100};
        auto until = Clock::now() + from_ms(request_.wait_ms);
        auto next_look = request_.protocol == WhyProtocol::udp ? Clock::now() + look_at_udp : until;
        bool dropped = false;
        for (;;) {
            auto waiting = handles_.sight.waiting();
            waiting.push_back(probe.waiting());
            const auto ready = handles_.destination.watch.wait(output_, waiting, std::min(until, next_look));
            if (!ready) return ready.error();
            facts_.end = probe.look();
            if (facts_.end) return {};
            if (handles_.sight.take_traces() && !dropped) {
                dropped = true;
                until = std::min(until, Clock::now() + grace);
            }
            handles_.sight.take_packets();
            const auto now = Clock::now();
            if (now >= until) return {};
            if (now >= next_look) {
                if (datagram_arrived()) return {};
                next_look = until;
            }
        }
    }

    /// Nobody need answer a datagram: once it is where it was meant to go, more waiting shows nothing.
    [[nodiscard]] bool datagram_arrived() const {
        const auto sightings = find_flow(facts_.flow, handles_.sight.packets());
        return std::ranges::any_of(sightings, [&](const Sighting& one) {
            return one.port.place != 0 && !one.outgoing && one.port.place != host_of(handles_);
        });
    }

    /// Of an echo that was given a size: whether one without it comes through.
    Result<void> try_small() {
        const bool silent = !facts_.end || facts_.end->kind == ProbeEnd::Kind::error;
        if (request_.size == 0 || echo() == nullptr || !silent) return {};
        auto request = request_;
        request.size = 0;
        auto probe = WhyProbe::open(request, destination_.to, echo(), handles_.id);
        if (!probe) return probe.error();
        auto end = probe->send();
        const auto until = Output::Clock::now() + from_ms(request_.wait_ms);
        while (!end) {
            auto waiting = probe->waiting();
            const auto ready = handles_.destination.watch.wait(output_, std::span(&waiting, 1), until);
            if (!ready) return ready.error();
            end = probe->look();
            if (*ready == 0) break;
        }
        facts_.small_passes = end && end->kind == ProbeEnd::Kind::answered;
        return {};
    }

    void read_traces() {
        facts_.traced = handles_.sight.traces();
        facts_.untraced = handles_.sight.untraced();
        handles_.sight.read_rules(output_);
        auto traced = handles_.sight.take_traced();
        for (auto& [place, one] : traced) {
            one.target = target_at(context_, place).name;
            for (const auto& link : topology_[place].links)
                one.interfaces[link.index] = link.name;
        }
        facts_.trace = read_trace(facts_.flow, traced);
    }

    // ---- what is around it

    /// The destination that the packet had at last: seen, or else as the host's rules would have it.
    void follow_translation() {
        read_host();
        facts_.translated = translated_destination(facts_.flow, facts_.sightings);
        const auto passage = passage_of(facts_.way, facts_.host, host_of(handles_));
        if (!facts_.translated && !facts_.probed && passage && destination_.source)
            facts_.translated = destination_by_rules(rules_, *passage, facts_.flow, *destination_.source);
        if (facts_.translated) {
            const auto to = endpoint_text(facts_.translated->address, facts_.translated->port);
            facts_.way = tables_.went_on(std::move(facts_.way), *facts_.translated, "DNAT to " + to);
        }
        if (const auto whole = passage_of(facts_.way, facts_.host, host_of(handles_));
            whole && destination_.source)
            facts_.rules =
                decide_by_rules(rules_, *whole, facts_.flow, *destination_.source, facts_.destination());
        facts_.final_target = facts_.way.end_target;
        mark_sightings(facts_.way, facts_.sightings, facts_.observed, facts_.saw_all);
    }

    /// Its rules, and the entries of conntrack that outlived whom they lead to.
    void read_host() {
        if (!handles_.host) return;
        const auto place = handles_.host->place;
        facts_.host = topology_[place].target;
        const InterfaceNames names(topology_[place].links);
        rules_ = handles_.host->rules.read(names).of(facts_.flow.remote.family());
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
        if (facts_.way.end == RouteStep::delivered && facts_.way.end_place) judge_listener();
        look_behind_proxy();
        if (facts_.end && facts_.end->kind == ProbeEnd::Kind::answered && to_has_seen_it()) return;
        facts_.silent = tables_.silent_neighbour();
        const auto to = facts_.translated ? facts_.translated->address : destination_.to.address;
        if (const auto owner = named(to)) facts_.stray = tables_.stray_route(to, *owner);
        if (!facts_.stray && destination_.source)
            facts_.stray = tables_.stray_route(*destination_.source, context_.targets.front().name);
        facts_.next_hop = tables_.next_hop(destination_.to.address);
        facts_.segment = explain_segment(topology_, context_, 0);
        for (std::size_t place = 1; place < named_places(context_) && facts_.segment.explanation.empty();
             ++place)
            facts_.segment = explain_segment(topology_, context_, place);
    }

    void judge_listener() {
        if (request_.protocol == WhyProtocol::icmp) return;
        facts_.listener = judge_in(*facts_.way.end_place, facts_.destination());
    }

    /// A published port that the host's own socket has taken.
    void look_behind_proxy() {
        const bool on_host =
            facts_.way.end == RouteStep::delivered && facts_.way.end_place == host_of(handles_);
        const bool taken = facts_.listener && facts_.listener->verdict == ListenerVerdict::takes;
        if (!on_host || !taken || facts_.translated) return;
        const std::string protocol = request_.protocol == WhyProtocol::udp ? "udp" : "tcp";
        const auto first = named_places(context_) - context_.publishers.size();
        for (std::size_t i = 0; i < context_.publishers.size(); ++i) {
            const auto& target = context_.publishers[i];
            const auto port = std::ranges::find_if(target.ports, [&](const api::PublishedPort& one) {
                return one.protocol == protocol && is_published_on(one, facts_.flow.remote);
            });
            if (port == target.ports.end()) continue;
            look_at_publisher(target, first + i, port->container_port);
            return;
        }
    }

    /// It is the engine that holds the port at that address.
    static bool is_published_on(const api::PublishedPort& port, const IpAddress& address) {
        if (!port.host_address) return false;
        return *port.host_address == address ||
               (port.host_address->is_unspecified() && port.host_address->family() == address.family());
    }

    /// The process connects to one of its addresses: which, the engine has told it alone.
    void look_at_publisher(const api::Target& target, std::size_t place, std::uint16_t port) {
        for (const auto& network : target.networks) {
            for (const auto& prefix : network.addresses) {
                const api::Endpoint to{prefix.address(), port};
                const auto judgement = judge_in(place, to);
                const bool takes = judgement && judgement->verdict == ListenerVerdict::takes;
                if (takes || !facts_.proxied) facts_.proxied = BehindProxy{target.name, to, judgement};
                if (takes) return;
            }
        }
    }

    [[nodiscard]] std::optional<Judgement> judge_in(std::size_t place, const api::Endpoint& to) {
        const int socket = handles_.sight.sockets(handles_.known.home(place));
        if (socket < 0) return std::nullopt;
        const InterfaceNames names(topology_[place].links);
        const auto listeners = read_listeners(socket, request_.protocol == WhyProtocol::tcp, names);
        if (!listeners) return std::nullopt;
        return judge_listeners(*listeners, to.address, to.port);
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
        report.notes = notes_of(facts_, decision);
        const auto why = explain_why(facts_, decision);
        report.explanation = why.explanation;
        report.suggestion = why.suggestion;
    }

    WhyHandles& handles_;
    const WhyRequest& request_;
    const Context& context_;
    const Destination& destination_;
    const Topology& topology_;
    Output& output_;
    WhyTables tables_;
    FamilyRules rules_;  ///< the host's
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
