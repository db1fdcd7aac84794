#include "daemon/operations/client_networks.hpp"
#include "daemon/operations/nat_judgement.hpp"
#include "tests/netns/test_network.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/command.hpp"

#include <algorithm>
#include <thread>

#include <fcntl.h>
#include <linux/netfilter.h>
#include <sched.h>

using namespace netlab;
using namespace netlab::test;
using operations::HostRules;
using operations::RuleSet;

namespace {

struct Host {
    Host() : network("a") { network.ip('a', "link add out type bridge"); }
    void run(const std::string& command) const {
        INFO(command);
        const auto finished = support::run({"ip", "netns", "exec", network.name('a'), "sh", "-ec", command});
        INFO(finished.err);
        REQUIRE(finished.status == 0);
    }
    /// The rules as the daemon reads them there.
    [[nodiscard]] RuleSet rules(HostRules (*ask)() = HostRules::ask) const {
        const UniqueFd own(::open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC));
        std::vector<operations::TargetHandle> handles;
        handles.push_back(network.handle('a'));
        operations::Namespaces namespaces(std::move(handles));
        REQUIRE(namespaces.enter(0));
        auto asked = ask();
        auto route = kernel::open_route_socket();
        REQUIRE(::setns(own.get(), CLONE_NEWNET) == 0);
        REQUIRE(route);
        const auto names = operations::InterfaceNames::read(route->get());
        REQUIRE(names);
        return asked.read(*names);
    }
    TestNetwork network;
};

std::vector<std::string> texts(const operations::FamilyRules& rules, std::string_view chain) {
    std::vector<std::string> out;
    for (const auto& one : rules.chains) {
        if (one.name != chain) continue;
        for (const auto& rule : one.rules)
            out.push_back(rule.to_string());
    }
    return out;
}

kernel::PacketFacts web(const std::string& from, const std::string& to, const std::string& input) {
    kernel::PacketFacts packet{*IpAddress::parse(from), *IpAddress::parse(to), IPPROTO_TCP, 40'000, 8080};
    packet.input = input;
    packet.output = "";
    packet.destination_local = true;
    packet.mark = 0;
    packet.flow = kernel::flow_is_new;
    return packet;
}

std::string translated(const operations::FamilyRules& rules, const kernel::PacketFacts& packet) {
    const auto decision = kernel::find_nat(rules.chains, NF_INET_PRE_ROUTING, packet);
    CHECK_FALSE(decision.uncertain);
    return decision.rule == nullptr ? "nothing" : decision.rule->to_string();
}

/// As Docker does it, by whichever program.
std::string docker_rules(const std::string& iptables, const std::string& to) {
    const auto nat = iptables + " -t nat ";
    return nat + "-N DOCKER;" + nat + "-A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER;" + nat +
           "-A DOCKER -i docker0 -j RETURN;" + nat +
           "-A DOCKER ! -i docker0 -p tcp -m tcp --dport 8080 -j DNAT --to-destination " + to + ";" +
           iptables + " -P FORWARD DROP;" + iptables +
           " -A FORWARD -o docker0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT;" + iptables +
           " -A FORWARD ! -i docker0 -o docker0 -p tcp --dport 8080 -j ACCEPT";
}

}  // namespace

TEST_CASE("host rules: interfaces and addresses' kinds decide, whichever program made the rules", "[netns]") {
    for (const std::string iptables : {"iptables-nft", "iptables-legacy"}) {
        INFO(iptables);
        const Host host;
        host.run(docker_rules(iptables, "172.17.0.2:80"));
        const auto rules = host.rules();
        CHECK(rules.v4.known);
        const auto dnat = texts(rules.v4, "DOCKER").at(1);
        CHECK(dnat == "iifname != \"docker0\" tcp dport 8080 dnat to 172.17.0.2:80");
        CHECK(translated(rules.v4, web("203.0.113.1", "198.51.100.2", "eth0")) == dnat);
        CHECK(translated(rules.v4, web("172.17.0.3", "198.51.100.2", "docker0")) == "nothing");
        auto elsewhere = web("203.0.113.1", "203.0.113.9", "eth0");
        elsewhere.destination_local = false;
        CHECK(translated(rules.v4, elsewhere) == "nothing");

        auto forwarded = web("203.0.113.1", "172.17.0.2", "eth0");
        forwarded.output = "docker0";
        CHECK_FALSE(kernel::find_drop(rules.v4.chains, NF_INET_FORWARD, forwarded).dropped);
        forwarded.destination_port = 81;
        const auto dropped = kernel::find_drop(rules.v4.chains, NF_INET_FORWARD, forwarded);
        CHECK(dropped.dropped);
        CHECK_FALSE(dropped.uncertain);
        CHECK(dropped.chain->name == "FORWARD");
    }
}

TEST_CASE("host rules: IPv6's are read as IPv4's are", "[netns]") {
    const Host host;
    host.run(docker_rules("ip6tables-nft", "[2001:db8::2]:80"));
    const auto rules = host.rules();
    CHECK(rules.v6.known);
    CHECK(texts(rules.v4, "DOCKER").empty());
    const auto dnat = texts(rules.v6, "DOCKER").at(1);
    CHECK(dnat == "iifname != \"docker0\" tcp dport 8080 dnat to [2001:db8::2]:80");
    CHECK(translated(rules.v6, web("2001:db8:1::1", "2001:db8:2::1", "eth0")) == dnat);
}

TEST_CASE("host rules: nft's own words, with both families in one table", "[netns]") {
    const Host host;
    host.run(
        "nft -f - <<END\n"
        "table inet t {\n"
        " chain pre { type nat hook prerouting priority -100;\n"
        "  fib daddr type local meta nfproto ipv4 tcp dport 8080 counter dnat ip to 172.17.0.2:80\n"
        "  meta nfproto ipv6 tcp dport 8080 dnat ip6 to [2001:db8::2]:80\n"
        " }\n"
        " chain post { type nat hook postrouting priority 100;\n"
        "  oif \"out\" ip saddr 10.0.0.0/8 masquerade\n"
        "  oifname \"veth*\" snat ip to 192.0.2.7\n"
        " }\n"
        " chain f { type filter hook forward priority 0; policy drop;\n"
        "  ct state established,related accept\n"
        "  ct status dnat accept\n"
        "  meta mark and 0xf0 == 0x10 reject\n"
        " }\n"
        "}\nEND");
    const auto rules = host.rules();
    CHECK(texts(rules.v4, "pre") ==
          std::vector<std::string>{"fib daddr type local tcp dport 8080 dnat to 172.17.0.2:80"});
    CHECK(texts(rules.v6, "pre") == std::vector<std::string>{"tcp dport 8080 dnat to [2001:db8::2]:80"});
    CHECK(texts(rules.v4, "post") ==
          std::vector<std::string>{"oifname \"out\" ip saddr 10.0.0.0/8 masquerade",
                                   "oifname \"veth*\" snat to 192.0.2.7"});
    CHECK(texts(rules.v4, "f") == std::vector<std::string>{"ct state established,related accept",
                                                           "ct status dnat accept",
                                                           "meta mark 0x10/0xf0 reject"});
    auto packet = web("203.0.113.1", "172.17.0.2", "eth0");
    CHECK(kernel::find_drop(rules.v4.chains, NF_INET_FORWARD, packet).dropped);
    packet.flow = kernel::flow_is_new | kernel::flow_has_dnat;
    CHECK_FALSE(kernel::find_drop(rules.v4.chains, NF_INET_FORWARD, packet).dropped);
}

TEST_CASE("host rules: what a container's maps have is not known, and that is told", "[netns]") {
    const Host host;
    host.run(
        "nft -f - <<END\n"
        "table ip t {\n"
        " chain a { accept; }\n"
        " chain f { type filter hook forward priority 0;\n"
        "  tcp dport vmap { 80 : drop, 81 : jump a }\n"
        " }\n"
        "}\nEND");
    const auto rules = host.rules(HostRules::ask_of_container);
    const auto decision =
        kernel::find_drop(rules.v4.chains, NF_INET_FORWARD, web("203.0.113.1", "172.17.0.2", "eth0"));
    CHECK(decision.uncertain);
    REQUIRE(decision.doubtful);
    CHECK(decision.doubtful->to_string() == "meta l4proto tcp … vmap @__map0");
}

TEST_CASE("host rules: what sets and maps have decides", "[netns]") {
    const Host host;
    host.run(
        "nft -f - <<END\n"
        "table inet t {\n"
        " set blocked { type ipv4_addr; flags interval; elements = { 192.0.2.0/25, 192.0.2.200, "
        "255.255.255.0/24 } }\n"
        " set served { type ipv4_addr . inet_service; flags interval; elements = { 172.17.0.0/24 . 80-90 } "
        "}\n"
        " set limited { type ipv4_addr; limit rate 1/second; elements = { 192.0.2.250 limit rate 1/second } "
        "}\n"
        " chain f { type filter hook forward priority 0; policy drop;\n"
        "  ct state vmap { established : accept, related : accept, invalid : drop }\n"
        "  ip saddr @blocked drop\n"
        "  iifname { \"lo\", \"br7\" } accept\n"
        "  ip saddr @limited accept\n"
        "  tcp dport { 22, 443 } accept\n"
        "  tcp dport != { 1, 2, 80-100 } jump other\n"
        "  ip daddr . tcp dport @served accept\n"
        "  meta l4proto . th dport vmap { udp . 53 : accept, tcp . 99 : goto other }\n"
        " }\n"
        " chain other { th dport vmap { 99 : accept, 7 : drop, 8 : continue, 9 : return, * : drop }; }\n"
        "}\nEND");
    const auto rules = host.rules();
    REQUIRE(rules.v4.known);
    CHECK(texts(rules.v4, "f") ==
          std::vector<std::string>{"ct state vmap { invalid : drop, established : accept, related : accept }",
                                   "ip saddr @blocked drop", "iifname { \"br7\", \"lo\" } accept",
                                   "ip saddr @limited accept", "tcp dport { 22, 443 } accept",
                                   "tcp dport != { … } jump other", "ip daddr . tcp dport @served accept",
                                   "meta l4proto . th dport vmap { … }"});
    auto packet = web("203.0.113.1", "172.17.0.2", "eth0");
    packet.destination_local = false;
    packet.output = "docker0";
    const auto decide = [&](const char* from, const char* to, std::uint16_t port) {
        packet.source = *IpAddress::parse(from);
        packet.destination = *IpAddress::parse(to);
        packet.destination_port = port;
        const auto decision = kernel::find_drop(rules.v4.chains, NF_INET_FORWARD, packet);
        if (decision.uncertain) return "uncertain: " + decision.doubtful->to_string();
        if (!decision.dropped) return std::string("passes");
        return decision.rule == nullptr ? "policy of " + decision.chain->name : decision.rule->to_string();
    };
    const char* outside = "203.0.113.1";
    const char* inside = "172.17.0.2";
    CHECK(decide(outside, inside, 22) == "passes");
    CHECK(decide("192.0.2.127", inside, 22) == "ip saddr @blocked drop");
    CHECK(decide("192.0.2.128", inside, 22) == "passes");
    CHECK(decide("192.0.2.200", inside, 22) == "ip saddr @blocked drop");
    CHECK(decide("192.0.2.201", inside, 22) == "passes");
    CHECK(decide("255.255.255.255", inside, 22) == "ip saddr @blocked drop");
    CHECK(decide(outside, inside, 85) == "passes");
    CHECK(decide(outside, "172.17.1.2", 85) == "policy of f");
    CHECK(decide(outside, inside, 95) == "policy of f");
    CHECK(decide(outside, inside, 99) == "passes");
    CHECK(decide(outside, inside, 7).starts_with("th dport vmap"));
    CHECK(decide(outside, inside, 1234).starts_with("th dport vmap"));
    CHECK(decide(outside, inside, 9) == "policy of f");
    CHECK(decide("192.0.2.250", inside, 95).starts_with("uncertain: ip saddr @limited"));
    packet.flow = kernel::flow_is_established;
    CHECK(decide("192.0.2.1", inside, 7) == "passes");
    packet.flow = 1;
    CHECK(decide(outside, inside, 22).starts_with("ct state vmap"));
    packet.flow = kernel::flow_is_new;
    packet.input = "br7";
    CHECK(decide(outside, inside, 95) == "passes");
    packet.input.reset();
    CHECK(decide(outside, inside, 95).starts_with("uncertain: iifname"));
}

TEST_CASE("host rules: what a map of addresses says is not known, and that is told", "[netns]") {
    const Host host;
    host.run(
        "nft -f - <<END\n"
        "table ip t {\n"
        " chain pre { type nat hook prerouting priority -100;\n"
        "  dnat to tcp dport map { 8080 : 172.17.0.2, 8081 : 172.17.0.3 }\n"
        " }\n"
        "}\nEND");
    const auto rules = host.rules();
    auto packet = web("192.0.2.1", "203.0.113.1", "out");
    CHECK(kernel::find_nat(rules.v4.chains, NF_INET_PRE_ROUTING, packet).uncertain);
    packet.destination_port = 8082;
    const auto other = kernel::find_nat(rules.v4.chains, NF_INET_PRE_ROUTING, packet);
    CHECK_FALSE(other.uncertain);
    CHECK(other.rule == nullptr);
}

TEST_CASE("host rules: what a map jumps to is reached, and a rule behind another of its port is shadowed",
          "[netns]") {
    const Host host;
    host.run(
        "nft -f - <<END\n"
        "table ip t {\n"
        " chain web { tcp dport 80 dnat to 172.17.0.2:8080; tcp dport 80 dnat to 172.17.0.3:8080; }\n"
        " chain left { tcp dport 81 dnat to 172.17.0.4; }\n"
        " chain pre { type nat hook prerouting priority -100;\n"
        "  meta l4proto vmap { tcp : jump web, udp : drop }\n"
        "  tcp dport 80 dnat to 172.17.0.2:8080\n"
        "  ip saddr 10.0.0.0/8 tcp dport 80 dnat to 172.17.0.5\n"
        " }\n"
        "}\nEND");
    const auto rules = host.rules();
    const auto found = operations::find_dnat_rules(rules.v4.chains);
    std::vector<std::string> told;
    for (const auto& one : found) {
        const auto by = operations::find_shadowing(rules.v4.chains, one, *IpAddress::parse("192.0.2.1"),
                                                   *IpAddress::parse("203.0.113.1"), "out");
        told.push_back(one.rule->to_string() + (one.reached ? "" : " unreached") +
                       (by ? " behind " + by->text : ""));
    }
    std::ranges::sort(told);
    CHECK(told == std::vector<std::string>{
                      "ip saddr 10.0.0.0/8 tcp dport 80 dnat to 172.17.0.5",  // of some clients alone
                      "tcp dport 80 dnat to 172.17.0.2:8080",
                      "tcp dport 80 dnat to 172.17.0.2:8080",  // behind one that says the same
                      "tcp dport 80 dnat to 172.17.0.3:8080 behind tcp dport 80 dnat to 172.17.0.2:8080",
                      "tcp dport 81 dnat to 172.17.0.4 unreached"});
}

TEST_CASE("host rules: TCP's flags and several ports are looked at", "[netns]") {
    const Host host;
    for (const std::string program : {"iptables-nft", "iptables-legacy"}) {
        INFO(program);
        host.run(program + " -A FORWARD -p tcp ! --syn -m conntrack --ctstate NEW -j DROP; " + program +
                 " -A FORWARD -p tcp --tcp-flags SYN,ACK SYN,ACK -j ACCEPT; " + program +
                 " -A FORWARD -p tcp -m multiport --dports 22,80:90,8080 -j ACCEPT; " + program +
                 " -A FORWARD -p tcp -m multiport ! --sports 1,40000 -j RETURN; " + program +
                 " -A FORWARD -j DROP");
        const auto rules = host.rules();
        CHECK(texts(rules.v4, "FORWARD") ==
              std::vector<std::string>{"ct state new tcp flags != syn / fin,syn,rst,ack drop",
                                       "tcp flags syn,ack / syn,ack accept",
                                       "tcp dport { 22, 80-90, 8080 } accept",
                                       "tcp sport != { 1, 40000 } return", "drop"});
        auto packet = web("203.0.113.1", "172.17.0.2", "eth0");
        const auto drop = [&](std::uint16_t port) {
            packet.destination_port = port;
            const auto decision = kernel::find_drop(rules.v4.chains, NF_INET_FORWARD, packet);
            CHECK_FALSE(decision.uncertain);
            return decision.dropped ? decision.rule->to_string() : std::string();
        };
        for (const std::uint16_t passes : std::initializer_list<std::uint16_t>{22, 80, 85, 90, 8080})
            CHECK(drop(passes).empty());
        for (const std::uint16_t stays : std::initializer_list<std::uint16_t>{23, 79, 91})
            CHECK(drop(stays) == "drop");
        packet.source_port = 2;
        CHECK(drop(23).empty());
        packet.source_port = 40'000;
        packet.flow = kernel::flow_is_established;
        CHECK(drop(23).empty());
        host.run(program + " -F FORWARD");
    }
    host.run(
        "nft -f - <<END\n"
        "table ip t { chain f { type filter hook forward priority 0;\n"
        "  tcp flags syn drop\n tcp flags & (syn | ack) == ack drop\n tcp flags == fin drop\n"
        "  meta l4proto . th dport vmap { tcp . 80-90 : accept }\n }\n}\nEND");
    CHECK(texts(host.rules().v4, "f") ==
          std::vector<std::string>{"tcp flags syn drop", "tcp flags ack / syn,ack drop",
                                   "tcp flags == fin drop", "meta l4proto . th dport vmap { … }"});
}

TEST_CASE("host rules: of equal priority the chain that was made last is the first", "[netns]") {
    const Host host;
    host.run(
        "nft 'table ip a { chain p { type nat hook prerouting priority -100; tcp dport 80 dnat to 10.0.0.1; "
        "}; }'; "
        "nft 'table inet b { chain p { type nat hook prerouting priority -100; tcp dport 80 redirect to "
        ":8080; }; }'");
    auto packet = web("203.0.113.1", "192.0.2.1", "out");
    packet.destination_port = 80;
    const auto rules = host.rules();
    const auto first = kernel::find_nat(rules.v4.chains, NF_INET_PRE_ROUTING, packet);
    REQUIRE(first.rule != nullptr);
    CHECK(first.chain->table == "inet b");
    CHECK(first.rule->to_string() == "tcp dport 80 redirect to :8080");
}

TEST_CASE("host rules: iptables-legacy's policy is no rule, and a counter with a name only counts",
          "[netns]") {
    const Host host;
    host.run(
        "iptables-legacy -P FORWARD DROP; "
        "nft 'table ip t { counter c { }; chain f { type filter hook forward priority -5; tcp dport 80 "
        "counter name c drop; }; }'");
    auto packet = web("203.0.113.1", "172.17.0.2", "out");
    const auto rules = host.rules();
    const auto by_policy = kernel::find_drop(rules.v4.chains, NF_INET_FORWARD, packet);
    CHECK(by_policy.dropped);
    CHECK_FALSE(by_policy.uncertain);
    CHECK(by_policy.rule == nullptr);
    CHECK(by_policy.chain->name == "FORWARD");
    packet.destination_port = 80;
    const auto by_rule = kernel::find_drop(rules.v4.chains, NF_INET_FORWARD, packet);
    CHECK_FALSE(by_rule.uncertain);
    REQUIRE(by_rule.rule != nullptr);
    CHECK(by_rule.rule->to_string() == "tcp dport 80 drop");
}

TEST_CASE("host rules: what cannot be told for certain is not", "[netns]") {
    const Host host;
    host.run("iptables-legacy -A FORWARD -p tcp -m multiport --dports 8000:8100 --syn -j RETURN");
    CHECK(texts(host.rules().v4, "FORWARD") ==
          std::vector<std::string>{"tcp dport 8000-8100 tcp flags syn / fin,syn,rst,ack return"});
    // A set that rules fill; what stands behind a map; an inverted set with an element for all others.
    for (const std::string rules :
         {"set s { type ipv4_addr; flags dynamic; }\n chain f { type filter hook forward priority 5;\n"
          "  tcp dport 8080 add @s { ip saddr }\n  ip saddr @s drop\n }",
          "chain f { type filter hook forward priority 5;\n  tcp dport vmap { 80 : continue } drop\n }",
          "chain f { type filter hook forward priority 5;\n"
          "  tcp dport vmap { 22 : accept, 80 : continue } ip saddr vmap { 203.0.113.1 : drop }\n }",
          "set s { type ipv4_addr; elements = { 192.0.2.1, * }; }\n"
          " chain f { type filter hook forward priority 5;\n  ip saddr != @s drop\n }"}) {
        INFO(rules);
        host.run("nft -f - <<END\ntable ip t {\n " + rules + "\n}\nEND");
        const auto read = host.rules();
        const auto decision =
            kernel::find_drop(read.v4.chains, NF_INET_FORWARD, web("203.0.113.1", "172.17.0.2", "eth0"));
        CHECK(decision.uncertain);
        host.run("nft delete table ip t");
    }
}

TEST_CASE("host rules: ip6tables-legacy's are read as ip6tables-nft's", "[netns]") {
    for (const std::string program : {"ip6tables-legacy", "ip6tables-nft"}) {
        INFO(program);
        const Host host;
        host.run(docker_rules(program, "[2001:db8::2]:80") + ";" + program +
                 " -I FORWARD -s 2001:db8:bad::/48 -d 2001:db8::2 -p tcp -j DROP");
        const auto rules = host.rules();
        CHECK(rules.v6.known);
        CHECK(texts(rules.v4, "DOCKER").empty());
        const auto dnat = texts(rules.v6, "DOCKER").at(1);
        CHECK(dnat == "iifname != \"docker0\" tcp dport 8080 dnat to [2001:db8::2]:80");
        CHECK(translated(rules.v6, web("2001:db8:1::1", "2001:db8:2::1", "eth0")) == dnat);

        auto forwarded = web("2001:db8:bad::1", "2001:db8::2", "eth0");
        forwarded.output = "docker0";
        const auto dropped = kernel::find_drop(rules.v6.chains, NF_INET_FORWARD, forwarded);
        REQUIRE(dropped.rule != nullptr);
        CHECK(dropped.rule->to_string() ==
              "ip6 saddr 2001:db8:bad::/48 ip6 daddr 2001:db8::2 meta l4proto tcp drop");
        const auto described = operations::describe_rule(*dropped.chain, *dropped.rule);
        CHECK(described.family == "ip6");
        CHECK(described.table == "filter");
        CHECK(operations::delete_command(described) ==
              (program == "ip6tables-legacy"
                   ? "ip6tables-legacy -t filter -D FORWARD 1"
                   : "nft delete rule ip6 filter FORWARD handle " + std::to_string(*described.handle)));
        host.run(operations::delete_command(described));
        const auto mended = host.rules();
        CHECK_FALSE(kernel::find_drop(mended.v6.chains, NF_INET_FORWARD, forwarded).dropped);
        forwarded.destination_port = 81;
        const auto by_policy = kernel::find_drop(mended.v6.chains, NF_INET_FORWARD, forwarded);
        CHECK(by_policy.dropped);
        CHECK(by_policy.rule == nullptr);
        CHECK_FALSE(by_policy.uncertain);
    }
}

TEST_CASE("host rules: a filter of reverse paths drops what has no way back", "[netns]") {
    // firewalld's, and iptables' own.
    for (const std::string rules :
         {"nft 'table inet firewalld { chain mangle_PREROUTING { type filter hook prerouting priority -140; "
          "icmpv6 type { nd-router-advert, nd-neighbor-solicit } accept; "
          "meta nfproto ipv6 fib saddr . mark . iif oif missing drop; }; }'",
          "ip6tables-nft -t raw -A PREROUTING -m rpfilter --invert -j DROP",
          "ip6tables-legacy -t raw -A PREROUTING -m rpfilter --validmark --invert -j DROP"}) {
        INFO(rules);
        const Host host;
        host.run(std::string(rules));
        const auto read = host.rules();
        auto packet = web("2001:db8:1::1", "2001:db8:2::1", "eth0");
        const auto decided = [&] { return kernel::find_drop(read.v6.chains, NF_INET_PRE_ROUTING, packet); };
        CHECK(decided().uncertain);
        packet.reverse_path = true;
        CHECK_FALSE(decided().uncertain);
        CHECK_FALSE(decided().dropped);
        packet.reverse_path = false;
        CHECK(decided().dropped);
        CHECK_FALSE(decided().uncertain);
        CHECK(decided().rule->to_string() == "fib saddr . iif oif missing drop");
    }
}

TEST_CASE("host rules: what is not tracked is no NAT", "[netns]") {
    for (const std::string rules :
         {"nft 'table ip t { chain f { type filter hook forward priority 0; ct state untracked drop; }; }'",
          "iptables-nft -A FORWARD -m conntrack --ctstate UNTRACKED -j DROP",
          "iptables-legacy -A FORWARD -m conntrack --ctstate UNTRACKED -j DROP"}) {
        INFO(rules);
        const Host host;
        host.run(std::string(rules));
        const auto read = host.rules();
        const auto* chain = rules[0] == 'n' ? "f" : "FORWARD";
        CHECK(texts(read.v4, chain) == std::vector<std::string>{"ct state untracked drop"});
        auto packet = web("203.0.113.1", "172.17.0.2", "eth0");
        packet.flow = kernel::flow_is_new | kernel::flow_has_snat;
        CHECK_FALSE(kernel::find_drop(read.v4.chains, NF_INET_FORWARD, packet).dropped);
    }
}

TEST_CASE("host rules: a set's addresses are told in their own family", "[netns]") {
    const Host host;
    host.run(
        "nft 'table inet t { set s { type ipv6_addr . inet_service; elements = { 2001:db8::1 . 80 }; }; "
        "set n { type ifname . ipv4_addr; elements = { \"eth0\" . 192.0.2.1 }; }; "
        "chain f { type filter hook forward priority 0; ip6 saddr . tcp dport @s drop; "
        "iifname . ip saddr @n drop; }; }'");
    CHECK(texts(host.rules().v6, "f").at(0) == "ip6 saddr . tcp dport @s drop");
    CHECK(texts(host.rules().v4, "f").back() == "iifname . ip saddr @n drop");
}

TEST_CASE("host rules: a set that is too large takes nothing from the others", "[netns]") {
    const Host host;
    // More than NftTables::most_elements bytes of them.
    host.run(
        "{ echo 'table ip t { set large { type ipv4_addr; elements = {'; awk 'BEGIN { for (i = 0; i < "
        "300000; ++i) printf \"%s10.%d.%d.%d\", i ? \",\" : \"\", i / 65536, i / "
        "256 % 256, i % 256 }'; echo '}; }; set small { type inet_service; elements = { 8080 }; }; "
        "chain f { type filter hook forward priority 0; tcp dport @small drop; ip saddr @large drop; }; }'; "
        "} "
        "| nft -f -");
    auto packet = web("203.0.113.1", "172.17.0.2", "eth0");
    const auto rules = host.rules();
    const auto dropped = kernel::find_drop(rules.v4.chains, NF_INET_FORWARD, packet);
    CHECK(dropped.dropped);
    CHECK_FALSE(dropped.uncertain);
    packet.destination_port = 80;
    CHECK(kernel::find_drop(rules.v4.chains, NF_INET_FORWARD, packet).uncertain);
}

TEST_CASE("host rules: rules and sets of two generations are not taken for one", "[netns]") {
    const Host host;
    // They take their time to read.
    host.run(
        "{ echo 'table ip many {'; for i in $(seq 300); do echo \"set s$i { type inet_service; elements = { "
        "$i }; "
        "}\"; done; echo '}'; } | nft -f -");
    // Both drop it; the first anonymous set of the one is not that of the other.
    const auto change = host.network.name('a');
    std::jthread churn([&](const std::stop_token& stop) {
        while (!stop.stop_requested()) {
            for (const std::string rules :
                 {"tcp dport { 8080, 8081 } drop;",
                  "tcp dport { 9090, 9091 } accept; tcp dport { 8080, 8081 } drop;"})
                (void)support::run({"ip", "netns", "exec", change, "nft",
                                    "add table ip t; delete table ip t; table ip t { chain f { type filter "
                                    "hook forward priority 0; " +
                                        rules + " }; }"});
        }
    });
    const auto packet = web("203.0.113.1", "172.17.0.2", "eth0");
    int known = 0;
    for (int i = 0; i < 60; ++i) {
        const auto rules = host.rules();
        if (!rules.v4.known || rules.v4.chains.empty()) continue;
        ++known;
        const auto decision = kernel::find_drop(rules.v4.chains, NF_INET_FORWARD, packet);
        CHECK((decision.dropped || decision.uncertain));
    }
    CHECK(known > 0);
}

TEST_CASE("host rules: an echo is told from other ICMP, and no packet has a routing header", "[netns]") {
    // The beginning of ufw's, and nft's own words.
    for (const std::string program :
         {"iptables-nft", "iptables-legacy", "ip6tables-nft", "ip6tables-legacy", "nft"}) {
        INFO(program);
        const Host host;
        const bool v6 = program.starts_with("ip6");
        if (program == "nft") {
            host.run(
                "nft 'table inet t { chain INPUT { type filter hook input priority 0; policy drop; icmp type "
                "{ "
                "destination-unreachable, time-exceeded } accept; icmp type echo-request accept; }; }'");
        } else {
            const auto icmp =
                v6 ? " -p icmpv6 -m icmp6 --icmpv6-type " : std::string(" -p icmp -m icmp --icmp-type ");
            host.run(program + " -P INPUT DROP; " +
                     (v6 ? program + " -A INPUT -m rt --rt-type 0 -j DROP; " : "") + program + " -A INPUT" +
                     icmp + "3 -j ACCEPT; " + program + " -A INPUT" + icmp + (v6 ? "128" : "8") +
                     " -j ACCEPT");
        }
        auto packet =
            v6 ? web("2001:db8:1::1", "2001:db8:2::1", "eth0") : web("203.0.113.1", "198.51.100.2", "eth0");
        const auto rules = host.rules();
        const auto dropped = [&] {
            const auto decision =
                kernel::find_drop(rules.of(packet.source.family()).chains, NF_INET_LOCAL_IN, packet);
            CHECK_FALSE(decision.uncertain);
            return decision.dropped;
        };
        CHECK(dropped());  // TCP
        packet.protocol = v6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP;
        packet.source_port = packet.destination_port = 0;
        CHECK_FALSE(dropped());
        packet.flow = kernel::flow_is_established;  // its reply
        CHECK(dropped());
        const auto last = texts(rules.of(packet.source.family()), "INPUT").back();
        CHECK(last == (v6 ? "icmpv6 type echo-request accept" : "icmp type echo-request accept"));
    }
}

TEST_CASE("host rules: what is for a broadcast is not for a local address", "[netns]") {
    for (const std::string program : {"iptables-nft", "iptables-legacy"}) {
        INFO(program);
        const Host host;
        // ufw's.
        host.run(program + " -A INPUT -m addrtype --dst-type BROADCAST -j DROP");
        auto packet = web("203.0.113.1", "198.51.100.2", "eth0");
        const auto rules = host.rules();
        CHECK_FALSE(kernel::find_drop(rules.v4.chains, NF_INET_LOCAL_IN, packet).uncertain);
        packet.destination_local = false;
        CHECK(kernel::find_drop(rules.v4.chains, NF_INET_LOCAL_IN, packet).uncertain);
    }
}

TEST_CASE("host rules: a table that is dormant is met by nothing, and who owns one is known", "[netns]") {
    const Host host;
    host.run(
        "nft -f - <<END\n"
        "table inet sleeps { flags dormant;\n"
        " chain f { type filter hook forward priority 0; policy drop; }\n"
        " chain n { type nat hook prerouting priority -100; tcp dport 8080 dnat ip to 172.17.0.9; }\n"
        "}\n"
        "table ip awake { chain f { type filter hook forward priority 0; tcp dport 81 drop; }; }\n"
        "END");
    const auto rules = host.rules();
    const auto packet = web("203.0.113.1", "172.17.0.2", "eth0");
    CHECK_FALSE(kernel::find_drop(rules.v4.chains, NF_INET_FORWARD, packet).dropped);
    CHECK(translated(rules.v4, packet) == "nothing");
    CHECK(operations::find_dnat_rules(rules.v4.chains).empty());
    REQUIRE(rules.v4.chains.size() == 1);
    CHECK_FALSE(rules.v4.chains[0].owner);
    host.run("nft add table inet sleeps");  // awakes it
    CHECK(kernel::find_drop(host.rules().v4.chains, NF_INET_FORWARD, packet).dropped);
    // As long as the program is there.
    const std::string script =
        "f=$(mktemp -u); mkfifo $f; exec 3<>$f; rm $f; "
        "echo 'add table ip owned { flags owner; }' >&3; "
        "echo 'add chain ip owned f { type filter hook forward priority 7; }' >&3; "
        "echo 'add rule ip owned f drop' >&3; exec nft -i <&3";
    const support::Process owner({"ip", "netns", "exec", host.network.name('a'), "sh", "-ec", script});
    const kernel::RuleChain* owned = nullptr;
    RuleSet read;
    CHECK(support::eventually(
        [&] {
            read = host.rules();
            const auto found = std::ranges::find(read.v4.chains, "ip owned", &kernel::RuleChain::table);
            owned = found == read.v4.chains.end() || found->rules.empty() ? nullptr : &*found;
            return owned != nullptr;
        },
        std::chrono::seconds(5)));
    REQUIRE(owned != nullptr);
    CHECK(owned->owner);
    CHECK(operations::delete_command(operations::describe_rule(*owned, owned->rules[0])).empty());
}

TEST_CASE("host rules: what bridges and devices see is read, too", "[netns]") {
    const Host host;
    host.run(
        "nft -f - <<END\n"
        "table bridge b { chain f { type filter hook output priority 0;\n"
        "  ether type ip6 drop\n"
        "  ip daddr 172.17.0.2 tcp dport 8080 drop\n"
        "}; }\n"
        "table netdev n {\n"
        " set blocked { type ipv4_addr; flags interval; elements = { 10.0.0.0/8 }; }\n"
        " chain in { type filter hook ingress device \"out\" priority 0; ip saddr @blocked drop; }\n"
        "}\n"
        "table inet i { chain in { type filter hook ingress device \"out\" priority 1; tcp dport 81 drop; }; "
        "}\n"
        "END");
    const auto rules = host.rules();
    CHECK(rules.v4.chains.size() == 1);  // its hook is another
    constexpr std::uint32_t bridge_output = 3;
    using Kind = kernel::FramePoint::Kind;
    auto packet = web("203.0.113.1", "172.17.0.2", "eth0");
    packet.input.reset();
    const auto at = [&](const kernel::FramePoint& point, const operations::FamilyRules& of) {
        return kernel::find_frame_drop(of.frames, point, packet);
    };
    auto decision = at({Kind::bridge, {}, bridge_output}, rules.v4);
    CHECK(decision.dropped);
    CHECK_FALSE(decision.uncertain);
    CHECK_FALSE(at({Kind::ingress, "out"}, rules.v4).dropped);
    packet.source = *IpAddress::parse("10.1.2.3");
    CHECK(at({Kind::ingress, "out"}, rules.v4).dropped);
    CHECK_FALSE(at({Kind::ingress, "other"}, rules.v4).dropped);
    packet.source = *IpAddress::parse("203.0.113.1");
    packet.destination_port = 81;
    CHECK(at({Kind::ingress, "out"}, rules.v4).dropped);
    packet.source = *IpAddress::parse("2001:db8::1");
    packet.destination = *IpAddress::parse("2001:db8::2");
    CHECK(at({Kind::bridge, {}, bridge_output}, rules.v6).dropped);
}

TEST_CASE("host rules: marks and what conntrack does not see, whichever program made the rules", "[netns]") {
    for (const std::string iptables : {"iptables-nft", "iptables-legacy"}) {
        INFO(iptables);
        const Host host;
        host.run(iptables + " -t mangle -A PREROUTING -p tcp --dport 8080 -j MARK --set-mark 1;" + iptables +
                 " -t raw -A PREROUTING -p tcp --dport 8081 -j CT --notrack");
        const auto rules = host.rules();
        auto packet = web("203.0.113.1", "198.51.100.2", "eth0");
        const auto effects = [&] {
            return kernel::find_drop(rules.v4.chains, NF_INET_PRE_ROUTING, packet).effects;
        };
        CHECK(effects().marks);
        CHECK(effects().untracks == nullptr);
        packet.destination_port = 8081;
        CHECK_FALSE(effects().marks);
        REQUIRE(effects().untracks != nullptr);
        CHECK(effects().untrack_chain->name == "PREROUTING");
    }
    const Host host;
    host.run(
        "nft 'add table ip t; add chain ip t pre { type filter hook prerouting priority raw; }; "
        "add rule ip t pre tcp dport 8080 meta mark set 1; add rule ip t pre tcp dport 8081 notrack; "
        "add rule ip t pre meta priority set 1:1'");
    const auto rules = host.rules();
    auto packet = web("203.0.113.1", "198.51.100.2", "eth0");
    CHECK(kernel::find_drop(rules.v4.chains, NF_INET_PRE_ROUTING, packet).effects.marks);
    packet.destination_port = 8081;
    const auto effects = kernel::find_drop(rules.v4.chains, NF_INET_PRE_ROUTING, packet).effects;
    CHECK_FALSE(effects.marks);
    CHECK(effects.untracks != nullptr);
}

TEST_CASE("host rules: a connection's mark, and zones of conntrack's, whichever program made the rules",
          "[netns]") {
    const auto effects = [](const Host& host) {
        const auto rules = host.rules();
        return kernel::find_drop(rules.v4.chains, NF_INET_PRE_ROUTING,
                                 web("203.0.113.1", "198.51.100.2", "eth0"))
            .effects;
    };
    const auto zone = [](const Host& host) {
        const auto rules = host.rules();
        const auto found = kernel::find_drop(rules.v4.chains, NF_INET_PRE_ROUTING,
                                             web("203.0.113.1", "198.51.100.2", "eth0"))
                               .effects;
        REQUIRE(found.zones != nullptr);
        CHECK(found.surely_zones);
        return found.zones->zone->of_answers;
    };
    for (const std::string iptables : {"iptables-nft", "iptables-legacy"}) {
        INFO(iptables);
        const Host host;
        const auto mangle = iptables + " -t mangle -A PREROUTING -j CONNMARK ";
        const auto raw = iptables + " -t raw -A PREROUTING -j CT ";
        host.run(mangle + "--set-mark 7");
        CHECK_FALSE(effects(host).marks);
        host.run(mangle + "--restore-mark --nfmask 0xff --ctmask 0xff");
        CHECK(effects(host).marks);
        CHECK(effects(host).zones == nullptr);
        host.run(raw + "--zone 5");
        CHECK(zone(host) == 5);
        // What has a zone by then is not taken from conntrack.
        host.run(raw + "--notrack");
        CHECK(effects(host).untracks == nullptr);
        host.run(iptables + " -t raw -F; " + raw + "--zone-orig 5");
        CHECK(zone(host) == 0);
        host.run(iptables + " -t raw -F; " + raw + "--zone mark");
        CHECK_FALSE(zone(host));
    }
    const Host host;
    host.run(
        "nft 'add table ip t; add chain ip t pre { type filter hook prerouting priority raw; }; "
        "add rule ip t pre ct zone set 5'");
    CHECK(zone(host) == 5);
    host.run("nft 'flush chain ip t pre; add rule ip t pre ct original zone set 5'");
    CHECK(zone(host) == 0);
    host.run(
        "nft 'flush chain ip t pre; add rule ip t pre ct mark set 5; add rule ip t pre notrack; "
        "add rule ip t pre ct state untracked drop'");
    CHECK(effects(host).zones == nullptr);
    CHECK(effects(host).surely_untracks);
    const auto untracked = kernel::find_drop(host.rules().v4.chains, NF_INET_PRE_ROUTING,
                                             web("203.0.113.1", "198.51.100.2", "eth0"));
    CHECK(untracked.dropped);
    CHECK_FALSE(untracked.uncertain);
    // Behind conntrack it does nothing.
    host.run(
        "nft 'delete table ip t; add table ip t; add chain ip t pre { type filter hook prerouting "
        "priority -190; }; add rule ip t pre notrack; add rule ip t pre ct zone set 5'");
    CHECK(effects(host).untracks == nullptr);
    CHECK(effects(host).zones == nullptr);
}

TEST_CASE("host rules: the networks that sets name are clients' networks", "[netns]") {
    const Host host;
    host.run(
        "nft -f - <<END\n"
        "table ip t {\n"
        " set some { type ipv4_addr; flags interval; elements = { 203.0.113.0/24, 192.0.2.4-192.0.2.7, "
        "255.0.0.0/8 }; }\n"
        " set pairs { type inet_service . ipv4_addr; flags interval; elements = { 80 . 198.18.0.0/15 }; }\n"
        " chain f { type filter hook forward priority 0;\n"
        "  ip saddr @some drop\n"
        "  tcp dport . ip saddr @pairs drop\n"
        "  ip saddr { 198.51.100.9, 198.51.100.77 } drop\n"
        "  ip saddr vmap { 10.0.0.0/8 : drop }\n"
        "}; }\nEND");
    const auto rules = host.rules();
    operations::ClientNetworks networks;
    networks.add(rules.v4.chains);
    const auto clients = networks.clients(
        Family::ipv4, [](const IpAddress&) { return true; }, 16);
    std::vector<std::string> told;
    for (const auto& client : clients.named) {
        told.push_back(client.network->to_string());
        CHECK(client.network->contains(client.address));
        CHECK_FALSE(client.named_by.empty());
    }
    std::ranges::sort(told);
    CHECK(told == std::vector<std::string>{"10.0.0.0/8", "192.0.2.4/30", "198.18.0.0/15", "198.51.100.77/32",
                                           "198.51.100.9/32", "203.0.113.0/24", "255.0.0.0/8"});
    CHECK(clients.anybody.address == *IpAddress::parse("192.0.2.1"));
    CHECK_FALSE(clients.more);
    CHECK(networks
              .clients(
                  Family::ipv4, [](const IpAddress&) { return true; }, 2)
              .more);
}

TEST_CASE("host rules: before conntrack no packet is of a flow, but for what comes by loopback", "[netns]") {
    for (const std::string rules :
         {"nft 'table inet r { chain pre { type filter hook prerouting priority raw; ct state invalid drop; "
          "}; }'",
          "iptables-nft -t raw -A PREROUTING -m conntrack --ctstate INVALID -j DROP",
          "iptables-legacy -t raw -A PREROUTING -m conntrack --ctstate INVALID -j DROP"}) {
        INFO(rules);
        const Host host;
        host.run(std::string(rules));
        const auto read = host.rules();
        auto packet = web("203.0.113.1", "198.51.100.2", "eth0");
        const auto drop = [&] { return kernel::find_drop(read.v4.chains, NF_INET_PRE_ROUTING, packet); };
        CHECK(drop().dropped);
        CHECK_FALSE(drop().uncertain);
        packet.input = "lo";
        CHECK_FALSE(drop().dropped);
    }
    const Host host;
    host.run(
        "nft 'table inet r { chain pre { type filter hook prerouting priority -200; ct state new accept; "
        "drop; }; "
        "chain post { type filter hook prerouting priority -190; ct state invalid drop; }; }'");
    CHECK(kernel::find_drop(host.rules().v4.chains, NF_INET_PRE_ROUTING,
                            web("203.0.113.1", "198.51.100.2", "eth0"))
              .uncertain);
}

TEST_CASE("host rules: the policy of a chain of NAT's drops", "[netns]") {
    const Host host;
    host.run(
        docker_rules("iptables-nft", "172.17.0.2:80") +
        "; nft 'table ip x { chain pre { type nat hook prerouting priority -110; policy drop; tcp dport 22 "
        "accept; }; }'");
    const auto rules = host.rules();
    auto packet = web("203.0.113.1", "198.51.100.2", "eth0");
    const auto dropped = kernel::find_nat(rules.v4.chains, NF_INET_PRE_ROUTING, packet);
    CHECK(kernel::is_drop(dropped));
    REQUIRE(dropped.chain != nullptr);
    CHECK(dropped.chain->table == "ip x");
    CHECK(dropped.rule == nullptr);
    packet.destination_port = 22;
    CHECK_FALSE(kernel::is_drop(kernel::find_nat(rules.v4.chains, NF_INET_PRE_ROUTING, packet)));
}
