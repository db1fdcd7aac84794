#include "daemon/operations/rule_explanation.hpp"
#include "daemon/operations/why_by_tables.hpp"
#include "daemon/operations/why_publisher.hpp"
#include "daemon/operations/why_rules.hpp"
#include "tests/support/catch.hpp"
#include "tests/unit/why_case.hpp"

#include <arpa/inet.h>  // before the kernel's headers, which then leave out what it has
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>

/// What is suggested where a rule has stopped a packet or its answer.
using namespace netlab;
using namespace netlab::operations;
using namespace netlab::operations::test;
using api::WhyProtocol;

namespace {

bool says(const std::string& text, std::string_view part) {
    return text.find(part) != text.npos;
}

kernel::RuleChain base_chain(const char* table, const char* name, std::uint32_t hook, std::int32_t priority) {
    kernel::RuleChain out;
    out.table = table;
    out.name = name;
    out.hook = kernel::NftHook{hook, priority};
    return out;
}

kernel::PacketRule jump(const char* chain) {
    kernel::PacketRule out;
    out.action = kernel::RuleAction::jump;
    out.chain = chain;
    return out;
}

}  // namespace

TEST_CASE("rule stop: before conntrack an answer is let in by whence it comes", "[unit]") {
    Case one;
    add_host(one);
    auto drop = rule("pre", "ip saddr 203.0.113.8 drop");
    drop.family = "inet";
    drop.table = "early";
    one.facts.trace = {step(drop, "prerouting")};
    one.facts.trace.front().step.answer = true;
    CHECK(explain_rule(one.facts, drop, true).suggestion ==
          "nft insert rule inet early pre iifname eth0 ct state established,related accept");
    one.facts.trace.front().before_conntrack = true;
    CHECK(explain_rule(one.facts, drop, true).suggestion ==
          "nft insert rule inet early pre iifname eth0 ip saddr 203.0.113.8 tcp sport 80 accept");
    // Somebody behind the host has translated it: what was seen there is what the rule sees.
    Sighting seen;
    seen.answer = true;
    seen.port = {1, 2};
    seen.source = {address("10.89.0.2"), 8080};
    one.facts.sightings = {seen};
    CHECK(explain_rule(one.facts, drop, true).suggestion ==
          "nft insert rule inet early pre iifname eth0 ip saddr 10.89.0.2 tcp sport 8080 accept");
    // Of a policy, too, and of iptables' own table; an echo has no ports.
    one.facts.sightings.clear();
    one.facts.flow = {WhyProtocol::icmp, 7, address("203.0.113.8"), 0};
    auto policy = rule("PREROUTING", "policy drop");
    policy.table = "raw";
    policy.handle.reset();
    one.facts.trace = {step(policy, "prerouting")};
    one.facts.trace.front().before_conntrack = true;
    CHECK(explain_rule(one.facts, policy, true).suggestion ==
          "nft insert rule ip raw PREROUTING iifname eth0 ip saddr 203.0.113.8 icmp type echo-reply accept");
}

TEST_CASE("rule stop: what conntrack is kept from is of no flow", "[unit]") {
    Case one;
    add_host(one);
    const auto drop = rule("FORWARD", "drop");
    auto untracks = rule("PREROUTING", "ip daddr 203.0.113.8 notrack");
    untracks.table = "raw";
    one.facts.trace = {step(untracks, "prerouting", "continue"), step(drop, "forward")};
    one.facts.trace.back().step.answer = true;
    CHECK(explain_rule(one.facts, drop, true).suggestion ==
          "nft insert rule ip filter FORWARD iifname eth0 ip saddr 203.0.113.8 tcp sport 80 accept");
    one.facts.trace.front().step.text = "counter comment \"notrack\"";
    CHECK(explain_rule(one.facts, drop, true).suggestion ==
          "iptables-nft -t filter -I FORWARD -i eth0 -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT");
}

TEST_CASE("rule stop: bridges know of no flow", "[unit]") {
    Case one("198.51.100.2");
    add_host(one);
    one.facts.translated = api::Endpoint{address("172.18.0.3"), 8080};
    auto drop = rule("out", "drop");
    drop.family = "bridge";
    drop.table = "b";
    auto dnat = step(rule("DOCKER", "dnat to 172.18.0.3:8080"), "prerouting", "accept");
    dnat.translates = true;
    one.facts.trace = {dnat, step(drop, "forward")};
    one.facts.trace.back().step.answer = true;
    CHECK(explain_rule(one.facts, drop, true).suggestion ==
          "nft insert rule bridge b out iifname eth0 ip saddr 172.18.0.3 tcp sport 8080 accept");
    // IP has turned its address back before it leaves.
    one.facts.trace.back().step.hook = "output";
    CHECK(explain_rule(one.facts, drop, true).suggestion ==
          "nft insert rule bridge b out iifname eth0 ip saddr 198.51.100.2 tcp sport 80 accept");
    // What a bridge takes in IP has not translated yet.
    one.facts.trace = {step(drop, "input"), dnat};
    const auto why = explain_rule(one.facts, drop, false);
    CHECK(why.suggestion ==
          "nft insert rule bridge b out iifname eth0 ip daddr 198.51.100.2 tcp dport 80 accept");
    CHECK(says(why.explanation, "or to be routed on by IP"));
    CHECK_FALSE(says(why.explanation, "what is for host itself"));
}

TEST_CASE("rule stop: a rule that a jump leads to is where the chain of its hook is", "[unit]") {
    Case one;
    const auto tables = parse_ruleset(
        "table inet own { # handle 1 progname unknown\n\tflags owner\n\n\tchain pre { # handle 1\n"
        "\t\ttype filter hook prerouting priority raw; policy accept;\n\t\tjump drops # handle 3\n\t}\n\n"
        "\tchain drops { # handle 2\n\t\tdrop # handle 4\n\t}\n}\n");
    REQUIRE(tables);
    CHECK(tables->front().owner_port == 0U);
    TracedNamespace traced;
    traced.target = "host";
    traced.rules = *tables;
    traced.rules->front().owner_port = 4711;
    kernel::TraceEvent first;
    first.id = 1;
    first.family = NFPROTO_INET;
    first.table = "own";
    first.chain = "pre";
    first.kind = kernel::TraceKind::rule;
    first.handle = 3;
    first.verdict = NFT_JUMP;
    first.jump = "drops";
    // An IPv4 header without options, and the beginning of TCP's, to the flow's own port: the answer.
    first.network_header.assign(20, std::byte{0});
    first.network_header[0] = std::byte{0x45};
    first.network_header[9] = std::byte{6};
    first.transport_header.assign(20, std::byte{0});
    first.transport_header[2] = std::byte{40'000 >> 8};
    first.transport_header[3] = std::byte{40'000 & 0xFF};
    first.transport_header[12] = std::byte{0x50};
    auto drop = first;
    drop.network_header.clear();
    drop.chain = "drops";
    drop.handle = 4;
    drop.verdict = NF_DROP;
    traced.events = {first, drop};
    const auto steps = read_trace(one.facts.flow, {{1, traced}});
    REQUIRE(steps.size() == 2);
    CHECK(steps.back().before_conntrack);
    CHECK(steps.back().step.owner_port == 4711U);
    traced.rules->front().chains.front().hook->priority = -150;
    CHECK_FALSE(read_trace(one.facts.flow, {{1, traced}}).back().before_conntrack);
}

TEST_CASE("rule stop: of an owned table no command is given that fails", "[unit]") {
    Case one;
    add_host(one);
    auto drop = rule("fwd", "drop");
    drop.table = "own";
    drop.owner_port = 4711;
    one.facts.trace = {step(drop, "forward")};
    const auto why = explain_rule(one.facts, drop, false);
    CHECK(says(why.explanation, "netlink port 4711"));
    CHECK(why.suggestion.starts_with("ps -p 4711"));
    // firewalld has a command for its table, whoever may change that.
    auto other = rule("filter_IN_public", "reject", "firewalld");
    other.table = "firewalld";
    other.owner_port = 4711;
    one.facts.trace = {step(other, "input")};
    CHECK(explain_rule(one.facts, other, false).suggestion == "firewall-cmd --zone=public --add-port=80/tcp");
    // Of a container's the number is one of its own namespace of PIDs.
    one.facts.trace = {step(drop, "forward")};
    one.facts.trace.front().place = 0;
    CHECK(explain_rule(one.facts, drop, false).suggestion.starts_with("netlab ps co1  # "));
    one.facts.trace.clear();
    auto chain = base_chain("inet own", "fwd", NF_INET_FORWARD, 0);
    chain.drops = true;
    chain.owner = 4711;
    const FamilyRules rules{{chain}, true};
    const HostPassage through{"host", "br-1", "eth0", false};
    one.facts.rules =
        decide_by_rules(rules, through, one.facts.flow, address("172.18.0.2"), {address("203.0.113.8"), 80});
    REQUIRE(one.facts.rules->rule);
    CHECK(explain_rule(one.facts, *one.facts.rules->rule, false).suggestion.starts_with("ps -p 4711"));
}

TEST_CASE("rule stop: ufw's policy is told from the table as from the trace", "[unit]") {
    Case one("198.51.100.2");
    add_host(one);
    auto input = base_chain("ip filter", "INPUT", NF_INET_LOCAL_IN, 0);
    input.rules = {jump("ufw-before-input")};
    input.drops = true;
    const HostPassage for_host{"host", "br-1", "", true};
    const api::Endpoint to{address("198.51.100.2"), 80};
    one.facts.rules = decide_by_rules({{input}, true}, for_host, one.facts.flow, address("172.18.0.2"), to);
    REQUIRE(one.facts.rules->rule);
    const auto why = explain_rule(one.facts, *one.facts.rules->rule, false);
    CHECK(why.suggestion == "ufw prepend allow in on br-1 to any port 80 proto tcp");
    CHECK(says(why.explanation, "which ufw has set"));
    input.rules.clear();
    one.facts.rules = decide_by_rules({{input}, true}, for_host, one.facts.flow, address("172.18.0.2"), to);
    CHECK(explain_rule(one.facts, *one.facts.rules->rule, false).suggestion ==
          "nft insert rule ip filter INPUT iifname br-1 ip daddr 198.51.100.2 tcp dport 80 accept");
    auto policy = rule("INPUT", "policy drop");
    policy.handle.reset();
    auto way = step(rule("INPUT", "counter jump ufw-before-input"), "input", "jump ufw-before-input");
    one.facts.trace = {way, step(policy, "input")};
    CHECK(explain_rule(one.facts, policy, false).suggestion ==
          "ufw prepend allow in on eth0 to any port 80 proto tcp");
}

TEST_CASE("rule stop: whose answer is dropped before conntrack is told from the table, too", "[unit]") {
    Case one("198.51.100.2");
    add_host(one);
    auto output = base_chain("inet early", "out", NF_INET_LOCAL_OUT, -300);
    output.drops = true;
    const HostPassage for_host{"host", "br-1", "", true};
    const api::Endpoint to{address("198.51.100.2"), 80};
    one.facts.rules_back = decide_answer_by_rules({{output}, true}, for_host, one.facts.flow,
                                                  address("172.18.0.2"), to, address("172.18.0.2"));
    REQUIRE(one.facts.rules_back->rule);
    CHECK(explain_rule(one.facts, *one.facts.rules_back->rule, true).suggestion ==
          "nft insert rule inet early out oifname br-1 ip saddr 198.51.100.2 tcp sport 80 accept");
    auto legacy = *one.facts.rules_back->rule;
    legacy.family = "ip (legacy)";
    legacy.table = "raw";
    legacy.chain = "OUTPUT";
    CHECK(explain_rule(one.facts, legacy, true).suggestion ==
          "iptables-legacy -t raw -I OUTPUT -o br-1 -s 198.51.100.2 -p tcp --sport 80 -j ACCEPT");
}

TEST_CASE("rule stop: a policy of the first or last hook drops the answer as well, by its own interfaces",
          "[unit]") {
    Case one;
    add_host(one);
    const HostPassage out{"host", "docker0", "eth0", false};
    const auto co1 = address("172.18.0.2");
    const api::Endpoint to{address("203.0.113.8"), 80};
    const auto suggested = [&](std::uint32_t hook, std::int32_t priority) {
        auto chain = base_chain("inet own", "c", hook, priority);
        chain.drops = true;
        const FamilyRules rules{{chain}, true};
        one.facts.rules = decide_by_rules(rules, out, one.facts.flow, co1, to);
        one.facts.rules_back =
            decide_answer_by_rules(rules, out, one.facts.flow, co1, to, address("198.51.100.2"));
        REQUIRE(one.facts.rules->rule);
        return explain_rule(one.facts, *one.facts.rules->rule, false).suggestion;
    };
    CHECK(suggested(NF_INET_POST_ROUTING, 0) ==
          "nft insert rule inet own c oifname eth0 ip daddr 203.0.113.8 tcp dport 80 accept && "
          "nft insert rule inet own c oifname docker0 ct state established,related accept");
    for (const std::int32_t priority : {0, -150})
        CHECK(suggested(NF_INET_PRE_ROUTING, priority) ==
              "nft insert rule inet own c iifname docker0 ip daddr 203.0.113.8 tcp dport 80 accept && "
              "nft insert rule inet own c iifname eth0 ct state established,related accept");
    CHECK(suggested(NF_INET_PRE_ROUTING, -300) ==
          "nft insert rule inet own c iifname docker0 ip daddr 203.0.113.8 tcp dport 80 accept && "
          "nft insert rule inet own c iifname eth0 ip saddr 203.0.113.8 tcp sport 80 accept");
}

TEST_CASE("rule stop: docker-proxy's own connection is let through the chain that drops what it takes, too",
          "[unit]") {
    Case one("198.51.100.2");
    add_host(one);
    one.facts.flow.remote_port = 8080;
    const auto client = address("198.51.100.1");
    const api::Endpoint to{address("198.51.100.2"), 8080};
    const HostPassage in{"host", "eth0", "", true};
    const ProxyRoute route{"docker0", address("172.17.0.1")};
    const auto decide = [&](const FamilyRules& rules) {
        one.facts.rules = decide_by_rules(rules, in, one.facts.flow, client, to);
        one.facts.rules_back = decide_answer_by_rules(rules, in, one.facts.flow, client, to, client);
        one.facts.leg =
            decide_leg_by_rules(rules, "host", route, WhyProtocol::tcp, {address("172.17.0.2"), 80});
    };
    auto input = base_chain("inet own", "in", NF_INET_LOCAL_IN, 0);
    input.drops = true;
    decide({{input}, true});
    REQUIRE(one.facts.rules->rule);
    CHECK(explain_rule(one.facts, *one.facts.rules->rule, false).suggestion ==
          "nft insert rule inet own in iifname eth0 ip daddr 198.51.100.2 tcp dport 8080 accept && "
          "nft insert rule inet own in iifname docker0 ct state established,related accept");
    auto output = base_chain("inet own", "out", NF_INET_LOCAL_OUT, 0);
    output.drops = true;
    decide({{output}, true});
    REQUIRE(one.facts.rules_back->rule);
    CHECK(explain_rule(one.facts, *one.facts.rules_back->rule, true).suggestion ==
          "nft insert rule inet own out oifname eth0 ct state established,related accept && "
          "nft insert rule inet own out oifname docker0 ip daddr 172.17.0.2 tcp dport 80 accept");
    // Where the process has taken it, its own connection is what the rule stops.
    one.facts.proxied = BehindProxy{"web", {address("172.17.0.2"), 80}, {}};
    one.facts.proxied->leg = BehindProxy::Leg::waiting;
    WhyDecision decision;
    REQUIRE(stop_leg_by_table(decision, one.facts));
    CHECK(decision.leg);
    CHECK_FALSE(decision.answer);
    const auto why = explain_rule(one.facts, *decision.rule, false, true);
    CHECK(says(why.explanation, "it is docker-proxy's own connection to 172.17.0.2:80 of web"));
    CHECK(why.suggestion ==
          "nft insert rule inet own out oifname docker0 ip daddr 172.17.0.2 tcp dport 80 accept");
    decide({{input}, true});
    REQUIRE(stop_leg_by_table(decision, one.facts));
    CHECK(decision.answer);
    // What may be otherwise is not said.
    one.facts.leg->back.doubt = "ip filter INPUT: …";
    CHECK_FALSE(stop_leg_by_table(decision, one.facts));
}

TEST_CASE("rule stop: only where Docker sets the policy its rules may have been flushed", "[unit]") {
    Case one;
    add_host(one);
    auto policy = rule("FORWARD", "policy drop");
    policy.handle.reset();
    one.facts.trace = {step(policy, "forward")};
    CHECK(explain_rule(one.facts, policy, false).suggestion == "systemctl restart docker");
    policy.family = "inet";
    policy.table = "own";
    policy.chain = "fwd";
    one.facts.trace = {step(policy, "forward")};
    CHECK(explain_rule(one.facts, policy, false).suggestion ==
          "nft insert rule inet own fwd iifname eth0 ip daddr 203.0.113.8 tcp dport 80 accept");
}
