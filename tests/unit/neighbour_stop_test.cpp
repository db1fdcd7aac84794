#include "daemon/operations/neighbour_stop.hpp"

#include "tests/support/catch.hpp"
#include "tests/unit/why_case.hpp"

#include <arpa/inet.h>  // before the kernel's headers, which then leave out what it has
#include <linux/netfilter.h>
#include <linux/netfilter_bridge.h>
#include <netinet/icmp6.h>

using namespace netlab;
using namespace netlab::operations;
using namespace netlab::operations::test;

namespace {

kernel::Link veth(std::uint32_t index, const char* name, std::uint32_t peer) {
    kernel::Link out;
    out.index = index;
    out.name = name;
    out.kind = "veth";
    out.peer = peer;
    out.peer_nsid = 0;
    return out;
}

kernel::Address has(std::uint32_t index, const char* prefix) {
    kernel::Address out;
    out.index = index;
    out.prefix = *IpPrefix::parse(prefix);
    return out;
}

/// 0 outside, 1 the host: isp0 and eth0 are one cable.
Topology cable() {
    std::vector<NamespaceFacts> facts(2);
    facts[0] = {"inet", {veth(2, "isp0", 3)}, {has(2, "2001:db8:51::1/64"), has(2, "fe80::1/64")}, {{0, 1}}};
    facts[1] = {"host", {veth(3, "eth0", 2)}, {has(3, "2001:db8:51::2/64"), has(3, "fe80::2/64")}, {{0, 0}}};
    return Topology(std::move(facts));
}

kernel::RuleChain chain(std::uint32_t hook, std::uint8_t type) {
    kernel::RuleChain out;
    out.table = "inet t";
    out.name = "c";
    out.hook = kernel::NftHook{hook, 0};
    kernel::PacketRule drop;
    drop.handle = 5;
    drop.protocol = kernel::Condition<std::uint8_t>{IPPROTO_ICMPV6, false};
    drop.icmp_type = kernel::Condition<std::uint8_t>{type, false};
    drop.action = kernel::RuleAction::drop;
    out.rules = {drop};
    return out;
}

std::optional<NeighbourStop> asked_by_outside(std::vector<kernel::RuleChain> chains) {
    return find_neighbour_stop({std::move(chains), true}, cable(), 1, {0, 2}, address("2001:db8:51::2"),
                               address("2001:db8:51::1"));
}

}  // namespace

TEST_CASE("neighbour stop: the host's rule that drops a solicitation or its answer is found", "[unit]") {
    const auto solicited = asked_by_outside({chain(NF_INET_LOCAL_IN, ND_NEIGHBOR_SOLICIT)});
    REQUIRE(solicited);
    CHECK_FALSE(solicited->advertisement);
    CHECK(solicited->rule.chain == "c");
    CHECK(solicited->rule.target == "host");
    const auto answered = asked_by_outside({chain(NF_INET_LOCAL_OUT, ND_NEIGHBOR_ADVERT)});
    REQUIRE(answered);
    CHECK(answered->advertisement);
    // An echo is something else; what the host itself does not send or take meets no rule there.
    CHECK_FALSE(asked_by_outside({chain(NF_INET_LOCAL_IN, ICMP6_ECHO_REQUEST)}));
    CHECK_FALSE(asked_by_outside({chain(NF_INET_LOCAL_OUT, ND_NEIGHBOR_SOLICIT)}));
    CHECK_FALSE(asked_by_outside({chain(NF_INET_FORWARD, ND_NEIGHBOR_SOLICIT)}));
    // The host asks.
    const auto asked = [&](std::uint32_t hook, std::uint8_t type) {
        return find_neighbour_stop({{chain(hook, type)}, true}, cable(), 1, {1, 3}, address("2001:db8:51::1"),
                                   std::nullopt);
    };
    CHECK(asked(NF_INET_LOCAL_OUT, ND_NEIGHBOR_SOLICIT));
    CHECK(asked(NF_INET_LOCAL_IN, ND_NEIGHBOR_ADVERT));
    CHECK_FALSE(asked(NF_INET_LOCAL_IN, ND_NEIGHBOR_SOLICIT));
}

TEST_CASE("neighbour stop: conntrack does not track it, and a policy drops what no rule accepts", "[unit]") {
    kernel::RuleChain input;
    input.table = "ip6 filter";
    input.name = "INPUT";
    input.hook = kernel::NftHook{NF_INET_LOCAL_IN, 0};
    input.drops = true;
    kernel::PacketRule flow;
    flow.flow = kernel::Condition<std::uint32_t>{kernel::flow_is_established, false};
    flow.action = kernel::RuleAction::accept;
    input.rules = {flow};
    const auto stop = asked_by_outside({input});
    REQUIRE(stop);
    const auto why = explain_neighbour_stop(*stop);
    CHECK(why.explanation.find("ip6 filter INPUT of host (policy drop)") != std::string::npos);
    CHECK(why.suggestion ==
          "ip6tables-nft -t filter -I INPUT -p icmpv6 --icmpv6-type neighbour-solicitation -j ACCEPT && "
          "ip6tables-nft -t filter -I INPUT -p icmpv6 --icmpv6-type neighbour-advertisement -j ACCEPT");
    input.rules.front().flow->value = kernel::flow_is_untracked;
    CHECK_FALSE(asked_by_outside({input}));
    // What is not understood decides nothing for certain.
    input.rules.front().more_conditions = true;
    const auto doubt = asked_by_outside({input});
    REQUIRE(doubt);
    CHECK_FALSE(doubt->certain);
}

namespace {

/// 0 co1 and 1 co2 on the bridge br0 of the host, which is 2.
Topology bridge() {
    std::vector<NamespaceFacts> facts(3);
    facts[0] = {"co1", {veth(2, "eth0", 4)}, {has(2, "172.17.0.2/16"), has(2, "2001:db8::2/64")}, {{0, 2}}};
    facts[1] = {"co2", {veth(3, "eth0", 5)}, {has(3, "172.17.0.3/16")}, {{0, 2}}};
    auto first = veth(4, "veth1", 2);
    auto second = veth(5, "veth2", 3);
    second.peer_nsid = 1;
    first.master = second.master = 6;
    kernel::Link br0;
    br0.index = 6;
    br0.name = "br0";
    br0.kind = "bridge";
    facts[2] = {
        "host", {first, second, br0}, {has(6, "172.17.0.1/16"), has(6, "2001:db8::1/64")}, {{0, 0}, {1, 1}}};
    return Topology(std::move(facts));
}

kernel::RuleChain drops_at(std::string table, std::uint32_t hook) {
    kernel::RuleChain out;
    out.table = std::move(table);
    out.name = "c";
    out.hook = kernel::NftHook{hook, 0};
    out.rules.emplace_back().action = kernel::RuleAction::drop;
    out.rules.front().handle = 2;
    return out;
}

std::optional<NeighbourStop> asked(FamilyRules rules, std::size_t place, Port asking, const char* whom) {
    rules.known = true;
    return find_neighbour_stop(rules, bridge(), place, asking, address(whom), std::nullopt);
}

FamilyRules arp_frames(kernel::RuleChain chain) {
    FamilyRules out;
    out.arp.frames = {std::move(chain)};
    return out;
}

}  // namespace

TEST_CASE("neighbour stop: ARP's frames meet the rules of bridges and interfaces", "[unit]") {
    constexpr Port host{2, 6};
    constexpr Port co1{0, 2};
    // The host asks: the answer comes in by the bridge.
    const auto answer = asked(arp_frames(drops_at("bridge f", NF_BR_LOCAL_IN)), 2, host, "172.17.0.2");
    REQUIRE(answer);
    CHECK(answer->advertisement);
    CHECK(answer->rule.text == "ether type arp drop");
    CHECK(explain_neighbour_stop(*answer).suggestion == "nft insert rule bridge f c ether type arp accept");
    const auto question = asked(arp_frames(drops_at("bridge f", NF_BR_POST_ROUTING)), 2, host, "172.17.0.2");
    REQUIRE(question);
    CHECK_FALSE(question->advertisement);
    CHECK(asked(arp_frames(drops_at("bridge f", NF_BR_LOCAL_IN)), 2, co1, "172.17.0.1"));
    CHECK_FALSE(asked(arp_frames(drops_at("bridge f", NF_BR_FORWARD)), 2, host, "172.17.0.2"));
    // From one container to another the host's bridge passes them.
    CHECK(asked(arp_frames(drops_at("bridge f", NF_BR_FORWARD)), 2, co1, "172.17.0.3"));
    CHECK_FALSE(asked(arp_frames(drops_at("bridge f", NF_BR_LOCAL_IN)), 2, co1, "172.17.0.3"));
    // At an interface.
    auto ingress = drops_at("netdev f", 0);
    ingress.hook->devices = {"veth1"};
    CHECK(asked(arp_frames(ingress), 2, host, "172.17.0.2"));
    CHECK_FALSE(asked(arp_frames(ingress), 2, host, "172.17.0.3"));
    // Its own tables, and what IP's packets meet as well.
    FamilyRules own;
    own.arp.own = {drops_at("arp f", 0)};
    REQUIRE(asked(own, 2, host, "172.17.0.2"));
    CHECK(explain_neighbour_stop(*asked(own, 2, host, "172.17.0.2")).suggestion ==
          "nft insert rule arp f c accept");
    auto all = arp_frames(drops_at("bridge f", NF_BR_LOCAL_IN));
    all.frames = all.arp.frames;
    CHECK(asked(all, 2, host, "172.17.0.2")->rule.text == "drop");
}

TEST_CASE("neighbour stop: IPv6's frames on a bridge, and a container's own rules", "[unit]") {
    constexpr Port host{2, 6};
    FamilyRules bridged;
    auto chain_of_bridge = chain(NF_BR_LOCAL_IN, ND_NEIGHBOR_ADVERT);
    chain_of_bridge.table = "bridge f";
    bridged.frames = {chain_of_bridge};
    const auto stop = asked(bridged, 2, host, "2001:db8::2");
    REQUIRE(stop);
    CHECK(stop->advertisement);
    FamilyRules inside;
    inside.chains = {chain(NF_INET_LOCAL_IN, ND_NEIGHBOR_SOLICIT)};
    const auto own = asked(inside, 0, host, "2001:db8::2");
    REQUIRE(own);
    CHECK(own->rule.target == "co1");
    CHECK_FALSE(asked(inside, 1, host, "2001:db8::2"));
}

TEST_CASE("neighbour stop: a silent neighbour is explained by the rule that silences it", "[unit]") {
    Case one("2001:db8:51::2");
    add_host(one);
    one.facts.probed = true;
    SilentNeighbour silent{"co1", "eth0", address("2001:db8:51::2")};
    silent.stop = asked_by_outside({chain(NF_INET_LOCAL_IN, ND_NEIGHBOR_SOLICIT)});
    one.facts.silent = silent;
    const auto why = one.explain(api::WhyVerdict::unreachable);
    CHECK(why.explanation.find("nobody answers for 2001:db8:51::2") == 0);
    CHECK(why.explanation.find("inet t c of host handle 5") != std::string::npos);
    CHECK(why.suggestion ==
          "nft insert rule inet t c 'icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } accept'");
}
