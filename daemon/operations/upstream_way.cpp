#include "daemon/operations/upstream_way.hpp"

#include "common/api/dns.hpp"
#include "daemon/kernel/route_entry.hpp"
#include "daemon/kernel/route_query.hpp"
#include "daemon/operations/network_facts.hpp"

#include <algorithm>

#include <linux/rtnetlink.h>

namespace netlab::operations {

namespace {

bool is_loopback(const api::ResolvUpstream& upstream) {
    const auto server = api::parse_dns_server(upstream.server);
    return server && server->address.is_loopback();
}

/// Those that are a loopback address of the host, or of the container.
std::vector<std::string> loopbacks(const UpstreamWay& way, bool of_host) {
    std::vector<std::string> found;
    for (const auto& upstream : way.upstreams) {
        if (upstream.from_host == of_host && is_loopback(upstream)) found.push_back(upstream.server);
    }
    return found;
}

}  // namespace

UpstreamWay look_at_routes(int route_socket, std::vector<api::ResolvUpstream> upstreams) {
    UpstreamWay way;
    way.upstreams = std::move(upstreams);
    constexpr std::uint32_t all_tables = 0;
    const auto routes = kernel::dump_routes(route_socket, all_tables);
    way.default_route = !routes || std::ranges::any_of(routes->rows, [](const kernel::Route& route) {
        return route.destination.length() == 0 && route.kind == RTN_UNICAST;
    });
    for (const auto& upstream : way.upstreams) {
        const auto server = api::parse_dns_server(upstream.server);
        if (!server || upstream.from_host) continue;
        const auto reply = kernel::query_route(route_socket, {server->address, {}, 0, 0, 0, false});
        if (reply && reply->error != 0) way.unrouted.push_back(upstream.server);
    }
    return way;
}

Explanation explain_upstream_way(const api::Target& from, const UpstreamWay& way) {
    if (!way.internal.empty()) {
        const bool several = way.internal.size() > 1;
        return {from.name + " is only on " + list_and(way.internal) + ", which " +
                    (several ? "are internal networks" : "is an internal network") +
                    ": from there Docker's resolver reaches no server that knows names of the outside",
                "docker network connect NETWORK " + from.name + "  # one that is not internal"};
    }
    if (!way.default_route && (way.upstreams.empty() || !way.unrouted.empty())) {
        const auto whom =
            way.unrouted.empty() ? "a server outside of its own networks" : list_and(way.unrouted);
        return {from.name + " has no default route: from there Docker's resolver does not reach " + whom +
                    ", which it would ask for names of the outside",
                "netlab routes " + from.name};
    }
    if (const auto own = loopbacks(way, false); own.size() == way.upstreams.size() && !own.empty()) {
        return {"Docker's resolver passes names of the outside on to " + list_and(own) + ", and that is " +
                    from.name + " itself, not the host",
                "docker run --dns ADDRESS …  # a server's that is no loopback address; or \"dns\" in "
                "daemon.json"};
    }
    if (const auto host = loopbacks(way, true); host.size() == way.upstreams.size() && !host.empty()) {
        return {"Docker's resolver passes names of the outside on to " + list_and(host) +
                    " of the host, a loopback address that Docker asks there for " + from.name +
                    ": that server fails or gives no answer",
                "netlab dns host NAME --server " + host.front() + "  # another one: \"dns\" in daemon.json"};
    }
    return {};
}

}  // namespace netlab::operations
