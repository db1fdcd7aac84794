#include "common/api/connect.hpp"

#include "common/connect_tally.hpp"
#include "daemon/kernel/link.hpp"
#include "daemon/kernel/route_query.hpp"
#include "daemon/kernel/sock_diag.hpp"
#include "daemon/operations/connect_attempt.hpp"
#include "daemon/operations/connect_explanation.hpp"
#include "daemon/operations/destination_handles.hpp"
#include "daemon/operations/name_explanation.hpp"
#include "daemon/operations/operation.hpp"
#include "daemon/operations/packet_view.hpp"
#include "daemon/operations/request_time.hpp"
#include "daemon/operations/route_probe.hpp"

/// `netlab connect`: TCP connections, or UDP datagrams, from a target's network namespace.
namespace netlab::operations {

namespace {

using api::ConnectAttempt;
using api::ConnectOutcome;
using api::ConnectReport;
using api::ConnectRequest;
using api::Context;
using Clock = Output::Clock;

/// What is open in one namespace, to see what becomes of a probe there.
struct Lookout {
    std::optional<PacketView> view;
    UniqueFd sockets;  ///< sock_diag
};

struct Handles {
    DestinationHandles destination;
    Lookout own;
    Lookout peer;  ///< empty where the peer's namespace is not at hand, or FROM's
    std::optional<TlsClient> tls;
};

Result<void> open(Lookout& lookout) {
    auto view = PacketView::open();
    if (!view) return view.error();
    lookout.view = std::move(*view);
    auto diag = kernel::open_sock_diag_socket();
    if (!diag) return diag.error();
    lookout.sockets = std::move(*diag);
    return {};
}

Result<Handles> prepare(Namespaces& namespaces, const ConnectRequest& request, const Context& context) {
    Handles handles;
    auto destination =
        DestinationHandles::open(namespaces, request, context, [&] { return open(handles.peer); });
    if (!destination) return destination.error();
    handles.destination = std::move(*destination);
    if (auto opened = open(handles.own); !opened) return opened.error();
    if (request.tls) {
        const bool name = destination_way(request, context) == DestinationWay::name;
        auto tls = TlsClient::open(name ? request.to : std::string());
        if (!tls) return tls.error();
        handles.tls = std::move(*tls);
    }
    return handles;
}

bool is_good(ConnectOutcome outcome) {
    return outcome == ConnectOutcome::connected || outcome == ConnectOutcome::answered;
}

class Connecting {
  public:
    Connecting(Handles& handles, const ConnectRequest& request, const Context& context,
               const Destination& destination, Output& output)
        : handles_(handles),
          request_(request),
          context_(context),
          destination_(destination),
          output_(output) {}

    Result<void> run(ConnectReport& report) {
        if (auto watched = watch(); !watched) return watched;
        const auto plan = make_plan();
        const auto start = Clock::now();
        auto next = start;
        for (std::uint64_t seq = 1; request_.count == 0 || seq <= request_.count; ++seq) {
            if (auto waited = wait_until(next); !waited) return waited;
            forget_others();
            auto attempt = attempt_connection(plan, handles_.destination.watch, output_);
            if (!attempt) return attempt.error();
            attempt->seq = seq;
            take(std::move(*attempt));
            next = std::max(next + from_ms(request_.interval_ms), Clock::now());
        }
        const auto elapsed = Clock::now() - start;
        tally_.fill(report);
        report.elapsed_ms = to_ms(elapsed);
        return explain(report);
    }

  private:
    [[nodiscard]] const IpAddress& address() const { return destination_.to.address; }

    [[nodiscard]] bool sees_peer() const {
        return handles_.peer.view && destination_.peer_address && !handles_.destination.same_namespace;
    }

    Result<void> watch() {
        if (auto watched = handles_.own.view->watch(!request_.udp, address(), request_.port); !watched)
            return watched;
        if (!sees_peer()) return {};
        return handles_.peer.view->watch(!request_.udp, address(), request_.port);
    }

    AttemptPlan make_plan() {
        AttemptPlan plan;
        plan.to = destination_.to;
        plan.port = request_.port;
        plan.udp = request_.udp;
        plan.has_source = destination_.source.has_value();
        plan.interface_index = destination_.interface_index;
        plan.wait = from_ms(request_.wait_ms);
        plan.banner = request_.banner;
        plan.data = request_.data;
        plan.tls = handles_.tls ? &*handles_.tls : nullptr;
        return plan;
    }

    Result<void> wait_until(Clock::time_point time) {
        if (Clock::now() >= time) return {};
        // What has been told until now must not wait with us.
        output_.flush();
        auto waited = handles_.destination.watch.wait(output_, {}, time);
        if (!waited) return waited.error();
        return {};
    }

    /// The attempt is over, and what was seen of it is complete: the kernel shows a packet before it acts on
    /// it.
    void take(ConnectAttempt attempt) {
        seen_.clear();
        peer_seen_.clear();
        const auto whole = handles_.own.view->take(seen_);
        const auto peer_whole = sees_peer() ? handles_.peer.view->take(peer_seen_) : SeenAll{};
        if (!is_good(attempt.outcome)) {
            ProbeIdentity identity{address(), request_.port, std::nullopt, !request_.udp};
            if (attempt.local) {
                identity.local_port = attempt.local->port;
                identity.local = attempt.local->address;
            }
            trace_ = trace_probe(identity, seen_, peer_seen_);
            trace_.from_watched = whole;
            trace_.peer_watched = peer_whole;
            forget_on_bridge(trace_.reply_for_other_host, handles_.destination.route.get());
            forget_on_bridge(trace_.for_other_host, handles_.destination.peer_route.get());
            add_reset(attempt);
            failed_ = attempt;
        }
        tally_.add(attempt);
        last_ = attempt;
        // Every one at once where somebody may look on; thousands together.
        constexpr double eye = 10;
        if (request_.interval_ms < eye) {
            output_.row(attempt);
        } else {
            output_.event(attempt);
        }
    }

    /// A port of a bridge sees every frame that goes through it or to the bridge itself as somebody else's.
    static void forget_on_bridge(std::optional<std::uint32_t>& interface, int route_socket) {
        if (!interface) return;
        const auto link = kernel::get_link(route_socket, *interface);
        if (!link || !*link || (*link)->master != 0) interface.reset();
    }

    /// What others have sent since the last attempt.
    void forget_others() {
        seen_.clear();
        static_cast<void>(handles_.own.view->take(seen_));
        if (sees_peer()) static_cast<void>(handles_.peer.view->take(seen_));
        seen_.clear();
    }

    /// connect(2) says only that there was a reset.
    void add_reset(ConnectAttempt& attempt) {
        if (!attempt.refusal || attempt.refusal->way != api::RefusalWay::reset || !trace_.reset) return;
        auto& refusal = *attempt.refusal;
        refusal.from = trace_.reset->packet.source;
        refusal.ttl = trace_.reset->packet.ttl;
        if (!names_) {
            auto names = InterfaceNames::read(handles_.destination.route.get());
            if (names) names_ = std::move(*names);
        }
        if (names_) refusal.interface = (*names_)[trace_.reset->interface];
        const MacAddress none{};
        if (trace_.reset->mac && *trace_.reset->mac != none) refusal.mac = trace_.reset->mac->to_string();
    }

    [[nodiscard]] std::optional<IpAddress> gateway() const {
        kernel::RouteQuery query;
        query.destination = address();
        const auto reply = kernel::query_route(handles_.destination.route.get(), query);
        return reply && reply->route ? reply->route->hop.gateway : std::nullopt;
    }

    Result<void> explain(ConnectReport& report) {
        if (!destination_.explanation.empty()) report.explanation = destination_.explanation;
        if (!failed_ && !last_) return {};
        ConnectFacts facts;
        facts.attempt = failed_ ? *failed_ : *last_;
        facts.udp = request_.udp;
        facts.peer_address = destination_.peer_address;
        facts.own_address = is_own();
        facts.same_namespace = handles_.destination.same_namespace;
        facts.trace = trace_;
        if (failed_) {
            facts.gateway = gateway();
            facts.no_neighbour =
                neighbour_is_silent(handles_.destination.route.get(), facts.gateway.value_or(address()));
            ask_sockets(facts, report);
            ask_for_way_back(facts);
        }
        tell(report, explain_connection(context_, request_, facts));
        return {};
    }

    /// It goes to FROM itself, in its own name.
    [[nodiscard]] bool is_own() const {
        return !destination_.peer_address && (address().is_loopback() || destination_.source == address());
    }

    /// What takes connections there. Unknown where it cannot be asked.
    void ask_sockets(ConnectFacts& facts, ConnectReport& report) {
        const auto& sockets = facts.own_address ? handles_.own.sockets : handles_.peer.sockets;
        if (!sockets || (!facts.own_address && !destination_.peer_address)) return;
        const auto& route = facts.own_address ? handles_.destination.route : handles_.destination.peer_route;
        const auto names = InterfaceNames::read(route.get());
        if (!names) return;
        auto listeners = read_listeners(sockets.get(), !request_.udp, *names);
        if (!listeners) return;
        if (!facts.own_address) {
            for (const auto index : trace_.came_by)
                facts.came_by.push_back((*names)[index]);
        }
        facts.listener = judge_listeners(*listeners, address(), request_.port, facts.came_by);
        for (const auto& listener : *listeners) {
            const auto alone = judge_listeners({&listener, 1}, address(), listener.port).verdict;
            const auto& known = facts.other_ports;
            if (listener.port != request_.port && alone == ListenerVerdict::takes &&
                (known.empty() || known.back() != listener.port))
                facts.other_ports.push_back(listener.port);
        }
        report.listening = for_report(std::move(*listeners), request_.port);
    }

    /// Why an answer to a packet that came did not leave the peer.
    void ask_for_way_back(ConnectFacts& facts) const {
        if (!trace_.source || trace_.arrived == 0 || trace_.peer_replied) return;
        const auto half_open = is_half_open(handles_.peer.sockets.get(), *trace_.source);
        facts.half_open = !request_.udp && half_open && *half_open;
        const auto refused = [&](const std::optional<IpAddress>& from) {
            kernel::RouteQuery query;
            query.destination = trace_.source->address;
            query.from = from;
            const auto reply = kernel::query_route(handles_.destination.peer_route.get(), query);
            return reply && reply->error != 0;
        };
        // Rules may go by the answer's source; an address that NAT has put on is none of the peer's.
        facts.no_way_back = refused(std::nullopt) && refused(address());
    }

    Handles& handles_;
    const ConnectRequest& request_;
    const Context& context_;
    const Destination& destination_;
    Output& output_;
    ConnectTally tally_;
    std::vector<SeenPacket> seen_;
    std::vector<SeenPacket> peer_seen_;
    std::optional<ConnectAttempt> last_;
    std::optional<ConnectAttempt> failed_;  ///< the last that did not come through
    ProbeTrace trace_;                      ///< of that one
    std::optional<InterfaceNames> names_;
};

Result<void> run(Handles& handles, const ConnectRequest& request, const Context& context, Output& output) {
    ConnectReport report;
    report.from = request.from;
    report.to = request.to;
    report.protocol = request.udp ? "udp" : "tcp";
    const auto chosen = choose_destination(request, context, handles.destination.sources(),
                                           handles.destination.watch, output);
    if (!chosen) return chosen.error();
    if (const auto* resolution = std::get_if<Resolution>(&*chosen)) {
        tell(report, explain_unresolved(context, request, *resolution));
        output.event(report);
        return {};
    }
    const auto& destination = std::get<Destination>(*chosen);
    report.remote = {destination.to.address, request.port};
    report.resolved_by = destination.resolved_by;
    output.event(api::ConnectStart{request.from, request.to, report.protocol, *report.remote,
                                   destination.resolved_by});
    if (auto done = Connecting(handles, request, context, destination, output).run(report); !done)
        return done;
    output.event(report);
    return {};
}

// As a ping, it may run for weeks.
constexpr std::uint32_t cpu_seconds = 24 * 3600;

const Registration<ConnectRequest> registered{operation<prepare, run>(
    {.net_raw = true, .resolver_files = true, .ip_sockets = true, .cpu_seconds = cpu_seconds})};

}  // namespace

}  // namespace netlab::operations
