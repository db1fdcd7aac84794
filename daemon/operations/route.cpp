#include "common/api/route.hpp"

#include "daemon/kernel/route.hpp"
#include "daemon/kernel/route_names.hpp"
#include "daemon/operations/inspection.hpp"
#include "daemon/operations/peer_address.hpp"
#include "daemon/operations/route_row.hpp"
#include "daemon/operations/route_walk.hpp"
#include "daemon/operations/topology_reader.hpp"

#include <algorithm>

/// `netlab route`: RTM_GETROUTE in the target, and in each namespace that the packet would come to.
namespace netlab::operations::route {

namespace {

Result<KnownNamespaces> prepare(Namespaces& namespaces, const api::RouteRequest&,
                                const api::Context& context) {
    return KnownNamespaces(namespaces, context);
}

struct Destination {
    IpAddress address;
    std::optional<std::string> named;
    std::string explanation;
};

std::vector<IpPrefix> prefixes(const NamespaceFacts& facts) {
    std::vector<IpPrefix> out;
    for (const auto& address : facts.addresses)
        out.push_back(address.prefix);
    return out;
}

std::string way_text(const PeerChoice& choice) {
    switch (choice.way) {
        case PeerWay::loopback:
            return "both live in one network namespace";
        case PeerWay::shared_subnet:
            return "its address on " + choice.subnet->to_string() + ", which both are on";
        case PeerWay::gateway:
            return "its address that is the default gateway";
        case PeerWay::first_global:
            return "its first global address; the two share no network";
    }
    return {};
}

/// The address of another target, by the rule that `netlab ping --address` goes by.
Result<Destination> peer_destination(const api::RouteRequest& request, const api::Context& context,
                                     const KnownNamespaces& known, const Topology& topology) {
    const auto& name = context.peer->name;
    if (!context.peer_namespace)
        return Error{errc::target_not_running, name + " does not run: it has no address", {}, {}};
    const std::size_t place = known.home(context.targets.size());
    PeerFacts facts;
    facts.from = prefixes(topology[0]);
    facts.peer = prefixes(topology[place]);
    facts.same_namespace = place == 0;
    if (request.from) facts.family = request.from->family();
    auto gateways = kernel::default_routes(known.socket(0)->get());
    if (!gateways) return gateways.error();
    for (const auto& gateway : *gateways)
        facts.gateways.push_back(gateway.gateway);
    const auto choice = choose_peer_address(facts);
    const std::string family = !facts.family ? "" : *facts.family == Family::ipv4 ? "IPv4 " : "IPv6 ";
    if (!choice)
        return Error{
            errc::no_address, name + " has no " + family + "address that could be routed to", {}, {}};
    return Destination{choice->address, name, way_text(*choice)};
}

Result<Destination> destination_of(const api::RouteRequest& request, const api::Context& context,
                                   const KnownNamespaces& known, const Topology& topology) {
    if (const auto address = IpAddress::parse(request.destination))
        return Destination{*address, std::nullopt, {}};
    if (context.peer) return peer_destination(request, context, known, topology);
    return Error{errc::no_such_target,
                 "'" + request.destination + "' is neither an address nor a target",
                 "`netlab ping` resolves names as the target would; here an address is needed",
                 {}};
}

/// The packet that is asked about. errc::bad_request, errc::no_such_interface.
Result<kernel::RouteQuery> query_of(const api::RouteRequest& request, const IpAddress& destination,
                                    const Topology& topology) {
    kernel::RouteQuery query{destination, request.from, request.mark, 0, false};
    const auto& here = topology[0];
    if (!request.iif.empty()) {
        const auto index = InterfaceNames(here.links).find(request.iif);
        if (!index) return index.error();
        query.input = *index;
    } else if (request.from && request.from->is_v4()) {
        // The kernel says EINVAL to it, as it does to much else.
        const bool own = std::ranges::any_of(here.addresses, [&](const kernel::Address& address) {
            return address.prefix.address() == *request.from;
        });
        if (!own && !request.from->is_loopback() && !request.from->is_unspecified())
            return Error{errc::bad_request,
                         request.from->to_string() + " is no address of " + here.target +
                             ", which so cannot send from it",
                         "say by which interface the packet comes in (--iif), or one of its own addresses",
                         {}};
    }
    return query;
}

/// The table's entry behind the answer: "default" says more than the destination again.
std::optional<std::string> matched_entry(int socket, kernel::RouteQuery query, const InterfaceNames& names) {
    query.which_entry = true;
    const auto reply = kernel::query_route(socket, query);
    if (!reply || !reply->route) return std::nullopt;
    return route_entry({}, *reply->route, names).destination;
}

/// What a route that only says no looks like: the kernel gives the errno alone.
api::RouteEntry entry_without_route(const std::string& target, const kernel::RouteQuery& query,
                                    api::RouteStep step) {
    api::RouteEntry entry;
    entry.kind = kernel::route_kind_name(step == api::RouteStep::unreachable  ? RTN_UNREACHABLE
                                         : step == api::RouteStep::prohibited ? RTN_PROHIBIT
                                         : step == api::RouteStep::blackhole  ? RTN_BLACKHOLE
                                                                              : RTN_UNSPEC);
    entry.target = target;
    entry.family = query.destination.family();
    entry.destination = query.destination.to_string();
    return entry;
}

Result<api::RouteAnswer> answer(const api::RouteRequest& request, const api::Context& context,
                                const KnownNamespaces& known, const Topology& topology) {
    const auto destination = destination_of(request, context, known, topology);
    if (!destination) return destination.error();
    const auto query = query_of(request, destination->address, topology);
    if (!query) return query.error();
    auto hops = walk(topology, 0, *query, [&](std::size_t place, const kernel::RouteQuery& asked) {
        const auto& socket = known.socket(place);
        return socket ? kernel::query_route(socket->get(), asked)
                      : Result<kernel::RouteReply>(socket.error());
    });
    if (!hops) return hops.error();
    const InterfaceNames names(topology[0].links);
    const auto& first = hops->front();
    api::RouteAnswer out;
    static_cast<api::RouteEntry&>(out) =
        first.route.value_or(entry_without_route(topology[0].target, *query, first.step));
    out.outcome = first.step;
    out.matched = matched_entry(known.socket(0)->get(), *query, names);
    out.named = destination->named;
    out.explanation = destination->explanation;
    out.hops = std::move(*hops);
    return out;
}

Result<void> run(KnownNamespaces& known, const api::RouteRequest& request, const api::Context& context,
                 Output& output) {
    return inspect_each(context, output, [&](std::size_t i, Rows& rows) -> Result<void> {
        if (!known.socket(i)) return known.socket(i).error();
        const auto read = read_topology(known, context);
        rows.note(read.consistent);
        const auto found = answer(request, context, known, read.topology);
        if (!found) return found.error();
        rows.add(*found);
        if (std::ranges::any_of(found->hops, is_lost, &api::RouteHop::step)) rows.finding();
        return {};
    });
}

const Registration<api::RouteRequest> registered{
    operation<prepare, run>({.address_space = large_tables, .descriptors = many_descriptors})};

}  // namespace

}  // namespace netlab::operations::route
