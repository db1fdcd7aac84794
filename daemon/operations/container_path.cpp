#include "daemon/operations/container_path.hpp"

#include "daemon/kernel/interface_settings.hpp"
#include "daemon/kernel/route_query.hpp"
#include "daemon/operations/host_command.hpp"
#include "daemon/operations/route_refusal.hpp"
#include "daemon/operations/wrong_neighbour.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include <linux/rtnetlink.h>
#include <net/if.h>

namespace netlab::operations {

namespace {

/// The gateway of the network that its engine gave the target that address on, and how long its prefix is.
struct NetworkGateway {
    std::string network;
    IpAddress address;
    unsigned length;
};
std::optional<NetworkGateway> gateway_of(const api::Target& target, const IpAddress& address) {
    for (const auto& network : target.networks) {
        const auto& gateway = address.is_v4() ? network.gateway : network.gateway_v6;
        const auto home = std::ranges::find(network.addresses, address, &IpPrefix::address);
        if (gateway && home != network.addresses.end())
            return NetworkGateway{network.name, *gateway, home->length()};
    }
    return std::nullopt;
}

}  // namespace

std::optional<Explanation> ContainerPath::broken(const IpAddress& address) const {
    // A port range has thousands of rows.
    const auto known = broken_.find(address);
    if (known != broken_.end()) return known->second;
    auto found = broken_link(address);
    if (!found) found = broken_route(address);
    if (!found) found = wrong_entry(address);
    return broken_.emplace(address, std::move(found)).first->second;
}

RouteBack ContainerPath::back(const kernel::PacketFacts& answer) const {
    const auto& socket = known_.socket(place_);
    if (!asks_for_ports_ && socket) {
        const auto rules = kernel::dump_rules(socket->get());
        asks_for_ports_ = rules && std::ranges::any_of(rules->rows, [](const kernel::Rule& rule) {
                              return rule.source_ports || rule.destination_ports || rule.ip_protocol != 0;
                          });
    }
    // A port range has thousands of rows.
    const std::uint16_t port = asks_for_ports_.value_or(false) ? answer.source_port : 0;
    const std::tuple key(answer.source, answer.destination, port);
    const auto known = back_.find(key);
    if (known != back_.end()) return known->second;
    return back_.emplace(key, find_back(answer)).first->second;
}

/// From the container's interface by its other end to the host's bridge.
std::optional<Explanation> ContainerPath::broken_link(const IpAddress& address) const {
    const auto& own = topology_[place_].addresses;
    const auto home = std::ranges::find_if(
        own, [&](const kernel::Address& one) { return one.prefix.address() == address; });
    if (home == own.end()) return std::nullopt;
    const Port inside{place_, home->index};
    const auto name = topology_.name(inside);
    if (!is_up(topology_[place_], inside.index))
        return Explanation{name + " of " + target_.name + " is down", command_in(target_, up_command(name))};
    const auto outside = topology_.peer(inside);
    if (!outside || outside->place != host_.place()) return std::nullopt;
    const auto end = topology_.name(*outside);
    const auto what = end + ", the host's end of " + name + " of " + target_.name + ", ";
    if (!is_up(topology_[outside->place], outside->index))
        return Explanation{what + "is down", up_command(end)};
    const auto output = host_.way(address).output;
    const auto bridge = std::ranges::find(topology_[host_.place()].links, output, &kernel::Link::name);
    const bool by_bridge = bridge != topology_[host_.place()].links.end() && bridge->kind == "bridge";
    const auto master = topology_.master(*outside);
    if (!by_bridge || (master && master->index == bridge->index)) return std::nullopt;
    // On another bridge: either it is the route that leads astray, or this one has the subnet.
    const bool its_bridge = has_gateway(bridge->index, address);
    if (master && !its_bridge) return std::nullopt;
    const bool plain = its_bridge && is_plain_word(end) && is_plain_word(output);
    return Explanation{what + "is no port of " + output,
                       plain ? "ip link set " + end + " master " + output : std::string()};
}

/// The host's route, where it does not lead to the bridge that the container hangs on.
std::optional<Explanation> ContainerPath::broken_route(const IpAddress& address) const {
    const auto bridge = routes_.bridge_of(address, owner());
    const auto way = host_.way(address);
    if (!bridge || (!way.local && way.output == topology_.name(*bridge))) return std::nullopt;
    const auto& host = topology_[host_.place()].target;
    if (way.local)
        return Explanation{host + " itself has " + address.to_string() + ", the address of " + target_.name,
                           "netlab addrs host  # shows where"};
    if (auto stray = routes_.stray(address, owner()); stray && !way.output.empty()) {
        stray->owner = target_.name;
        return explain_stray(*stray);
    }
    if (const auto refusing = routes_.refusing(host_.place(), address))
        return Explanation{
            host + " has the route " + refusing->entry + ", which says that nothing goes there",
            ip_command(address) + "route del " + refusing->entry};
    // A VLAN of the bridge may have the subnet.
    const auto& links = topology_[host_.place()].links;
    const auto output = std::ranges::find(links, way.output, &kernel::Link::name);
    if (!way.owners.empty() || (output != links.end() && output->kind == "vlan")) return std::nullopt;
    if (auto lost = lost_subnet(address, *bridge)) return lost;
    if (way.output.empty())
        return Explanation{host + " has no way to " + address.to_string() +
                               (way.error == 0 ? "" : std::string(": ") + std::strerror(way.error)),
                           "netlab route host " + address.to_string()};
    return Explanation{host + " sends what is for " + address.to_string() + " by " + way.output + ", and " +
                           target_.name + " is behind " + topology_.name(*bridge),
                       "netlab route host " + address.to_string()};
}

/// The host's interface has the gateway's address of the network that the container has that address on.
bool ContainerPath::has_gateway(std::uint32_t index, const IpAddress& address) const {
    const auto gateway = gateway_of(target_, address);
    return gateway && topology_[host_.place()].has_address(index, gateway->address);
}

/// The bridge had the gateway's address, and its subnet's route with it.
std::optional<Explanation> ContainerPath::lost_subnet(const IpAddress& address, Port bridge) const {
    const auto gateway = gateway_of(target_, address);
    if (!gateway || topology_[bridge.place].has_subnet(bridge.index, address)) return std::nullopt;
    const auto name = topology_.name(bridge);
    const auto own = gateway->address.to_string();
    return Explanation{name + ", the host's bridge of " + gateway->network + ", has lost its address " + own +
                           ": the host has no route to " + target_.name + " by it",
                       is_plain_word(name)
                           ? "ip addr add " + own + "/" + std::to_string(gateway->length) + " dev " + name
                           : std::string()};
}

/// Of the host for the container. One that the kernel finds out of by itself is no lasting hindrance.
std::optional<Explanation> ContainerPath::wrong_entry(const IpAddress& address) const {
    const auto& links = topology_[host_.place()].links;
    const auto output = std::ranges::find(links, host_.way(address).output, &kernel::Link::name);
    if (output == links.end()) return std::nullopt;
    const auto wrong =
        find_wrong_neighbour(topology_, host_.route_socket(), {host_.place(), output->index}, address);
    if (!wrong || !wrong->permanent) return std::nullopt;
    return explain_wrong_neighbour(*wrong, target_at(context_, host_.place()));
}

RouteBack ContainerPath::find_back(const kernel::PacketFacts& answer) const {
    const auto& address = answer.source;
    const auto& client = answer.destination;
    RouteBack back{RouteBack::Kind::there};
    const auto& socket = known_.socket(place_);
    // Not to be asked is not to have none.
    if (!socket) return back;
    kernel::RouteQuery query{client, address};
    query.protocol = answer.protocol;
    query.source_port = answer.source_port;
    query.destination_port = answer.destination_port;
    auto reply = kernel::query_route(socket->get(), query);
    // An address that it has lost has no routes: that is EINVAL, and so is a blackhole.
    const bool has_lost = !topology_[place_].has_address(address);
    if (reply && reply->error == EINVAL && has_lost)
        reply = kernel::query_route(socket->get(), {client, {}, 0, 0, 0, false});
    if (!reply) return back;
    const auto dump = kernel::dump_routes(socket->get(), RT_TABLE_MAIN);
    const auto routes = dump ? dump->rows : std::vector<kernel::Route>();
    for (const auto& route : routes) {
        if (route.family == (client.is_v4() ? AF_INET : AF_INET6) && refuses(route))
            back.refusing.push_back(refusing_text(route));
    }
    if (reply->error == 0 && reply->route && reply->route->kind == RTN_UNICAST) {
        lead_back(*reply->route, address, client, back);
        return back;
    }
    const auto refusing = routes_.refusing(place_, client);
    // ENETUNREACH is a policy rule's word, too.
    const bool covered = std::ranges::any_of(routes, [&](const kernel::Route& route) {
        return !refuses(route) && route.destination.contains(client);
    });
    const bool says_so = reply->error != 0 && (reply->error != ENETUNREACH || covered);
    if (says_so) {
        back.kind = RouteBack::Kind::refused;
        back.why = refusing
                       ? Explanation{"by its route " + refusing->entry,
                                     command_in(target_, ip_command(client) + "route del " + refusing->entry)}
                       : explain_policy(query, reply->error);
        return back;
    }
    const bool others = !dump || std::ranges::any_of(routes, [&](const kernel::Route& route) {
        return route.hop.gateway && route.hop.gateway->family() == client.family();
    });
    back.kind = others ? RouteBack::Kind::some : RouteBack::Kind::none;
    return back;
}

/// What of its policy rules and their tables is why the container does not send it.
Explanation ContainerPath::explain_policy(const kernel::RouteQuery& query, int error) const {
    const int socket = known_.socket(place_)->get();
    const std::string said = std::strerror(error);
    const auto rules = kernel::dump_rules(socket);
    const auto routes = kernel::dump_routes(socket, 0);
    const auto rule =
        rules && routes ? find_policy_rule(rules->rows, routes->rows, query, "", error) : Explanation();
    if (rule.explanation.empty()) return {said, "netlab rules " + target_.name};
    return {said + ", by its policy rule " + rule.explanation, command_in(target_, rule.suggestion)};
}

/// By which interface and gateway, whose MAC address it has, and whether that is the host.
void ContainerPath::lead_back(const kernel::Route& route, const IpAddress& address, const IpAddress& client,
                              RouteBack& back) const {
    const Port output{place_, route.hop.index};
    back.interface = topology_.name(output);
    back.gateway = route.hop.gateway;
    const auto other = topology_.peer(output);
    const auto own = host_.addresses();
    back.by_host = other && other->place == host_.place() &&
                   (!back.gateway || std::ranges::find(own, *back.gateway) != own.end());
    const auto wrong =
        find_wrong_neighbour(topology_, known_.socket(place_)->get(), output, back.gateway.value_or(client));
    if (wrong && wrong->permanent) back.why = explain_wrong_neighbour(*wrong, target_);
    if (!back.why && !back.gateway) ask_on_link(address, client, output, back);
}

/// A route without a gateway takes whoever it is for to be on the link, and asks for him there.
void ContainerPath::ask_on_link(const IpAddress& address, const IpAddress& client, Port output,
                                RouteBack& back) const {
    const auto& own = topology_[place_];
    const auto link = std::ranges::find(own.links, output.index, &kernel::Link::index);
    const bool asks = link != own.links.end() && (link->flags & (IFF_NOARP | IFF_POINTOPOINT)) == 0;
    if (!asks || own.has_subnet(output.index, client) || !topology_.owners(client).empty()) return;
    const auto route = routes_.decisive(place_, client, address);
    if (!route || route->gateway) return;
    switch (somebody_answers(output, client.family())) {
        case Answers::yes:
            return;
        case Answers::unknown:
            back.by_host = false;
            return;
        case Answers::no:
            break;
    }
    const auto gateway = gateway_of(target_, address);
    const auto name = topology_.name(output);
    const bool its = own.has_address(output.index, address);
    const bool plain = gateway && its && route->is_default && route->in_main && is_plain_word(name);
    back.why = Explanation{target_.name + " asks for " + client.to_string() + " itself on the link of " +
                               name + ", as its route " + route->entry +
                               " has no gateway, and nobody there answers for the outside",
                           plain ? command_in(target_, ip_command(client) + "route replace default via " +
                                                           gateway->address.to_string() + " dev " + name)
                                 : "netlab routes " + target_.name};
}

/// Whether somebody on the container's link answers for addresses of others: the host's interface there, or
/// who else hangs on its bridge.
ContainerPath::Answers ContainerPath::somebody_answers(Port output, Family family) const {
    const auto other = topology_.peer(output);
    if (!other || other->place != host_.place()) return Answers::unknown;
    bool all_known = true;
    const auto proxies = [&](Port port) {
        const auto& socket = known_.socket(port.place);
        const auto settings = socket ? kernel::query_settings(socket->get(), family, port.index)
                                     : Result<kernel::InterfaceSettings>(kernel::InterfaceSettings());
        const auto said = settings ? settings->proxies : std::nullopt;
        all_known = all_known && said;
        return said.value_or(false);
    };
    const auto bridge = topology_.master(*other).value_or(*other);
    if (proxies(bridge)) return Answers::yes;
    for (const auto& link : topology_[host_.place()].links) {
        const Port port{host_.place(), link.index};
        // A VLAN or macvlan of the bridge has neighbours of its own.
        if (link.peer == bridge.index && !link.peer_nsid && link.kind != "veth") all_known = false;
        if (port.index == bridge.index || topology_.master(port) != std::optional(bridge)) continue;
        const auto member = topology_.peer(port);
        if (!member) {
            all_known = false;
        } else if (*member != output && proxies(*member)) {
            return Answers::yes;
        }
    }
    return all_known ? Answers::no : Answers::unknown;
}

}  // namespace netlab::operations
