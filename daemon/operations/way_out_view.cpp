#include "daemon/operations/way_out_view.hpp"

#include "daemon/operations/neighbour_stop.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <vector>

#include <linux/if_addr.h>
#include <linux/rtnetlink.h>

namespace netlab::operations {

namespace {

bool is_on_link(const kernel::Address& own, const IpAddress& address) {
    const auto network = IpPrefix::make(own.peer.value_or(own.prefix.address()), own.prefix.length());
    return network && network->contains(address);
}

}  // namespace

std::optional<IpAddress> masquerade_address(const NamespaceFacts& host, std::uint32_t index,
                                            const IpAddress& next_hop) {
    // IFA_F_SECONDARY is another's bit with IPv6: IFA_F_TEMPORARY.
    const std::uint32_t not_chosen = next_hop.is_v4() ? IFA_F_SECONDARY : IFA_F_TENTATIVE | IFA_F_DEPRECATED;
    std::vector<const kernel::Address*> own;
    for (const auto& one : host.addresses) {
        const bool its = one.index == index && one.prefix.address().family() == next_hop.family();
        if (its && one.scope == RT_SCOPE_UNIVERSE && (one.flags & not_chosen) == 0) own.push_back(&one);
    }
    if (own.empty() || (!next_hop.is_v4() && own.size() > 1)) return std::nullopt;
    const auto near = std::ranges::find_if(own, [&](const auto* one) { return is_on_link(*one, next_hop); });
    return (near != own.end() ? *near : own.front())->prefix.address();
}

WayOutView::WayOutView(const KnownNamespaces& known, const Topology& topology, const HostView& host,
                       const RuleSet& rules, const std::map<std::size_t, RuleSet>& own_rules)
    : topology_(topology), host_(host), rules_(rules) {
    ClientNetworks named;
    const auto name = [&](const RuleSet& set) {
        for (const auto* family : {&set.v4, &set.v6}) {
            named.add(family->chains);
            named.add(family->frames);
        }
    };
    name(rules);
    for (const auto& [place, set] : own_rules)
        name(set);
    host.name_networks(named);
    // What containers' own routes name is asked for, too.
    for (std::size_t place = 0; place < known.size(); ++place) {
        if (const auto& socket = known.socket(place)) name_routed_networks(socket->get(), named);
    }
    anybody_v4_ = named.anybody(Family::ipv4);
    anybody_v6_ = named.anybody(Family::ipv6);
    outside_v4_ = host.outside(anybody_v4_);
    outside_v6_ = host.outside(anybody_v6_);
}

const IpAddress& WayOutView::anybody(Family family) const {
    return family == Family::ipv4 ? anybody_v4_ : anybody_v6_;
}

const HostOutside& WayOutView::outside(Family family) const {
    return family == Family::ipv4 ? outside_v4_ : outside_v6_;
}

std::optional<WayOutView::Entry> WayOutView::entry_of(Port port) const {
    const auto other = topology_.peer(port);
    if (!other || other->place != host_.place()) return std::nullopt;
    const auto master = topology_.master(*other);
    return master ? Entry{*master, topology_.name(*other)} : Entry{*other};
}

WayOut WayOutView::way(const IpPrefix& source, const Entry& entry) const {
    const auto family = source.address().family();
    const auto& bridge = entry.bridge;
    WayOut way{source.address(), anybody(family), host_.names()[bridge.index], {}};
    const auto* in_link = topology_.link(bridge);
    way.bridged = in_link != nullptr && in_link->kind == "bridge";
    way.port = entry.port;
    way.network = source;
    const auto in = host_.forwarding(family, bridge.index);
    way.forwards = in.forwards;
    way.forwarding = in.setting;
    way.down = !is_up(topology_[bridge.place], bridge.index);
    const auto& out = outside(family);
    way.host_address = out.address;
    // Where the host's own packets leave; by another table for these where there are policy rules.
    const auto route = host_.route(packet_out(way));
    if (route.known && route.error == 0 && !route.local) way.output = route.output;
    way.by_mark = route.by_mark;
    way.hop = route.hop;
    const auto index = host_.names().find(way.output);
    if (way.output != out.interface) {
        way.host_address = index ? masquerade_address(topology_[host_.place()], *index,
                                                      route.gateway.value_or(way.destination))
                                 : std::nullopt;
    }
    if (index) {
        const auto back = host_.forwarding(family, *index);
        way.forwards_answers = back.forwards;
        way.answers_forwarding = back.setting;
        way.undiscovered = undiscovered_hop({host_.place(), *index}, route, way);
        way.back = host_.route(answer_back(way));
    }
    refuse(route, way);
    return way;
}

void WayOutView::refuse(const HostRoute& route, WayOut& way) {
    if (route.error == EXDEV)
        way.refused = Explanation{"rp_filter of " + way.bridge + " refuses what comes from " +
                                      way.source.to_string() + ": the host would answer by another interface",
                                  "netlab routes host"};
    if (route.error != 0 && !route.rule.explanation.empty())
        way.refused = Explanation{std::string("the host does not send it on: ") + std::strerror(route.error) +
                                      ", by its policy rule " + route.rule.explanation,
                                  route.rule.suggestion};
}

std::optional<Hindrance> WayOutView::undiscovered_hop(Port output, const HostRoute& route,
                                                      const WayOut& way) const {
    if (!route.gateway || is_set_by_hand(host_.route_socket(), output.index, *route.gateway))
        return std::nullopt;
    const auto& rules = rules_.of(way.source.family());
    const auto stop =
        find_neighbour_stop(rules, topology_, host_.place(), output, *route.gateway, way.host_address);
    if (!stop) return std::nullopt;
    const auto& host = topology_[host_.place()].target;
    const auto hop = route.gateway->to_string() + ", its next hop to the outside,";
    auto why = explain_neighbour_stop(*stop);
    why.explanation = (stop->certain ? host + " asks for " + hop + " in vain"
                                     : "whether " + host + " is answered for " + hop + " is not known") +
                      why.explanation + (stop->certain ? "; what it knows already is good for a while" : "");
    return Hindrance{std::move(why), stop->certain};
}

}  // namespace netlab::operations
