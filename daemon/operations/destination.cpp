#include "daemon/operations/destination.hpp"

#include "common/text.hpp"
#include "daemon/kernel/address.hpp"
#include "daemon/kernel/link.hpp"
#include "daemon/kernel/route.hpp"
#include "daemon/operations/interface_names.hpp"
#include "daemon/operations/network_facts.hpp"
#include "daemon/operations/numeric_host.hpp"
#include "daemon/operations/route_probe.hpp"

#include <algorithm>
#include <cerrno>
#include <charconv>

namespace netlab::operations {

namespace {

using api::PeerMatch;

constexpr auto single_hosts = "netlab probes single hosts only";

Error bad(std::string message, std::string hint = {}) {
    return {errc::bad_request, std::move(message), std::move(hint), {}};
}

/// The index of an interface of FROM, by its name or, in a zone, by its number.
Result<std::uint32_t> interface_index(int route_socket, const std::string& name, bool numbers) {
    const auto names = InterfaceNames::read(route_socket);
    if (!names) return names.error();
    std::uint32_t number = 0;
    const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), number);
    const bool numeric = numbers && error == std::errc{} && end == name.data() + name.size();
    if (numeric && names->has(number)) return number;
    return names->find(name);
}

Result<std::vector<IpPrefix>> prefixes(int route_socket, const api::Target* known) {
    std::vector<IpPrefix> found;
    if (route_socket >= 0) {
        const auto addresses = kernel::dump_addresses(route_socket);
        if (!addresses) return addresses.error();
        std::ranges::transform(addresses->rows, std::back_inserter(found), &kernel::Address::prefix);
        return found;
    }
    for (const auto& network : known != nullptr ? known->networks : std::vector<api::Membership>{}) {
        found.insert(found.end(), network.addresses.begin(), network.addresses.end());
    }
    return found;
}

Result<Destination> target_address(const ReachRequest& request, const api::Context& context,
                                   const DestinationSources& sources) {
    if (!context.peer) {
        return Error{errc::no_such_target,
                     "no target is called " + quoted(request.to),
                     "netlab ls shows all targets",
                     {}};
    }
    const auto& peer = *context.peer;
    if (!is_running(peer)) {
        return Error{
            errc::target_not_running, "'" + peer.name + "' does not run, so it has no address", {}, {}};
    }
    if (peer.runtime == api::Runtime::pid && sources.peer_route_socket < 0 && !sources.same_namespace) {
        return Error{
            errc::no_such_target,
            "there is no process with the PID " + peer.id + ", or its network namespace cannot be entered",
            {},
            {}};
    }
    PeerFacts facts;
    facts.same_namespace = sources.same_namespace;
    facts.family = request.family;
    auto own = prefixes(sources.route_socket, nullptr);
    if (!own) return own.error();
    auto theirs = prefixes(sources.peer_route_socket, &peer);
    if (!theirs) return theirs.error();
    facts.from = std::move(*own);
    facts.peer = std::move(*theirs);
    const auto routes = kernel::default_routes(sources.route_socket);
    if (!routes) return routes.error();
    for (const auto& route : *routes)
        facts.gateways.push_back(route.gateway);

    const auto choice = choose_peer_address(facts);
    if (!choice) {
        const std::string kind = !request.family ? "" : request.family == Family::ipv4 ? "IPv4 " : "IPv6 ";
        return Error{errc::no_address,
                     "'" + peer.name + "' has no " + kind + "address that could be reached",
                     peer.warning.value_or(""),
                     {}};
    }
    Destination destination;
    destination.to.address = choice->address;
    destination.resolved_by = "target";
    destination.peer_address = true;
    destination.explanation = explain_choice(context, *choice);
    return destination;
}

bool is_address_of(const api::Target& target, const IpAddress& address) {
    return std::ranges::any_of(target.networks, [&](const api::Membership& network) {
        return std::ranges::find(network.addresses, address, &IpPrefix::address) != network.addresses.end();
    });
}

/// A link-local address is one on some link: which, the zone or the interface says.
Result<std::uint32_t> scope_of(const IpAddress& address, const std::string& zone, std::uint32_t interface,
                               const DestinationSources& sources) {
    if (!zone.empty()) {
        auto index = interface_index(sources.route_socket, zone, true);
        if (index && interface != 0 && *index != interface)
            return bad("the address' zone is another interface");
        return index;
    }
    if (!address.is_v6() || !address.is_link_local()) return 0U;
    if (interface != 0) return interface;
    const auto links = kernel::dump_links(sources.route_socket);
    std::vector<std::string> examples;
    for (const auto& link : links ? links->rows : std::vector<kernel::Link>{}) {
        if (link.name != "lo") examples.push_back(address.to_string() + "%" + link.name);
    }
    return bad(address.to_string() + " is link-local: on which interface?", join_or(examples));
}

bool is_broadcast_here(const IpAddress& address, int route_socket) {
    const auto own = prefixes(route_socket, nullptr);
    return own &&
           std::ranges::any_of(*own, [&](const IpPrefix& prefix) { return prefix.is_broadcast(address); });
}

Result<void> check_route(Destination& destination, const api::Context& context,
                         const DestinationSources& sources) {
    if (auto unicast = check_unicast(destination.to.address, context); !unicast) return unicast;
    const auto probe = probe_route(destination.to, destination.interface_index);
    // EACCES is what a `prohibit` route says as well (fib_props in net/ipv4/fib_semantics.c): then it is an
    // answer.
    if (probe.error_number == EACCES && is_broadcast_here(destination.to.address, sources.route_socket)) {
        return bad(destination.to.address.to_string() + " is a broadcast address", single_hosts);
    }
    destination.source = probe.source;
    return {};
}

Result<Destination> numeric_address(const ReachRequest& request, std::string& zone) {
    auto numeric = *parse_numeric_host(request.to);
    if (request.family && numeric.address.family() != *request.family) {
        return bad(request.to + " is no " + (request.family == Family::ipv4 ? "IPv4" : "IPv6") + " address");
    }
    zone = std::move(numeric.zone);
    Destination destination;
    destination.to.address = numeric.address;
    destination.resolved_by = "numeric";
    return destination;
}

/// What is left to find out once there is an address: whose it is, its scope, whether it may be probed.
Result<void> complete(Destination& destination, const std::string& zone, const api::Context& context,
                      const DestinationSources& sources) {
    const auto& address = destination.to.address;
    if (context.peer && is_address_of(*context.peer, address)) destination.peer_address = true;
    auto scope = scope_of(address, zone, destination.interface_index, sources);
    if (!scope) return scope.error();
    destination.to.scope_id = *scope;
    return check_route(destination, context, sources);
}

}  // namespace

DestinationWay destination_way(const ReachRequest& request, const api::Context& context) {
    if (context.peer_match == PeerMatch::host || context.peer_match == PeerMatch::explicit_)
        return DestinationWay::target;
    if (parse_numeric_host(request.to)) return DestinationWay::numeric;
    return request.address ? DestinationWay::target : DestinationWay::name;
}

std::string explain_choice(const api::Context& context, const PeerChoice& choice) {
    const auto peer = context.peer ? context.peer->name : std::string("it");
    const auto from = context.targets.empty() ? std::string("it") : context.targets.front().name;
    const auto address = choice.address.to_string();
    switch (choice.way) {
        case PeerWay::loopback:
            return from + " and " + peer + " live in one network namespace, where " + address + " is either";
        case PeerWay::shared_subnet: {
            const auto network =
                context.targets.empty() ? std::string{} : on_network(context.targets.front(), choice.address);
            return address + " is the address of " + peer +
                   (network.empty() ? " on " + choice.subnet->to_string() : network) + ", where " + from +
                   " is too";
        }
        case PeerWay::gateway:
            return address + " is the address of " + peer + " that is the default gateway of " + from;
        case PeerWay::first_global:
            return address + " is an address of " + peer + " on a network that " + from + " is not on";
    }
    return {};
}

Result<void> check_unicast(const IpAddress& address, const api::Context& context) {
    const auto text = address.to_string();
    if (address.is_multicast()) return bad(text + " is a multicast address", single_hosts);
    bool broadcast = text == "255.255.255.255";
    for (const auto& target : context.targets) {
        for (const auto& network : target.networks) {
            broadcast = broadcast || std::ranges::any_of(network.addresses, [&](const IpPrefix& prefix) {
                            return prefix.is_broadcast(address);
                        });
        }
    }
    if (broadcast) return bad(text + " is a broadcast address", single_hosts);
    return {};
}

Result<std::variant<Destination, Resolution>> choose_destination(const ReachRequest& request,
                                                                 const api::Context& context,
                                                                 const DestinationSources& sources,
                                                                 const TargetWatch& watch, Output& output) {
    std::uint32_t interface = 0;
    if (!request.interface.empty()) {
        auto index = interface_index(sources.route_socket, request.interface, false);
        if (!index) return index.error();
        interface = *index;
    }
    std::string zone;
    Result<Destination> chosen = Destination{};
    const auto way = destination_way(request, context);
    if (way == DestinationWay::target) {
        chosen = target_address(request, context, sources);
    } else if (way == DestinationWay::numeric) {
        chosen = numeric_address(request, zone);
    } else {
        auto resolution =
            sources.resolver->resolve(request.to, request.family, watch, output, sources.patience);
        if (!resolution) return resolution.error();
        if (resolution->outcome != NameOutcome::resolved) return std::move(*resolution);
        chosen->to.address = in_order_of_preference(resolution->addresses, interface).front();
        chosen->resolved_by = resolution->resolved_by;
        for (const auto& asked : resolution->asked) {
            if (asked.outcome == NameOutcome::timed_out && asked.server != resolution->resolved_by)
                chosen->silent_servers.push_back(asked.server);
        }
    }
    if (!chosen) return chosen.error();
    chosen->interface_index = interface;
    if (auto completed = complete(*chosen, zone, context, sources); !completed) return completed.error();
    return std::move(*chosen);
}

}  // namespace netlab::operations
