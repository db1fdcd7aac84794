#include "daemon/operations/why_host.hpp"

#include "daemon/operations/conntrack_staleness.hpp"

#include <algorithm>

#include <netinet/in.h>

namespace netlab::operations {

using api::WhyProtocol;

std::optional<std::size_t> WhyHost::place() const {
    return handles_.host ? std::optional(handles_.host->place) : std::nullopt;
}

void WhyHost::read() {
    if (!handles_.host) return;
    all_rules_ = handles_.host->rules.read(InterfaceNames(topology_[handles_.host->place].links));
    rules_ = all_rules_.of(facts_.flow.remote.family());
}

std::optional<HostPassage> WhyHost::passage() const {
    if (!handles_.host) return std::nullopt;
    return passage_of(
        facts_.way, facts_.host, handles_.host->place,
        facts_.flow.remote.is_v4() ? handles_.host->bridges_filter_v4 : handles_.host->bridges_filter_v6);
}

OwnAddress WhyHost::own_addresses() const {
    return [this](const std::string& interface) { return own_address(interface); };
}

std::optional<IpAddress> WhyHost::own_address(const std::string& interface) const {
    const auto& facts = topology_[handles_.host->place];
    const auto link = std::ranges::find(facts.links, interface, &kernel::Link::name);
    if (link == facts.links.end()) return std::nullopt;
    for (const auto& address : facts.addresses) {
        const auto& own = address.prefix.address();
        if (address.index == link->index && own.family() == facts_.flow.remote.family() &&
            (own.is_v4() || !own.is_link_local()))
            return own;
    }
    return std::nullopt;
}

std::optional<LeavingSource> WhyHost::leaving_source(const HostPassage& passage, const IpAddress& source,
                                                     const api::Endpoint& to) const {
    auto nat = source_nat_by_rules(rules_, passage, facts_.flow, source, to);
    if (!nat) return std::nullopt;
    const bool is_hosts = nat->to && topology_[handles_.host->place].has_address(*nat->to);
    return LeavingSource{std::move(*nat),
                         source_by_rules(rules_, passage, facts_.flow, source, to, own_addresses()),
                         is_hosts};
}

std::optional<IpAddress> WhyHost::answered_address() const {
    if (!destination_.source) return std::nullopt;
    if (facts_.probed) {
        const auto seen = translated_source(facts_.sightings);
        return seen ? seen->address : *destination_.source;
    }
    // Without its interface the kernel has no route to one.
    if (destination_.source->is_link_local()) return std::nullopt;
    // What others do to the packets that they route netlab has not read.
    const auto is_others = [&](const WayPoint& point) {
        return point.hop.kind == "route" && point.place != 0 && point.place != place();
    };
    if (!handles_.host || std::ranges::any_of(facts_.way.points, is_others)) return std::nullopt;
    const auto whole = passage();
    if (!whole) return destination_.source;
    return source_by_rules(rules_, *whole, facts_.flow, *destination_.source, facts_.destination(),
                           own_addresses());
}

std::optional<api::ConntrackStale> WhyHost::stale_entry() {
    std::optional<api::ConntrackStale> out;
    if (!handles_.host || !handles_.host->conntrack || facts_.flow.protocol == WhyProtocol::icmp ||
        !context_.names_complete)
        return out;
    const auto& route_socket = handles_.known.socket(handles_.host->place);
    if (!route_socket) return out;
    const auto around = read_surroundings(route_socket->get());
    if (!around) return out;
    auto surroundings = *around;
    if (facts_.flow.remote.is_v4()) surroundings.chains = rules_.chains;
    const AddressNames names(context_.names);
    const std::uint8_t protocol = facts_.flow.protocol == WhyProtocol::udp ? IPPROTO_UDP : IPPROTO_TCP;
    (void)handles_.host->conntrack->read([&](kernel::ConntrackChange, const kernel::Conntrack& entry) {
        const auto& original = entry.original;
        if (out || original.protocol != protocol || original.destination != facts_.flow.remote ||
            original.destination_port != facts_.flow.remote_port)
            return;
        out = find_stale(entry, surroundings, names);
    });
    return out;
}

}  // namespace netlab::operations
