#include "daemon/operations/conntrack_staleness.hpp"

#include "common/endpoint.hpp"
#include "daemon/kernel/address.hpp"
#include "daemon/kernel/fdb.hpp"
#include "daemon/kernel/link.hpp"
#include "daemon/kernel/neighbour.hpp"
#include "daemon/operations/conntrack_row.hpp"

#include <algorithm>
#include <set>

#include <arpa/inet.h>  // before the kernel's headers, which then leave out what it has
#include <linux/netfilter.h>

namespace netlab::operations {

namespace {

using kernel::Conntrack;
using kernel::PacketRule;

bool has(const std::vector<IpAddress>& addresses, const IpAddress& address) {
    return std::ranges::find(addresses, address) != addresses.end();
}

/// nullptr where no bridge has the address' network.
const BridgeAddress* bridge_of(const ConntrackSurroundings& around, const IpAddress& address) {
    const auto found = std::ranges::find_if(
        around.bridges, [&](const BridgeAddress& one) { return one.prefix.contains(address); });
    return found == around.bridges.end() ? nullptr : &*found;
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
    if (bridge_of(around, to) == nullptr) return std::nullopt;
    return "no target has " + to.to_string() + " any more: while packets of this flow come, they go there";
}

/// Interfaces that rules ask for, of those that who is outside may come in by.
std::set<std::string> named_inputs(const ConntrackSurroundings& around) {
    std::set<std::string> out;
    for (const auto& chain : around.chains) {
        for (const auto& rule : chain.rules) {
            if (!rule.input || rule.input->inverted) continue;
            auto name = rule.input->value;
            if (name.ends_with('*')) name.back() = '0';
            const bool inside =
                name == "lo" ||
                std::ranges::find(around.bridges, name, &BridgeAddress::name) != around.bridges.end();
            if (!inside) out.insert(std::move(name));
        }
    }
    return out;
}

/// The DNAT rule that the first packet of such a flow would meet now; nullptr where there is none, or that is
/// not certain.
const PacketRule* rule_for(const ConntrackSurroundings& around, const kernel::ConntrackTuple& tuple) {
    const bool from_host = has(around.own, tuple.source);
    const auto* bridge = from_host ? nullptr : bridge_of(around, tuple.source);
    kernel::PacketFacts packet{tuple.source, tuple.destination, tuple.protocol, tuple.source_port.value_or(0),
                               tuple.destination_port.value_or(0)};
    // Docker's rules let pass what comes by its bridges, to its proxy. Of others: one that no rule names.
    packet.input = bridge == nullptr ? std::string() : bridge->name;
    packet.output = from_host ? "lo" : "";
    packet.destination_local = true;
    packet.flow = kernel::flow_is_new;
    const auto hook = from_host ? NF_INET_LOCAL_OUT : NF_INET_PRE_ROUTING;
    const auto found = kernel::find_nat(around.chains, hook, packet);
    // By one that a rule names it may have come, too.
    for (const auto& name :
         bridge == nullptr && !from_host ? named_inputs(around) : std::set<std::string>()) {
        packet.input = name;
        if (kernel::find_nat(around.chains, hook, packet).rule != found.rule) return nullptr;
    }
    const bool translates = found.rule != nullptr && found.action == kernel::RuleAction::dnat &&
                            found.rule->to_address && !found.uncertain;
    // A rule for every port is about something else than a published one.
    return translates && found.rule->destination_port ? found.rule : nullptr;
}

std::optional<std::string> not_where_the_rule_says(const Conntrack& entry,
                                                   const ConntrackSurroundings& around) {
    const auto& original = entry.original;
    if (original.protocol == IPPROTO_TCP || !original.destination.is_v4()) return std::nullopt;
    // Docker leaves the loopback to its proxy.
    if (original.destination.is_loopback() || !has(around.own, original.destination)) return std::nullopt;
    const auto* rule = rule_for(around, original);
    if (rule == nullptr) return std::nullopt;
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
        const auto bridge = std::ranges::find_if(links->rows, [&](const kernel::Link& link) {
            return link.index == address.index && link.kind == "bridge";
        });
        if (bridge != links->rows.end()) out.bridges.push_back({bridge->name, address.prefix});
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
