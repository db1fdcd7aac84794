#pragma once

#include "common/api/addresses.hpp"
#include "common/api/bridges.hpp"
#include "common/api/capture.hpp"
#include "common/api/connect.hpp"
#include "common/api/conntrack.hpp"
#include "common/api/cost.hpp"
#include "common/api/dns.hpp"
#include "common/api/firewall.hpp"
#include "common/api/links.hpp"
#include "common/api/nat.hpp"
#include "common/api/neighbours.hpp"
#include "common/api/networks.hpp"
#include "common/api/pairs.hpp"
#include "common/api/ping.hpp"
#include "common/api/ports.hpp"
#include "common/api/processes.hpp"
#include "common/api/resolv.hpp"
#include "common/api/role.hpp"
#include "common/api/route.hpp"
#include "common/api/routes.hpp"
#include "common/api/rules.hpp"
#include "common/api/sockets.hpp"
#include "common/api/sysctls.hpp"
#include "common/api/targets.hpp"
#include "common/api/version.hpp"
#include "common/api/watch.hpp"
#include "common/api/why.hpp"

#include <tuple>

/// The one list of what netlab can do. A row here, a pair of files in daemon/operations, one in cli/commands.
namespace netlab::api {

enum class Verb : std::uint8_t { get, post };

enum class Kind : std::uint8_t {
    registry,  ///< answered by the front, without a worker
    stream,    ///< NDJSON from a worker
    capture,   ///< pcapng from a worker
};

template <class Request>
using Words = std::vector<std::string> (*)(const Request&);

/// A public operation. There is no row without a role: the constructor does not exist.
template <class R>
struct Row {
    using Request = R;

    consteval Row(std::string_view its_name, Verb its_verb, std::string_view its_path, Role its_role,
                  Kind its_kind)
        : name(its_name), verb(its_verb), path(its_path), role(its_role), kind(its_kind) {}

    std::string_view name;
    Verb verb;
    std::string_view path;
    Role role;
    Kind kind;
    std::string R::*target = nullptr;                ///< the member that names the target it runs in
    std::string R::*peer = nullptr;                  ///< the member that names the other end
    std::vector<std::string> R::*targets = nullptr;  ///< the member that names several targets to run in
    bool R::*all = nullptr;                          ///< with `targets`: run in every namespace that is known
    std::string R::*network = nullptr;               ///< with `targets`: run in the members of that network
    bool others = false;                             ///< see Context::others
    bool engines = false;                            ///< see Context::engines
    bool published = false;                          ///< see with_ports()
    std::vector<std::string> R::*points = nullptr;   ///< the member that names places to capture at
    std::string R::*filter = nullptr;                ///< the member that the audit has as such
    bool names = false;                              ///< see Context::names
    std::uint16_t R::*published_port = nullptr;      ///< the member that is a port, see Context::publishers
    bool host = false;                               ///< see Context::host_namespace
    bool residents = false;                          ///< see Context::residents
    bool finishing = false;  ///< a client that shuts down its sending side has it finish, not end
    Result<void> (*check)(const R&, Roles) = nullptr;
    std::uint32_t (*deadline_ms)(const R&) = nullptr;  ///< absent: ten seconds
    Cost (*cost)(const R&, const Context&) = nullptr;  ///< absent: next to nothing

    consteval Row in(std::string R::*member) const {
        return with([&](Row& row) { row.target = member; });
    }
    consteval Row towards(std::string R::*member) const {
        return with([&](Row& row) { row.peer = member; });
    }
    consteval Row over(std::vector<std::string> R::*member, bool R::*every) const {
        return with([&](Row& row) {
            row.targets = member;
            row.all = every;
        });
    }
    consteval Row members_of(std::string R::*member) const {
        return with([&](Row& row) { row.network = member; });
    }
    consteval Row with_others() const {
        return with([&](Row& row) { row.others = true; });
    }
    consteval Row asking_engines() const {
        return with([&](Row& row) { row.engines = true; });
    }
    /// Context::targets keep what their engines say of networks and ports. `all` are the running containers
    /// that have ports, published or exposed, or are on the host's network.
    consteval Row with_ports() const {
        return with([&](Row& row) { row.published = true; });
    }
    /// Runs in the namespaces of capture points: Context::points.
    consteval Row at(std::vector<std::string> R::*member) const {
        return with([&](Row& row) { row.points = member; });
    }
    consteval Row filtered_by(std::string R::*member) const {
        return with([&](Row& row) { row.filter = member; });
    }
    consteval Row with_names() const {
        return with([&](Row& row) { row.names = true; });
    }
    consteval Row published_on(std::uint16_t R::*member) const {
        return with([&](Row& row) { row.published_port = member; });
    }
    consteval Row beside_host() const {
        return with([&](Row& row) { row.host = true; });
    }
    consteval Row with_residents() const {
        return with([&](Row& row) { row.residents = true; });
    }
    consteval Row that_finishes() const {
        return with([&](Row& row) { row.finishing = true; });
    }
    consteval Row checked(Result<void> (*function)(const R&, Roles)) const {
        return with([&](Row& row) { row.check = function; });
    }
    consteval Row costing(Cost (*function)(const R&, const Context&)) const {
        return with([&](Row& row) { row.cost = function; });
    }
    consteval Row within(std::uint32_t (*function)(const R&)) const {
        return with([&](Row& row) { row.deadline_ms = function; });
    }

  private:
    template <class F>
    consteval Row with(F change) const {
        Row row = *this;
        change(row);
        return row;
    }
};

/// An operation of the daemon's own: no path, so no role.
template <class R>
struct InternalRow {
    using Request = R;
    std::string_view name;
};

inline constexpr auto catalogue = std::tuple{
    Row<VersionRequest>("version", Verb::get, "/v1/version", Role::observe, Kind::registry),
    Row<TargetsRequest>("targets", Verb::get, "/v1/targets", Role::observe, Kind::registry),
    Row<PingRequest>("ping", Verb::post, "/v1/ping", Role::probe, Kind::stream)
        .in(&PingRequest::from)
        .towards(&PingRequest::to)
        .checked(&check)
        .costing(&cost)
        .within(&deadline_ms),
    Row<DnsRequest>("dns", Verb::post, "/v1/dns", Role::probe, Kind::stream)
        .in(&DnsRequest::from)
        .towards(&DnsRequest::name)
        .asking_engines()
        .checked(&check)
        .within(&deadline_ms),
    Row<ResolvRequest>("resolv", Verb::post, "/v1/resolv", Role::probe, Kind::stream)
        .in(&ResolvRequest::from)
        .asking_engines()
        .checked(&check)
        .within(&deadline_ms),
    Row<ConnectRequest>("connect", Verb::post, "/v1/connect", Role::probe, Kind::stream)
        .in(&ConnectRequest::from)
        .towards(&ConnectRequest::to)
        .checked(&check)
        .costing(&cost)
        .within(&deadline_ms),
    Row<WhyRequest>("why", Verb::post, "/v1/why", Role::observe, Kind::stream)
        .in(&WhyRequest::from)
        .towards(&WhyRequest::to)
        .published_on(&WhyRequest::port)
        .with_others()
        .with_residents()
        .with_names()
        .checked(&check)
        .within(&deadline_ms),
    Row<PingPairsRequest>("ping_pairs", Verb::post, "/v1/ping/pairs", Role::probe, Kind::stream)
        .over(&PingPairsRequest::targets, &PingPairsRequest::all)
        .members_of(&PingPairsRequest::network)
        .checked(&check)
        .costing(&cost)
        .within(&deadline_ms),
    Row<ConnectPairsRequest>("connect_pairs", Verb::post, "/v1/connect/pairs", Role::probe, Kind::stream)
        .over(&ConnectPairsRequest::targets, &ConnectPairsRequest::all)
        .members_of(&ConnectPairsRequest::network)
        .checked(&check)
        .costing(&cost)
        .within(&deadline_ms),
    Row<AddressesRequest>("addresses", Verb::post, "/v1/addresses", Role::observe, Kind::stream)
        .over(&AddressesRequest::targets, &AddressesRequest::all),
    Row<RoutesRequest>("routes", Verb::post, "/v1/routes", Role::observe, Kind::stream)
        .over(&RoutesRequest::targets, &RoutesRequest::all)
        .checked(&check),
    Row<RulesRequest>("rules", Verb::post, "/v1/rules", Role::observe, Kind::stream)
        .over(&RulesRequest::targets, &RulesRequest::all),
    Row<RouteRequest>("route", Verb::post, "/v1/route", Role::observe, Kind::stream)
        .in(&RouteRequest::target)
        .towards(&RouteRequest::destination)
        .with_others()
        .checked(&check),
    Row<NeighboursRequest>("neighbours", Verb::post, "/v1/neighbours", Role::observe, Kind::stream)
        .over(&NeighboursRequest::targets, &NeighboursRequest::all)
        .with_others(),
    Row<LinksRequest>("links", Verb::post, "/v1/links", Role::observe, Kind::stream)
        .over(&LinksRequest::targets, &LinksRequest::all)
        .with_others(),
    Row<BridgesRequest>("bridges", Verb::post, "/v1/bridges", Role::observe, Kind::stream)
        .over(&BridgesRequest::targets, &BridgesRequest::all)
        .with_others()
        .asking_engines(),
    Row<NetworksRequest>("networks", Verb::post, "/v1/networks", Role::observe, Kind::stream)
        .with_others()
        .asking_engines(),
    Row<SocketsRequest>("sockets", Verb::post, "/v1/sockets", Role::observe, Kind::stream)
        .over(&SocketsRequest::targets, &SocketsRequest::all)
        .checked(&check)
        .within(&deadline_ms),
    Row<ProcessesRequest>("processes", Verb::post, "/v1/processes", Role::observe, Kind::stream)
        .over(&ProcessesRequest::targets, &ProcessesRequest::all),
    Row<SysctlsRequest>("sysctls", Verb::post, "/v1/sysctls", Role::observe, Kind::stream)
        .over(&SysctlsRequest::targets, &SysctlsRequest::all),
    Row<FirewallRequest>("firewall", Verb::post, "/v1/firewall", Role::observe, Kind::stream)
        .in(&FirewallRequest::target)
        .checked(&check),
    Row<CaptureRequest>("capture", Verb::post, "/v1/capture", Role::capture, Kind::capture)
        .at(&CaptureRequest::points)
        .filtered_by(&CaptureRequest::filter)
        .with_names()
        .that_finishes()
        .checked(&check)
        .costing(&cost)
        .within(&deadline_ms),
    Row<PacketsRequest>("packets", Verb::post, "/v1/packets", Role::capture, Kind::stream)
        .at(&PacketsRequest::points)
        .filtered_by(&PacketsRequest::filter)
        .with_names()
        .that_finishes()
        .checked(&check)
        .costing(&cost)
        .within(&deadline_ms),
    Row<ConntrackRequest>("conntrack", Verb::post, "/v1/conntrack", Role::observe, Kind::stream)
        .in(&ConntrackRequest::target)
        .beside_host()
        .with_names()
        .checked(&check)
        .within(&deadline_ms),
    Row<ConntrackEventsRequest>("conntrack_events", Verb::post, "/v1/conntrack/events", Role::observe,
                                Kind::stream)
        .in(&ConntrackEventsRequest::target)
        .beside_host()
        .with_names()
        .that_finishes()
        .checked(&check)
        .within(&deadline_ms),
    Row<PortsRequest>("ports", Verb::post, "/v1/ports", Role::observe, Kind::stream)
        .over(&PortsRequest::targets, &PortsRequest::all)
        .with_ports()
        .with_others()
        .with_residents(),
    Row<NatRequest>("nat", Verb::post, "/v1/nat", Role::observe, Kind::stream)
        .over(&NatRequest::targets, &NatRequest::all)
        .with_ports()
        .with_others()
        .asking_engines(),
    InternalRow<WatchEngineRequest>{"watch_engine"},
    InternalRow<InspectEngineRequest>{"inspect_engine"},
    InternalRow<WatchNamespacesRequest>{"watch_namespaces"},
    InternalRow<IdentifyRequest>{"identify"},
};

inline constexpr std::size_t catalogue_size = std::tuple_size_v<decltype(catalogue)>;

template <class Request, std::size_t I = 0>
consteval std::uint16_t operation_number() {
    static_assert(I < catalogue_size, "this request has no row in the catalogue");
    if constexpr (std::same_as<
                      typename std::tuple_element_t<I, std::remove_const_t<decltype(catalogue)>>::Request,
                      Request>) {
        return I;
    } else {
        return operation_number<Request, I + 1>();
    }
}

}  // namespace netlab::api
