#include "common/api/ping.hpp"

#include "daemon/operations/destination_handles.hpp"
#include "daemon/operations/echo_loop.hpp"
#include "daemon/operations/name_explanation.hpp"
#include "daemon/operations/numeric_host.hpp"
#include "daemon/operations/operation.hpp"
#include "daemon/operations/ping_explanation.hpp"
#include "daemon/operations/request_time.hpp"
#include "daemon/operations/route_probe.hpp"

#include <cerrno>

#include <sys/random.h>

/// `netlab ping`: ICMP echoes from a target's network namespace.
namespace netlab::operations {

namespace {

using api::Context;
using api::PingOutcome;
using api::PingReport;
using api::PingRequest;

struct Handles {
    std::optional<EchoSocket> v4;
    std::optional<EchoSocket> v6;  ///< absent where the kernel has no IPv6
    DestinationHandles destination;
    std::uint16_t id = 0;
    EchoCookie cookie{};
};

Result<void> open_sockets(Handles& handles, bool dont_fragment, std::optional<Family> family) {
    EchoOptions options;
    options.dont_fragment = dont_fragment;
    if (family != Family::ipv6) {
        auto socket = EchoSocket::open(Family::ipv4, handles.id, options);
        if (!socket) return socket.error();
        handles.v4 = std::move(*socket);
    }
    if (family != Family::ipv4) {
        auto socket = EchoSocket::open(Family::ipv6, handles.id, options);
        if (!socket && socket.error().code != errc::unsupported) return socket.error();
        if (socket) handles.v6 = std::move(*socket);
    }
    return {};
}

Result<Handles> prepare(Namespaces& namespaces, const PingRequest& request, const Context& context) {
    Handles handles;
    // Unlike a random one no other netlab ping has it now, so 200 at once do not hear each other.
    handles.id = static_cast<std::uint16_t>(::getpid());
    if (::getrandom(handles.cookie.data(), handles.cookie.size(), 0) != std::ssize(handles.cookie)) {
        return system_error(errc::operation_failed, "get random bytes", errno);
    }
    auto opened = DestinationHandles::open(namespaces, request, context);
    if (!opened) return opened.error();
    handles.destination = std::move(*opened);
    const auto way = destination_way(request, context);
    const auto numeric = way == DestinationWay::numeric ? parse_numeric_host(request.to) : std::nullopt;
    const auto family = numeric ? std::optional(numeric->address.family()) : request.family;
    if (auto sockets = open_sockets(handles, request.dont_fragment, family); !sockets) return sockets.error();
    return handles;
}

PingOutcome outcome_of(const EchoCounts& counts) {
    if (counts.received == counts.transmitted) return PingOutcome::answered;
    if (counts.received > 0) return PingOutcome::partial;
    return counts.errors > 0 ? PingOutcome::unreachable : PingOutcome::lost;
}

void set_counts(PingReport& report, const EchoResult& result) {
    const auto& counts = result.counts;
    report.outcome = outcome_of(counts);
    report.transmitted = counts.transmitted;
    report.received = counts.received;
    report.duplicates = counts.duplicates;
    report.late = counts.late;
    report.reordered = counts.reordered;
    report.corrupt = counts.corrupt;
    report.errors = counts.errors;
    report.loss_percent = counts.loss_percent();
    report.rtt_us = result.rtt;
    report.elapsed_ms = to_ms(result.elapsed);
}

EchoPlan plan_of(const Handles& handles, const PingRequest& request, const Destination& destination) {
    EchoPlan plan;
    plan.to = destination.to;
    plan.source = destination.source;
    plan.id = handles.id;
    plan.cookie = handles.cookie;
    plan.count = request.count;
    plan.interval = from_ms(request.interval_ms);
    plan.wait = from_ms(request.wait_ms);
    plan.payload = request.payload;
    plan.flood = request.flood;
    return plan;
}

/// Sends the echoes and fills in what came of them.
Result<void> ping(Handles& handles, const PingRequest& request, const Context& context,
                  const Destination& destination, PingReport& report, Output& output) {
    auto& socket = destination.to.address.is_v4() ? handles.v4 : handles.v6;
    if (!socket) {
        report.outcome = PingOutcome::unreachable;
        report.explanation = "this kernel has no IPv6";
        return {};
    }
    if (destination.interface_index != 0) {
        if (auto chosen = socket->send_through(destination.interface_index); !chosen) return chosen;
    }
    const auto result =
        send_echoes(*socket, plan_of(handles, request, destination), handles.destination.watch, output);
    if (!result) return result.error();
    set_counts(report, *result);
    EchoFacts facts;
    facts.address = destination.to.address;
    facts.source = destination.source;
    facts.peer_address = destination.peer_address;
    facts.counts = result->counts;
    facts.error = result->error;
    facts.no_route = result->no_route;
    facts.prohibited = result->prohibited;
    // An unanswered ARP becomes an ICMP error after three seconds only.
    facts.no_neighbour = result->counts.received == 0 &&
                         neighbour_is_silent(handles.destination.route.get(), destination.to.address);
    if (!destination.explanation.empty()) report.explanation = destination.explanation;
    tell(report, explain_echoes(context, request, facts));
    return {};
}

Result<void> run(Handles& handles, const PingRequest& request, const Context& context, Output& output) {
    PingReport report;
    report.from = request.from;
    report.to = request.to;
    const auto chosen = choose_destination(request, context, handles.destination.sources(),
                                           handles.destination.watch, output);
    if (!chosen) return chosen.error();
    if (const auto* resolution = std::get_if<Resolution>(&*chosen)) {
        report.outcome = PingOutcome::unresolved;
        tell(report, explain_unresolved(context, request, *resolution));
        output.event(report);
        return {};
    }
    const auto& destination = std::get<Destination>(*chosen);
    report.address = destination.to.address;
    report.resolved_by = destination.resolved_by;
    output.event(api::PingStart{request.from, request.to, destination.to.address, destination.resolved_by,
                                request.payload});
    if (auto pinged = ping(handles, request, context, destination, report, output); !pinged) return pinged;
    output.event(report);
    return {};
}

// An endless ping may run for weeks, at some 50 µs of CPU time for each echo; the client's end is its end.
constexpr std::uint32_t cpu_seconds = 24 * 3600;

const Registration<PingRequest> registered{operation<prepare, run>(
    {.net_raw = true, .resolver_files = true, .ip_sockets = true, .cpu_seconds = cpu_seconds})};

}  // namespace

}  // namespace netlab::operations
