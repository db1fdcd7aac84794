#include "daemon/operations/conntrack_staleness.hpp"

#include "common/endpoint.hpp"
#include "daemon/kernel/address.hpp"
#include "daemon/kernel/fdb.hpp"
#include "daemon/kernel/link.hpp"
#include "daemon/kernel/neighbour.hpp"
#include "daemon/operations/conntrack_row.hpp"

#include <algorithm>

#include <netinet/in.h>

namespace netlab::operations {

namespace {

using kernel::Conntrack;
using kernel::PacketRule;

bool has(const std::vector<IpAddress>& addresses, const IpAddress& address) {
    return std::ranges::find(addresses, address) != addresses.end();
}

bool same_bridge(const ConntrackSurroundings& around, const IpAddress& one, const IpAddress& other) {
    return std::ranges::any_of(around.bridges, [&](const IpPrefix& bridge) {
        return bridge.contains(one) && bridge.contains(other);
    });
}

std::string where(const IpAddress& address, const std::optional<std::uint16_t>& port) {
    return port ? endpoint_text(address, *port) : address.to_string();
}

/// A connection that is being closed goes by itself, and a new one has another port.
bool is_ending(const Conntrack& entry) {
    if (entry.original.protocol != IPPROTO_TCP) return false;
    const auto state = entry.state_name();
    return state != "SYN_SENT" && state != "SYN_RECV" && state != "ESTABLISHED";
}

std::optional<std::string> sent_to_nobody(const Conntrack& entry, const ConntrackSurroundings& around,
                                          const AddressNames& names) {
    const auto& to = entry.reply.source;
    if (!entry.destination_translated() || is_ending(entry)) return std::nullopt;
    if (names.find(to) != nullptr || has(around.own, to) || has(around.behind_ports, to)) return std::nullopt;
    const bool on_bridge =
        std::ranges::any_of(around.bridges, [&](const IpPrefix& bridge) { return bridge.contains(to); });
    if (!on_bridge) return std::nullopt;
    return "no target has " + to.to_string() + " any more: while packets of this flow come, they go there";
}

template <class T, class Holds>
bool holds(const std::optional<kernel::Condition<T>>& condition, Holds is_so) {
    return !condition || is_so(condition->value) != condition->inverted;
}

/// As far as the rule's conditions are known.
bool may_match(const PacketRule& rule, const kernel::ConntrackTuple& tuple) {
    const auto within = [](const kernel::PortRange& range, const std::optional<std::uint16_t>& port) {
        return port && *port >= range.first && *port <= range.second;
    };
    return holds(rule.source, [&](const IpPrefix& prefix) { return prefix.contains(tuple.source); }) &&
           holds(rule.destination,
                 [&](const IpPrefix& prefix) { return prefix.contains(tuple.destination); }) &&
           holds(rule.protocol, [&](std::uint8_t protocol) { return protocol == tuple.protocol; }) &&
           holds(rule.source_port,
                 [&](const kernel::PortRange& range) { return within(range, tuple.source_port); }) &&
           holds(rule.destination_port,
                 [&](const kernel::PortRange& range) { return within(range, tuple.destination_port); });
}

/// The one DNAT rule that may match; nullptr where there is none, or several that differ.
const PacketRule* rule_for(const std::vector<kernel::RuleChain>& chains,
                           const kernel::ConntrackTuple& tuple) {
    const PacketRule* found = nullptr;
    for (const auto& chain : chains) {
        for (const auto& rule : chain.rules) {
            if (rule.action != kernel::RuleAction::dnat || !rule.to_address) continue;
            // A rule for every port is about something else than a published one.
            if (!rule.destination_port || !may_match(rule, tuple)) continue;
            if (found && (found->to_address != rule.to_address || found->to_port != rule.to_port))
                return nullptr;
            found = &rule;
        }
    }
    return found;
}

std::optional<std::string> not_where_the_rule_says(const Conntrack& entry,
                                                   const ConntrackSurroundings& around) {
    const auto& original = entry.original;
    if (original.protocol == IPPROTO_TCP || !original.destination.is_v4()) return std::nullopt;
    // Docker leaves the loopback to its proxy.
    if (original.destination.is_loopback() || !has(around.own, original.destination)) return std::nullopt;
    const auto* rule = rule_for(around.chains, original);
    // From its own bridge a published port is reached by way of the proxy, too.
    if (rule == nullptr || same_bridge(around, original.source, *rule->to_address)) return std::nullopt;
    const auto port = rule->to_port ? rule->to_port : original.destination_port;
    if (entry.reply.source == *rule->to_address && entry.reply.source_port == port) return std::nullopt;
    return "it is older than the rule for this port: its packets go to " +
           where(entry.reply.source, entry.reply.source_port) + ", those of a new flow to " +
           where(*rule->to_address, port);
}

}  // namespace

Result<ConntrackSurroundings> read_surroundings(int route_socket) {
    const auto links = kernel::dump_links(route_socket);
    if (!links) return links.error();
    const auto addresses = kernel::dump_addresses(route_socket);
    if (!addresses) return addresses.error();
    const auto neighbours = kernel::dump_neighbours(route_socket);
    if (!neighbours) return neighbours.error();
    const auto fdb = kernel::dump_fdb(route_socket);
    if (!fdb) return fdb.error();
    ConntrackSurroundings out;
    for (const auto& address : addresses->rows) {
        out.own.push_back(address.prefix.address());
        const bool bridge = std::ranges::any_of(links->rows, [&](const kernel::Link& link) {
            return link.index == address.index && link.kind == "bridge";
        });
        if (bridge) out.bridges.push_back(address.prefix);
    }
    for (const auto& neighbour : neighbours->rows) {
        const bool behind = neighbour.mac && std::ranges::any_of(fdb->rows, [&](const auto& entry) {
                                return entry.master == neighbour.index && entry.index != entry.master &&
                                       entry.mac == *neighbour.mac;
                            });
        if (behind) out.behind_ports.push_back(neighbour.address);
    }
    return out;
}

std::optional<api::ConntrackStale> find_stale(const Conntrack& entry, const ConntrackSurroundings& around,
                                              const AddressNames& names) {
    auto why = sent_to_nobody(entry, around, names);
    if (!why) why = not_where_the_rule_says(entry, around);
    if (!why) return std::nullopt;
    return api::ConntrackStale{std::move(*why), conntrack_delete_command(entry)};
}

}  // namespace netlab::operations
