#include "daemon/operations/neighbour_stop.hpp"

#include "daemon/operations/host_command.hpp"
#include "daemon/operations/rule_owner.hpp"
#include "daemon/operations/why_rules.hpp"

#include <algorithm>
#include <array>

#include <arpa/inet.h>  // before the kernel's headers, which then leave out what it has
#include <linux/netfilter.h>
#include <netinet/icmp6.h>

namespace netlab::operations {

namespace {

/// RFC 4291, 2.7.1: ff02::1:ff00:0/104 with the address' last 24 bits.
IpAddress solicited_node(const IpAddress& address) {
    std::array<std::uint8_t, 16> bytes{0xFF, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xFF};
    constexpr std::size_t own = 3;
    std::ranges::copy(address.bytes().last(own), bytes.end() - own);
    return IpAddress::from_bytes(bytes);
}

/// As ndisc_solicit() of net/ipv6/ndisc.c takes it: the packet's, where that is its own.
IpAddress asking_address(const Topology& topology, Port asking, const std::optional<IpAddress>& source) {
    const auto& facts = topology[asking.place];
    if (source && facts.has_address(asking.index, *source)) return *source;
    for (const auto& address : facts.addresses) {
        const auto& own = address.prefix.address();
        if (address.index == asking.index && own.is_v6() && own.is_link_local()) return own;
    }
    return {};
}

/// The two ends of a question, as the host has them.
struct Discovery {
    IpAddress asker;
    IpAddress asked;
    std::string interface;
    bool host_asks = false;
};

/// The question, or the answer, where it comes in and where it leaves.
kernel::PacketFacts packet_of(const Discovery& of, bool advertisement) {
    kernel::PacketFacts facts;
    facts.source = advertisement ? of.asked : of.asker;
    facts.destination = advertisement ? of.asker : solicited_node(of.asked);
    facts.protocol = IPPROTO_ICMPV6;
    facts.icmp_type = advertisement ? ND_NEIGHBOR_ADVERT : ND_NEIGHBOR_SOLICIT;
    const bool leaves = of.host_asks != advertisement;
    facts.input = leaves ? "" : of.interface;
    facts.output = leaves ? of.interface : "";
    facts.destination_local = !leaves && advertisement;
    facts.reverse_path = true;
    facts.mark = 0;
    // nf_conntrack_icmpv6_error() of net/netfilter/nf_conntrack_proto_icmpv6.c.
    facts.flow = kernel::flow_is_untracked;
    return facts;
}

std::optional<NeighbourStop> stopped(const FamilyRules& rules, const Discovery& of, bool advertisement,
                                     const std::string& host) {
    auto facts = packet_of(of, advertisement);
    const bool leaves = of.host_asks != advertisement;
    const std::array<std::uint32_t, 2> out{NF_INET_LOCAL_OUT, NF_INET_POST_ROUTING};
    const std::array<std::uint32_t, 2> in{NF_INET_PRE_ROUTING, NF_INET_LOCAL_IN};
    for (const auto hook : leaves ? out : in) {
        const auto decision = kernel::find_drop(rules.chains, hook, facts);
        if (decision.effects.marks) facts.mark.reset();
        if (decision.dropped && !decision.uncertain)
            return NeighbourStop{rule_of(decision, host), advertisement};
    }
    return std::nullopt;
}

/// The host's interface that has the address and is on that one's segment.
std::string asked_interface(const Topology& topology, std::size_t host, Port asking, const IpAddress& asked) {
    for (const auto owner : topology.owners(asked)) {
        if (owner.place == host && topology.on_one_segment(owner, asking)) return topology.name(owner);
    }
    return {};
}

std::string iptables_permission(const api::WhyRule& rule, const std::string& program, const char* type) {
    return program + " -t " + rule.table + " -I " + rule.chain + " -p icmpv6 --icmpv6-type " + type +
           " -j ACCEPT";
}

/// Both, for a host asks and is asked.
std::string permission(const api::WhyRule& rule) {
    if (rule.owner_port) return ask_owner(rule.owner_port);
    if (!is_plain_word(rule.table) || !is_plain_word(rule.chain)) return {};
    const bool legacy = rule.family.ends_with(" (legacy)");
    const auto program = legacy ? legacy_program("ip6") : iptables_program(rule.family, rule.table);
    if (!program.empty())
        return iptables_permission(rule, program, "neighbour-solicitation") + " && " +
               iptables_permission(rule, program, "neighbour-advertisement");
    return "nft insert rule " + rule.family + " " + rule.table + " " + rule.chain +
           " 'icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } accept'";
}

}  // namespace

std::optional<NeighbourStop> find_neighbour_stop(const FamilyRules& rules, const Topology& topology,
                                                 std::size_t host, Port asking, const IpAddress& asked,
                                                 const std::optional<IpAddress>& source) {
    if (asked.is_v4()) return std::nullopt;
    Discovery of{asking_address(topology, asking, source), asked, topology.name(asking),
                 asking.place == host};
    if (!of.host_asks) of.interface = asked_interface(topology, host, asking, asked);
    if (of.interface.empty()) return std::nullopt;
    const auto& name = topology[host].target;
    auto stop = stopped(rules, of, false, name);
    return stop ? stop : stopped(rules, of, true, name);
}

Explanation explain_neighbour_stop(const NeighbourStop& stop) {
    const auto& rule = stop.rule;
    return {"; " + rule.family + " " + rule.table + " " + rule.chain + " of " + rule.target +
                (rule.handle ? " handle " + std::to_string(*rule.handle) : std::string()) + " (" + rule.text +
                ") drops the " +
                (stop.advertisement ? "answer, a neighbour advertisement"
                                    : "question for it, a neighbour solicitation") +
                ": without these IPv6 finds no neighbour",
            permission(rule)};
}

}  // namespace netlab::operations
