#include "daemon/operations/route_destination.hpp"

#include "common/text.hpp"
#include "daemon/kernel/route.hpp"
#include "daemon/operations/interface_names.hpp"
#include "daemon/operations/numeric_host.hpp"
#include "daemon/operations/peer_address.hpp"

#include <charconv>

namespace netlab::operations {

namespace {

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
Result<RouteDestination> peer_destination(const api::RouteRequest& request, const api::Context& context,
                                          const KnownNamespaces& known, const Topology& topology) {
    const auto& name = context.peer->name;
    if (!context.peer_namespace)
        return Error{errc::target_not_running, "'" + name + "' does not run, so it has no address", {}, {}};
    const std::size_t peer = context.targets.size();
    if (!known.socket(peer)) return known.socket(peer).error();
    const std::size_t place = known.home(peer);
    if (topology[place].links.empty())
        return Error{
            errc::operation_failed, "the interfaces of '" + name + "' could not be read", "ask again", {}};
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
            errc::no_address, "'" + name + "' has no " + family + "address that could be routed to", {}, {}};
    return RouteDestination{choice->address, 0, name, place, way_text(*choice)};
}

/// A zone is an interface's name or its number.
Result<std::uint32_t> zone_index(const std::string& zone, const InterfaceNames& names) {
    std::uint32_t number = 0;
    const auto* end = zone.data() + zone.size();
    const auto [stop, error] = std::from_chars(zone.data(), end, number);
    if (error == std::errc{} && stop == end && names.has(number)) return number;
    return names.find(zone);
}

Error no_zone(const IpAddress& address, const Topology& topology) {
    std::vector<std::string> examples;
    constexpr std::size_t most = 4;
    for (const auto& link : topology[0].links) {
        if (link.name != "lo" && examples.size() < most)
            examples.push_back(address.to_string() + "%" + link.name);
    }
    return {errc::bad_request,
            address.to_string() + " is link-local: on which interface?",
            join_or(examples),
            {}};
}

Result<RouteDestination> numeric_destination(const api::RouteRequest& request, const NumericHost& host,
                                             const Topology& topology) {
    RouteDestination out{host.address, 0, std::nullopt, std::nullopt, {}};
    if (!host.zone.empty()) {
        const auto index = zone_index(host.zone, InterfaceNames(topology[0].links));
        if (!index) return index.error();
        out.output = *index;
    } else if (host.address.is_v6() && host.address.is_link_local() && request.iif.empty()) {
        return no_zone(host.address, topology);
    }
    if (request.from && request.from->family() != host.address.family())
        return api::different_families(*request.from, host.address);
    return out;
}

}  // namespace

bool is_address_word(const std::string& word) {
    return static_cast<bool>(IpAddress::parse(std::string_view(word).substr(0, word.find('%'))));
}

Result<RouteDestination> route_destination(const api::RouteRequest& request, const api::Context& context,
                                           const KnownNamespaces& known, const Topology& topology) {
    if (is_address_word(request.destination)) {
        if (const auto host = parse_numeric_host(request.destination))
            return numeric_destination(request, *host, topology);
        return Error{errc::bad_request,
                     quoted(request.destination) + " is no address with a zone",
                     "a zone is an interface behind an IPv6 address: fe80::1%eth0",
                     {}};
    }
    if (context.peer) return peer_destination(request, context, known, topology);
    const auto hint = context.similar.empty() ? "`netlab ping` resolves names as the target would; here an "
                                                "address or a target is needed"
                                              : "did you mean " + join_or(context.similar) + "?";
    return Error{errc::no_such_target, quoted(request.destination) + " is neither an address nor a target",
                 hint, context.similar};
}

}  // namespace netlab::operations
