#include "daemon/operations/host_view.hpp"

#include "daemon/kernel/interface_settings.hpp"
#include "daemon/kernel/route_query.hpp"
#include "daemon/operations/address_ranges.hpp"
#include "daemon/operations/decisive_route.hpp"
#include "daemon/operations/policy_rules.hpp"
#include "daemon/operations/reverse_path.hpp"
#include "daemon/operations/route_refusal.hpp"
#include "daemon/operations/segment_owners.hpp"

#include <algorithm>
#include <cerrno>

#include <net/if.h>
#include <sys/stat.h>

namespace netlab::operations {

namespace {

bool is_reachable(const IpAddress& address) {
    return !address.is_loopback() && !address.is_link_local() && !address.is_multicast();
}

/// Something that leads out of the machine.
bool is_uplink(const kernel::Link& link) {
    return (link.flags & IFF_UP) != 0 && (link.flags & IFF_LOOPBACK) == 0 && link.kind != "bridge";
}

}  // namespace

std::optional<std::size_t> find_host(Namespaces& namespaces) {
    struct stat own {};
    if (::stat("/proc/thread-self/ns/net", &own) != 0) return std::nullopt;
    for (std::size_t i = 0; i < namespaces.size(); ++i) {
        const auto& one = namespaces[i];
        if (one.net && one.device == own.st_dev && one.inode == own.st_ino) return i;
    }
    return std::nullopt;
}

Error host_not_known() {
    return {errc::operation_failed,
            "the host's network namespace is not among those that this request can open",
            "name fewer targets",
            {}};
}

HostView::HostView(const KnownNamespaces& known, const ReadTopology& read, std::size_t place, bool truncated)
    : topology_(read.topology),
      whole_(read.consistent && !truncated),
      place_(known.home(place)),
      socket_(known.socket(place)->get()),
      names_(topology_[place_].links) {
    if (auto rules = kernel::dump_rules(socket_)) policy_rules_ = std::move(rules->rows);
}

/// The interface that would lead there if it were up.
std::string HostView::down_interface(const IpAddress& to) const {
    const auto& facts = topology_[place_];
    for (const auto& one : facts.addresses) {
        if (!one.prefix.contains(to) || one.prefix.address() == to) continue;
        if (!is_up(facts, one.index)) return names_[one.index];
    }
    return {};
}

std::optional<IpAddress> HostView::own_address(const IpAddress& to) const {
    for (const auto& one : topology_[place_].addresses) {
        if (one.prefix.contains(to)) return one.prefix.address();
    }
    return std::nullopt;
}

HostWay HostView::way(const IpAddress& to) const {
    HostWay way;
    way.own = own_address(to);
    const auto reply = kernel::query_route(socket_, {to, {}, 0, 0, 0, false});
    if (!reply || reply->error != 0 || !reply->route) {
        way.down = down_interface(to);
        way.error = reply ? reply->error : 0;
        return way;
    }
    const auto& route = *reply->route;
    way.local = route.kind == RTN_LOCAL;
    way.output = names_[route.hop.index];
    if (route.hop.gateway) way.down = down_interface(to);
    if (way.local || route.hop.gateway || route.hop.index == 0) return way;
    for (const auto& port : owners_on_segment(topology_, {place_, route.hop.index}, to)) {
        way.owners.push_back(topology_[port.place].target);
        const auto end = topology_.peer(port);
        const bool on_bridge = end && end->place == place_ && topology_.master(*end);
        if (on_bridge && way.port.empty()) way.port = topology_.name(*end);
    }
    way.all_known = whole_;
    const auto here = forwarding(to.family(), route.hop.index);
    way.forwards = here.forwards;
    way.forwarding = here.setting;
    return way;
}

HostRoute HostView::route(const kernel::PacketFacts& packet) const {
    kernel::RouteQuery query;
    query.destination = packet.destination;
    query.from = packet.source;
    query.protocol = packet.protocol;
    query.source_port = packet.source_port;
    query.destination_port = packet.destination_port;
    if (packet.input && !packet.input->empty()) {
        if (const auto index = names_.find(*packet.input)) query.input = *index;
    }
    HostRoute out;
    out.by_mark = find_rule_by_mark(policy_rules_, query, packet.input);
    const auto reply = kernel::query_route(socket_, query);
    if (!reply) return out;
    out.known = true;
    out.error = reply->error;
    if (out.error == 0 && reply->route) {
        out.local = reply->route->kind == RTN_LOCAL;
        out.output = names_[reply->route->hop.index];
        out.gateway = reply->route->hop.gateway;
    }
    out.rule = policy_rule(query, packet.input.value_or(""), out.error);
    if (out.error == 0 && reply->route && !out.local)
        out.hop = next_hop(reply->route->hop, out.rule.explanation);
    // A route or rule that refuses comes before the filter.
    if (out.error == EINVAL && out.rule.explanation.empty() && is_filtered(query)) out.error = EXDEV;
    return out;
}

std::optional<Hindrance> HostView::next_hop(const kernel::NextHop& hop, const std::string& rule) const {
    if (!hop.gateway || hop.index == 0) return std::nullopt;
    const std::pair key(hop.index, *hop.gateway);
    auto known = hops_.find(key);
    if (known == hops_.end()) {
        api::Target host;
        host.runtime = api::Runtime::host;
        host.name = topology_[place_].target;
        known =
            hops_.emplace(key, look_at_next_hop(topology_, socket_, {place_, hop.index}, *hop.gateway, host))
                .first;
    }
    return judge_next_hop(known->second, rule);
}

Explanation HostView::policy_rule(const kernel::RouteQuery& query, const std::string& input,
                                  int error) const {
    // A port range has thousands of packets, and without rules of one's own there is nothing to tell.
    if (error == EXDEV || (error == 0 && std::ranges::all_of(policy_rules_, is_default_rule))) return {};
    if (!routes_) {
        auto dump = kernel::dump_routes(socket_, 0);
        if (!dump) return {};
        routes_ = std::move(dump->rows);
    }
    // Nor is a router's whole table gone through for each of them.
    constexpr std::size_t most = 10'000;
    if (routes_->size() > most) return {};
    auto rule = find_policy_rule(policy_rules_, *routes_, query, input, error);
    if (!rule.explanation.empty() && rule.suggestion.empty()) rule.suggestion = "netlab rules host";
    return rule;
}

bool HostView::is_filtered(const kernel::RouteQuery& query) const {
    return query.input != 0 && query.from &&
           is_path_filtered(query, kernel::query_settings(socket_, query.destination.family(), query.input),
                            kernel::query_route(socket_, way_back(query)));
}

bool HostView::is_outside(const IpAddress& address, const HostOutside& outside) const {
    const auto reply = kernel::query_route(socket_, {address, {}, 0, 0, 0, false});
    if (!reply) return false;
    // Whom the host may not answer is no container of its.
    if (reply->error != 0) return true;
    return reply->route && reply->route->kind == RTN_UNICAST &&
           names_[reply->route->hop.index] == outside.interface;
}

void HostView::name_networks(ClientNetworks& networks) const {
    name_routed_networks(socket_, networks, true);
}

void HostView::name_link(ClientNetworks& networks, Family family, const HostOutside& outside) const {
    for (const auto& one : topology_[place_].addresses) {
        const auto& address = one.prefix.address();
        if (address.family() == family && is_reachable(address) && names_[one.index] == outside.interface)
            networks.add(*IpPrefix::make(first_of(one.prefix), one.prefix.length()), true);
    }
}

void name_routed_networks(int route_socket, ClientNetworks& networks, bool refused_clients) {
    const auto routes = kernel::dump_routes(route_socket, RT_TABLE_MAIN);
    for (const auto& route : routes ? routes->rows : std::vector<kernel::Route>())
        networks.add(route.destination, refused_clients && refuses(route));
    const auto rules = kernel::dump_rules(route_socket);
    for (const auto& rule : rules ? rules->rows : std::vector<kernel::Rule>()) {
        if (rule.from) networks.add(*rule.from, true);
        if (rule.to) networks.add(*rule.to, true);
    }
}

HostOutside HostView::outside(const IpAddress& client) const {
    HostOutside out;
    const auto family = client.family();
    const auto& facts = topology_[place_];
    const auto reply = kernel::query_route(socket_, {client, {}, 0, 0, 0, false});
    std::uint32_t index = 0;
    if (reply && reply->error == 0 && reply->route) index = reply->route->hop.index;
    const auto first_address = [&](std::uint32_t wanted) -> std::optional<IpAddress> {
        for (const auto& one : facts.addresses) {
            const auto& address = one.prefix.address();
            if (one.index == wanted && address.family() == family && is_reachable(address)) return address;
        }
        return std::nullopt;
    };
    for (const auto& link : facts.links) {
        if (index == 0 && is_uplink(link) && first_address(link.index)) index = link.index;
    }
    if (index == 0) return out;
    out.interface = names_[index];
    out.address = first_address(index);
    const auto here = forwarding(family, index);
    out.forwards = here.forwards;
    out.forwarding = here.setting;
    return out;
}

HostView::Forwarding HostView::forwarding(Family family, std::uint32_t index) const {
    const auto settings = kernel::query_settings(socket_, family, index);
    if (!settings) return {};
    return {kernel::forwards(family, *settings), kernel::forwarding_sysctl(family, *settings, names_[index])};
}

std::vector<IpAddress> HostView::addresses() const {
    std::vector<IpAddress> out;
    for (const auto& one : topology_[place_].addresses)
        out.push_back(one.prefix.address());
    return out;
}

bool is_up(const NamespaceFacts& facts, std::uint32_t index) {
    const auto link = std::ranges::find(facts.links, index, &kernel::Link::index);
    return link == facts.links.end() || (link->flags & IFF_UP) != 0;
}

std::vector<ContainerAddress> addresses_of(const NamespaceFacts& facts) {
    const InterfaceNames names(facts.links);
    std::vector<ContainerAddress> out;
    for (const auto& one : facts.addresses) {
        if (is_reachable(one.prefix.address())) out.push_back({one.prefix.address(), names[one.index]});
    }
    return out;
}

}  // namespace netlab::operations
