#include "common/api/why.hpp"

#include "common/endpoint.hpp"
#include "daemon/kernel/netlink.hpp"
#include "daemon/operations/destination_handles.hpp"
#include "daemon/operations/inspection.hpp"
#include "daemon/operations/name_explanation.hpp"
#include "daemon/operations/request_time.hpp"
#include "daemon/operations/topology_reader.hpp"
#include "daemon/operations/why_explanation.hpp"
#include "daemon/operations/why_segment.hpp"
#include "daemon/operations/why_sight.hpp"
#include "daemon/operations/why_tables.hpp"
#include "daemon/operations/why_verdict.hpp"

#include <algorithm>

#include <fcntl.h>
#include <unistd.h>

/// `netlab why`: one packet from FROM to TO, followed by the kernels' tables, by its trace through the rules,
/// and by eye.
namespace netlab::operations::why {

namespace {

using api::Context;
using api::RouteStep;
using api::WhyProtocol;
using api::WhyReport;
using api::WhyRequest;
using api::WhyVerdict;

struct Handles {
    std::optional<EchoSocket> v4;
    std::optional<EchoSocket> v6;
    std::uint16_t id = 0;
    WhySight sight;
    DestinationHandles destination;
    KnownNamespaces known;
};

bool has(const Context& context, api::Role role) {
    return std::ranges::find(context.roles, role) != context.roles.end();
}

std::size_t most_places(const Context& context) {
    return context.targets.size() + (context.peer_namespace ? 1 : 0) + context.publishers.size() +
           context.others.size();
}

/// FROM, TO, who publishes the port, and the host; of those that share a namespace the first.
std::set<std::size_t> places_to_watch(Namespaces& namespaces, const Context& context) {
    std::set<std::size_t> wanted;
    const auto named = most_places(context) - context.others.size();
    for (std::size_t place = 0; place < most_places(context); ++place) {
        if (place >= named && target_at(context, place).runtime != api::Runtime::host) continue;
        const auto same = [&](std::size_t other) {
            return namespaces[other].inode == namespaces[place].inode &&
                   namespaces[other].device == namespaces[place].device;
        };
        if (place == 0 || std::ranges::none_of(wanted, same)) wanted.insert(place);
    }
    return wanted;
}

Result<void> open_echoes(std::optional<EchoSocket>& v4, std::optional<EchoSocket>& v6,
                         const WhyRequest& request, std::uint16_t id) {
    if (!request.probe || request.protocol != WhyProtocol::icmp) return {};
    EchoOptions options;
    options.dont_fragment = request.size > 0;
    options.transmit_times = false;
    for (const auto family : {Family::ipv4, Family::ipv6}) {
        if (request.family && request.family != family) continue;
        auto socket = EchoSocket::open(family, id, options);
        if (!socket && socket.error().code != errc::unsupported) return socket.error();
        if (socket) (family == Family::ipv4 ? v4 : v6) = std::move(*socket);
    }
    return {};
}

Result<Handles> prepare(Namespaces& namespaces, const WhyRequest& request, const Context& context) {
    const auto id = static_cast<std::uint16_t>(::getpid());
    auto sight = WhySight::open(namespaces, places_to_watch(namespaces, context), request.probe,
                                request.probe && request.trace && has(context, api::Role::trace));
    if (!sight) return sight.error();
    auto destination = DestinationHandles::open(namespaces, request, context);
    if (!destination) return destination.error();
    std::optional<EchoSocket> v4;
    std::optional<EchoSocket> v6;
    if (auto opened = open_echoes(v4, v6, request, id); !opened) return opened.error();
    UniqueFd own(::fcntl(namespaces[0].net.get(), F_DUPFD_CLOEXEC, 3));
    if (!own) return system_error(errc::operation_failed, "keep the namespace", errno);
    KnownNamespaces known(namespaces, context);
    // `run` opens its sockets where it is left.
    namespaces[0].net = std::move(own);
    if (auto entered = namespaces.enter(0); !entered) return entered.error();
    return Handles{std::move(v4),     std::move(v6),           id,
                   std::move(*sight), std::move(*destination), std::move(known)};
}

/// One question from its address to its report.
class Question {
  public:
    Question(Handles& handles, const WhyRequest& request, const Context& context,
             const Destination& destination, const Topology& topology, Output& output)
        : handles_(handles),
          request_(request),
          context_(context),
          destination_(destination),
          topology_(topology),
          output_(output),
          tables_(topology, handles.known, context),
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
        if (auto looked = look_around(); !looked) return looked;
        fill(report);
        return {};
    }

  private:
    [[nodiscard]] std::optional<std::string> owner_of_destination() const {
        if (destination_.peer_address && context_.peer) return context_.peer->name;
        for (const auto& name : context_.names) {
            if (name.address == destination_.to.address) return name.name;
        }
        return std::nullopt;
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
            const auto now = Clock::now();
            if (now >= until) return {};
            if (now >= next_look) {
                if (datagram_arrived()) return {};
                next_look = until;
            }
        }
    }

    /// Nobody need answer a datagram: once it is where it was meant to go, more waiting shows nothing.
    bool datagram_arrived() {
        handles_.sight.take_packets();
        const auto sightings = find_flow(facts_.flow, handles_.sight.packets());
        return std::ranges::any_of(sightings, [&](const Sighting& one) {
            const auto& target = target_at(context_, one.port.place);
            return one.port.place != 0 && !one.outgoing && target.runtime != api::Runtime::host;
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

    /// The destination that the packet had at last: seen, or else as an engine has published it.
    void follow_translation() {
        facts_.translated = translated_destination(facts_.flow, facts_.sightings);
        std::string how = "seen";
        if (!facts_.translated && !facts_.probed) {
            facts_.translated = published();
            how = "published";
        }
        if (facts_.translated) {
            const auto to = endpoint_text(facts_.translated->address, facts_.translated->port);
            facts_.way = tables_.went_on(std::move(facts_.way), *facts_.translated, "DNAT to " + to);
        }
        facts_.final_target = facts_.way.end_target;
        mark_sightings(facts_.way, facts_.sightings, facts_.observed);
    }

    [[nodiscard]] std::optional<api::Endpoint> published() const {
        const bool to_host = facts_.way.end_place && facts_.way.end == RouteStep::delivered &&
                             target_at(context_, *facts_.way.end_place).runtime == api::Runtime::host;
        if (!to_host) return std::nullopt;
        const std::string protocol = request_.protocol == WhyProtocol::udp ? "udp" : "tcp";
        for (const auto& target : context_.publishers) {
            for (const auto& port : target.ports) {
                if (port.protocol != protocol) continue;
                for (const auto& network : target.networks) {
                    for (const auto& prefix : network.addresses) {
                        if (prefix.address().family() == destination_.to.address.family())
                            return api::Endpoint{prefix.address(), port.container_port};
                    }
                }
            }
        }
        return std::nullopt;
    }

    Result<void> look_around() {
        if (facts_.way.end == RouteStep::delivered && facts_.way.end_place) judge_listener();
        if (facts_.end && facts_.end->kind == ProbeEnd::Kind::answered) return {};
        facts_.silent = tables_.silent_neighbour();
        const auto to = facts_.translated ? facts_.translated->address : destination_.to.address;
        facts_.stray = tables_.stray_route(to);
        if (!facts_.stray && destination_.source) facts_.stray = tables_.stray_route(*destination_.source);
        facts_.next_hop = tables_.next_hop(destination_.to.address);
        facts_.segment = explain_segment(topology_, context_, 0);
        const auto end = facts_.way.end_place;
        for (std::size_t place = 1; place < named_places() && facts_.segment.explanation.empty(); ++place)
            facts_.segment = explain_segment(topology_, context_, place);
        (void)end;
        return {};
    }

    [[nodiscard]] std::size_t named_places() const { return most_places(context_) - context_.others.size(); }

    void judge_listener() {
        if (request_.protocol == WhyProtocol::icmp) return;
        const auto place = *facts_.way.end_place;
        const int socket = handles_.sight.sockets(handles_.known.home(place));
        if (socket < 0) return;
        const InterfaceNames names(topology_[place].links);
        const auto listeners = read_listeners(socket, request_.protocol == WhyProtocol::tcp, names);
        if (!listeners) return;
        const auto to = facts_.translated.value_or(api::Endpoint{facts_.flow.remote, request_.port});
        facts_.listener = judge_listeners(*listeners, to.address, to.port);
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

    Handles& handles_;
    const WhyRequest& request_;
    const Context& context_;
    const Destination& destination_;
    const Topology& topology_;
    Output& output_;
    WhyTables tables_;
    WhyFacts facts_;
};

void unresolved(WhyReport& report, const WhyRequest& request, const Context& context,
                const Resolution& resolution) {
    report.verdict = WhyVerdict::unresolved;
    report.where = api::WhyPlace{request.from, "the name " + request.to};
    const auto why = explain_unresolved(context, request, resolution);
    report.explanation = why.explanation;
    report.suggestion = why.suggestion;
}

/// Without Role::probe no packet is sent, and a question to a resolver is one.
Result<void> check_silence(const WhyRequest& request, const Context& context) {
    if (request.probe || has(context, api::Role::probe) ||
        destination_way(request, context) != DestinationWay::name)
        return {};
    return Error{errc::permission_denied,
                 "to ask for the name '" + request.to + "' sends packets, and needs the role probe",
                 "--address takes the address of the target of that name",
                 {}};
}

Result<void> run(Handles& handles, const WhyRequest& request, const Context& context, Output& output) {
    const auto begin = Output::Clock::now();
    if (auto silent = check_silence(request, context); !silent) return silent;
    WhyReport report;
    report.from = request.from;
    report.to = request.to;
    report.protocol = request.protocol;
    if (request.port != 0) report.port = request.port;
    report.resolution.name = request.to;
    const auto chosen = choose_destination(request, context, handles.destination.sources(),
                                           handles.destination.watch, output);
    if (!chosen) return chosen.error();
    if (const auto* resolution = std::get_if<Resolution>(&*chosen)) {
        unresolved(report, request, context, *resolution);
    } else {
        const auto& destination = std::get<Destination>(*chosen);
        report.resolution.address = destination.to.address;
        report.resolution.resolved_by = destination.resolved_by;
        const auto read = read_topology(handles.known, context);
        if (!read.consistent) report.notes.emplace_back("the interfaces changed while they were read");
        Question question(handles, request, context, destination, read.topology, output);
        if (auto answered = question.answer(report); !answered) return answered;
    }
    report.elapsed_ms = to_ms(Output::Clock::now() - begin);
    output.event(report);
    return {};
}

const Registration<WhyRequest> registered{operation<prepare, run>({.net_raw = true,
                                                                   .net_admin = true,
                                                                   .resolver_files = true,
                                                                   .ip_sockets = true,
                                                                   .address_space = large_tables,
                                                                   .descriptors = many_descriptors})};

}  // namespace

}  // namespace netlab::operations::why
