#include "common/api/route.hpp"

#include "daemon/kernel/route_names.hpp"
#include "daemon/operations/inspection.hpp"
#include "daemon/operations/route_destination.hpp"
#include "daemon/operations/route_row.hpp"
#include "daemon/operations/route_walk.hpp"
#include "daemon/operations/target_watch.hpp"
#include "daemon/operations/topology_reader.hpp"

#include <algorithm>

/// `netlab route`: RTM_GETROUTE in the target, and in each namespace that the packet would come to.
namespace netlab::operations::route {

namespace {

struct Handles {
    KnownNamespaces known;
    TargetWatch target;
    TargetWatch peer;  ///< watches nothing where the destination is an address
};

/// Who is named as the destination must be there for as long as its interfaces are read: a container that
/// ends loses them one by one.
Result<TargetWatch> watch_peer(Namespaces& namespaces, const api::RouteRequest& request,
                               const api::Context& context) {
    if (!context.peer_namespace || is_address_word(request.destination)) return TargetWatch();
    const auto& handle = namespaces[context.targets.size()];
    if (!handle.net)
        return Error{errc::target_gone,
                     "'" + context.peer->name + "' has ended: its network namespace is gone",
                     "netlab ls shows what is there now",
                     {}};
    return TargetWatch::open(*context.peer, handle);
}

Result<Handles> prepare(Namespaces& namespaces, const api::RouteRequest& request,
                        const api::Context& context) {
    auto target = TargetWatch::open(context.targets.front(), namespaces[0]);
    if (!target) return target.error();
    auto peer = watch_peer(namespaces, request, context);
    if (!peer) return peer.error();
    return Handles{KnownNamespaces(namespaces, context), std::move(*target), std::move(*peer)};
}

/// The packet that is asked about. errc::bad_request, errc::no_such_interface.
Result<kernel::RouteQuery> query_of(const api::RouteRequest& request, const RouteDestination& destination,
                                    const Topology& topology) {
    kernel::RouteQuery query{destination.address, request.from, request.mark, 0, destination.output, false};
    if (request.iif.empty()) return query;
    const auto index = InterfaceNames(topology[0].links).find(request.iif);
    if (!index) return index.error();
    if (query.output != 0 && query.output != *index)
        return Error{errc::bad_request, "the address' zone is another interface than --iif", {}, {}};
    query.input = *index;
    query.output = 0;
    return query;
}

/// The table's entry behind the answer: "default" says more than the destination again.
std::optional<std::string> matched_entry(int socket, kernel::RouteQuery query, const InterfaceNames& names) {
    query.which_entry = true;
    const auto reply = kernel::query_route(socket, query);
    if (!reply || !reply->route) return std::nullopt;
    return route_entry({}, *reply->route, names).destination;
}

std::uint8_t kind_of(api::RouteStep step) {
    switch (step) {
        case api::RouteStep::unreachable:
        case api::RouteStep::not_forwarded:
            return RTN_UNREACHABLE;
        case api::RouteStep::prohibited:
            return RTN_PROHIBIT;
        case api::RouteStep::blackhole:
            return RTN_BLACKHOLE;
        default:
            return RTN_UNSPEC;
    }
}

/// What a route that only says no looks like: the kernel gives the errno alone.
api::RouteEntry entry_without_route(const std::string& target, const kernel::RouteQuery& query,
                                    api::RouteStep step) {
    api::RouteEntry entry;
    entry.kind = kernel::route_kind_name(kind_of(step));
    entry.target = target;
    entry.family = query.destination.family();
    entry.destination = query.destination.to_string();
    return entry;
}

AskKernel ask_kernels(const KnownNamespaces& known) {
    AskKernel ask;
    ask.route = [&](std::size_t place, const kernel::RouteQuery& query) -> Result<kernel::RouteReply> {
        const auto& socket = known.socket(place);
        if (!socket) return socket.error();
        return kernel::query_route(socket->get(), query);
    };
    ask.settings = [&](std::size_t place, Family family,
                       std::uint32_t index) -> Result<kernel::InterfaceSettings> {
        const auto& socket = known.socket(place);
        if (!socket) return socket.error();
        return kernel::query_settings(socket->get(), family, index);
    };
    return ask;
}

/// The destination is a target, and another gets the packet, or nobody whom netlab sees does. What leaves may
/// still come to it.
bool misses(const RouteDestination& destination, const std::vector<api::RouteHop>& hops,
            const Topology& topology) {
    if (!destination.place) return false;
    const auto& last = hops.back();
    if (last.step == api::RouteStep::delivered) return last.target != topology[*destination.place].target;
    return last.step == api::RouteStep::unknown;
}

struct Found {
    api::RouteAnswer answer;
    bool bad = false;  ///< the packet does not arrive
};

Result<Found> answer(const api::RouteRequest& request, const api::Context& context,
                     const KnownNamespaces& known, const Topology& topology) {
    const auto destination = route_destination(request, context, known, topology);
    if (!destination) return destination.error();
    const auto query = query_of(request, *destination, topology);
    if (!query) return query.error();
    auto hops = walk(topology, 0, *query, ask_kernels(known));
    if (!hops) return hops.error();
    Found found;
    found.bad =
        std::ranges::any_of(*hops, is_lost, &api::RouteHop::step) || misses(*destination, *hops, topology);
    const InterfaceNames names(topology[0].links);
    const auto& first = hops->front();
    auto& out = found.answer;
    static_cast<api::RouteEntry&>(out) =
        first.route.value_or(entry_without_route(topology[0].target, *query, first.step));
    out.outcome = first.step;
    out.matched = matched_entry(known.socket(0)->get(), *query, names);
    out.named = destination->named;
    out.explanation = destination->explanation;
    out.hops = std::move(*hops);
    return found;
}

Result<void> run(Handles& handles, const api::RouteRequest& request, const api::Context& context,
                 Output& output) {
    return inspect_each(context, output, [&](std::size_t i, Rows& rows) -> Result<void> {
        auto& known = handles.known;
        if (!known.socket(i)) return known.socket(i).error();
        const auto read = read_topology(known, context);
        rows.note(read.consistent);
        const auto found = answer(request, context, known, read.topology);
        // An answer of while they were being taken down is none.
        for (const auto* watch : {&handles.target, &handles.peer}) {
            if (auto there = watch->check(); !there) return there.error();
        }
        if (!found) return found.error();
        rows.add(found->answer);
        if (found->bad) rows.finding();
        return {};
    });
}

const Registration<api::RouteRequest> registered{operation<prepare, run>(
    {.start_times = true, .address_space = large_tables, .descriptors = many_descriptors})};

}  // namespace

}  // namespace netlab::operations::route
