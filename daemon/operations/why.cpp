#include "common/api/why.hpp"

#include "daemon/operations/host_view.hpp"
#include "daemon/operations/inspection.hpp"
#include "daemon/operations/name_explanation.hpp"
#include "daemon/operations/network_facts.hpp"
#include "daemon/operations/request_time.hpp"
#include "daemon/operations/topology_reader.hpp"
#include "daemon/operations/why_question.hpp"

#include <algorithm>
#include <array>
#include <cstdio>

#include <fcntl.h>
#include <unistd.h>

/// `netlab why`: one packet from FROM to TO, followed by the kernels' tables, by its trace through the rules,
/// and by eye.
namespace netlab::operations::why {

namespace {

using api::Context;
using api::WhyProtocol;
using api::WhyReport;
using api::WhyRequest;
using api::WhyVerdict;

/// The name of a container that netlab knows is known to the resolver beside it, or not at all: silence says
/// the same after a moment as after half a minute.
constexpr std::chrono::seconds known_name_patience{3};
/// One from outside may take a server its time, and a dead one before it; a program may wait for longer.
constexpr std::chrono::seconds other_name_patience{10};

std::chrono::seconds resolver_patience(const Context& context) {
    return context.peer ? known_name_patience : other_name_patience;
}

bool has(const Context& context, api::Role role) {
    return std::ranges::find(context.roles, role) != context.roles.end();
}

/// A table of netlab's own, for the time of one question.
bool may_trace(const Context& context) {
    return has(context, api::Role::trace) || has(context, api::Role::host);
}

/// FROM, TO, who publishes the port, and the host; of those that share a namespace the first.
std::set<std::size_t> places_to_watch(Namespaces& namespaces, const Context& context,
                                      std::optional<std::size_t> host) {
    std::set<std::size_t> wanted;
    const auto add = [&](std::size_t place) {
        const auto same = [&](std::size_t other) {
            return namespaces[other].inode == namespaces[place].inode &&
                   namespaces[other].device == namespaces[place].device;
        };
        if (place == 0 || std::ranges::none_of(wanted, same)) wanted.insert(place);
    };
    for (std::size_t place = 0; place < named_places(context); ++place)
        add(place);
    if (host) add(*host);
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

/// Of the namespace that this process is in.
bool is_set(const char* sysctl) {
    const UniqueFd file(::open(sysctl, O_RDONLY | O_CLOEXEC));
    char digit = '0';
    return file && ::read(file.get(), &digit, 1) == 1 && digit == '1';
}

std::optional<WhyHostTables> ask_host(Namespaces& namespaces, std::optional<std::size_t> place) {
    if (!place || !namespaces.enter(*place)) return std::nullopt;
    auto rules = HostRules::ask();
    return WhyHostTables{*place, std::move(rules), kernel::ConntrackTable::ask(),
                         is_set("/proc/sys/net/bridge/bridge-nf-call-iptables"),
                         is_set("/proc/sys/net/bridge/bridge-nf-call-ip6tables")};
}

/// Without them a rule is told as it reads.
std::optional<LegacyCounters> open_counters(Namespaces& namespaces, const WhyRequest& request,
                                            std::optional<std::size_t> host) {
    if (!request.probe || !host || !namespaces[*host].net) return std::nullopt;
    auto counters = LegacyCounters::start(namespaces, *host);
    return counters ? std::move(*counters) : std::nullopt;
}

std::map<std::size_t, HostRules> ask_inside(Namespaces& namespaces, const std::set<std::size_t>& places,
                                            std::optional<std::size_t> host) {
    std::map<std::size_t, HostRules> out;
    for (const auto place : places) {
        if (place != host && namespaces.enter(place)) out.emplace(place, HostRules::ask_of_container());
    }
    return out;
}

EchoesIgnored read_ignored(Namespaces& namespaces, const std::set<std::size_t>& places) {
    EchoesIgnored out;
    for (const auto place : places) {
        if (!namespaces.enter(place)) continue;
        if (is_set("/proc/sys/net/ipv4/icmp_echo_ignore_all")) out.v4.insert(place);
        if (is_set("/proc/sys/net/ipv6/icmp/echo_ignore_all")) out.v6.insert(place);
    }
    return out;
}

Result<WhyHandles> prepare(Namespaces& namespaces, const WhyRequest& request, const Context& context) {
    const auto id = static_cast<std::uint16_t>(::getpid());
    const auto host_place = find_host(namespaces);
    const auto places = places_to_watch(namespaces, context, host_place);
    // Before any other socket: the process beside inherits what is open.
    auto counters = open_counters(namespaces, request, host_place);
    auto sight = WhySight::open(namespaces, places, request.probe,
                                request.probe && request.trace && may_trace(context));
    if (!sight) return sight.error();
    auto host = ask_host(namespaces, host_place);
    auto inside = ask_inside(namespaces, places, host_place);
    auto ignored = request.protocol == WhyProtocol::icmp ? read_ignored(namespaces, places) : EchoesIgnored();
    auto destination = DestinationHandles::open(namespaces, request, context);
    if (!destination) return destination.error();
    std::optional<EchoSocket> v4;
    std::optional<EchoSocket> v6;
    if (auto opened = open_echoes(v4, v6, request, id); !opened) return opened.error();
    UniqueFd own(::fcntl(namespaces[0].net.get(), F_DUPFD_CLOEXEC, 3));
    if (!own) return system_error(errc::operation_failed, "keep the namespace", errno);
    auto proxies = context.publishers.empty() ? ProxyProcesses() : ProxyProcesses::read();
    auto residents = Residents::read(context);
    auto holders = residents.matter() ? kernel::SocketHolders::read() : kernel::SocketHolders();
    // TO may turn out to be any of them, and then what listens there is the question.
    const auto named = named_places(context);
    auto others = open_in_each(namespaces, named, namespaces.size() - named,
                               [](std::size_t) { return kernel::open_sock_diag_socket(); });
    KnownNamespaces known(namespaces, context);
    // `run` opens its sockets where it is left.
    namespaces[0].net = std::move(own);
    if (auto entered = namespaces.enter(0); !entered) return entered.error();
    return WhyHandles{std::move(v4),      std::move(v6),        id,
                      std::move(*sight),  std::move(host),      std::move(counters),
                      std::move(inside),  std::move(ignored),   std::move(*destination),
                      std::move(proxies), std::move(residents), std::move(holders),
                      std::move(others),  std::move(known)};
}

void unresolved(WhyReport& report, const WhyRequest& request, const Context& context,
                const Resolution& resolution) {
    report.verdict = WhyVerdict::unresolved;
    report.where = api::WhyPlace{request.from, "the name " + request.to};
    const auto why = explain_unresolved(context, request, resolution);
    report.explanation = why.explanation;
    report.suggestion = why.suggestion;
    // Otherwise its resolv.conf says to wait no longer.
    const auto patience = resolver_patience(context);
    if (resolution.outcome == NameOutcome::timed_out && report.resolution.elapsed_ms >= to_ms(patience))
        report.notes.push_back("the resolver was given " + std::to_string(patience.count()) +
                               " s; a program waits as long as its resolv.conf says");
}

/// Each program of FROM's that looks the name up waits, too, and what is wrong there is another question.
void tell_slow_name(WhyReport& report, const Destination& destination) {
    constexpr double slow_ms = 1000;
    const auto& silent = destination.silent_servers;
    const auto ask_more = " (netlab resolv " + report.from + ")";
    if (!silent.empty()) {
        report.notes.push_back(
            list_and(silent) + " gave no answer in the time that resolv.conf allows, and " +
            destination.resolved_by + " is asked after that: whoever looks a name up waits" + ask_more);
    } else if (report.resolution.elapsed_ms >= slow_ms && IpAddress::parse(destination.resolved_by)) {
        std::array<char, 32> seconds{};
        std::snprintf(seconds.data(), seconds.size(), "%.1f", report.resolution.elapsed_ms / slow_ms);
        report.notes.push_back(destination.resolved_by + " took " + seconds.data() +
                               " s to answer for the name: a server that it asks itself may be dead" +
                               ask_more);
    }
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

Result<void> run(WhyHandles& handles, const WhyRequest& request, const Context& context, Output& output) {
    const auto begin = Output::Clock::now();
    if (auto silent = check_silence(request, context); !silent) return silent;
    WhyReport report;
    report.from = request.from;
    report.to = request.to;
    report.protocol = request.protocol;
    if (request.port != 0) report.port = request.port;
    report.resolution.name = request.to;
    auto sources = handles.destination.sources();
    sources.patience = resolver_patience(context);
    const auto chosen = choose_destination(request, context, sources, handles.destination.watch, output);
    if (!chosen) return chosen.error();
    report.resolution.elapsed_ms = to_ms(Output::Clock::now() - begin);
    if (const auto* resolution = std::get_if<Resolution>(&*chosen)) {
        unresolved(report, request, context, *resolution);
    } else {
        const auto& destination = std::get<Destination>(*chosen);
        report.resolution.address = destination.to.address;
        report.resolution.resolved_by = destination.resolved_by;
        tell_slow_name(report, destination);
        const auto read = read_topology(handles.known, context);
        if (!read.consistent) report.notes.emplace_back("the interfaces changed while they were read");
        if (auto answered =
                follow_packet(handles, request, context, destination, read.topology, output, report);
            !answered)
            return answered;
    }
    report.elapsed_ms = to_ms(Output::Clock::now() - begin);
    output.event(report);
    return {};
}

const Registration<WhyRequest> registered{operation<prepare, run>({.net_raw = true,
                                                                   .net_admin = true,
                                                                   .processes = true,
                                                                   .resolver_files = true,
                                                                   .ip_sockets = true,
                                                                   .address_space = large_tables,
                                                                   .descriptors = 2 * many_descriptors})};

}  // namespace

}  // namespace netlab::operations::why
