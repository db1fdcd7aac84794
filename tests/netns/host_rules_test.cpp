#include "daemon/operations/host_rules.hpp"

#include "tests/netns/test_network.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/command.hpp"

#include <algorithm>

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
    [[nodiscard]] RuleSet rules() const {
        const UniqueFd own(::open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC));
        std::vector<operations::TargetHandle> handles;
        handles.push_back(network.handle('a'));
        operations::Namespaces namespaces(std::move(handles));
        REQUIRE(namespaces.enter(0));
        auto asked = HostRules::ask();
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
                                                           "ct state dnat accept",
                                                           "meta mark 0x10/0xf0 reject"});
    auto packet = web("203.0.113.1", "172.17.0.2", "eth0");
    CHECK(kernel::find_drop(rules.v4.chains, NF_INET_FORWARD, packet).dropped);
    packet.flow = kernel::flow_is_new | kernel::flow_has_dnat;
    CHECK_FALSE(kernel::find_drop(rules.v4.chains, NF_INET_FORWARD, packet).dropped);
}

TEST_CASE("host rules: a map of verdicts is not understood, and that is told", "[netns]") {
    const Host host;
    host.run(
        "nft -f - <<END\n"
        "table ip t {\n"
        " chain a { accept; }\n"
        " chain f { type filter hook forward priority 0;\n"
        "  tcp dport vmap { 80 : drop, 81 : jump a }\n"
        " }\n"
        "}\nEND");
    const auto rules = host.rules();
    const auto decision =
        kernel::find_drop(rules.v4.chains, NF_INET_FORWARD, web("203.0.113.1", "172.17.0.2", "eth0"));
    CHECK(decision.uncertain);
    REQUIRE(decision.doubtful);
    CHECK(decision.doubtful->to_string() == "meta l4proto tcp … vmap @__map0");
}

TEST_CASE("host rules: ip6tables-legacy is not read, so IPv6's rules are not known", "[netns]") {
    const Host host;
    host.run("ip6tables-legacy -t nat -N x");
    const auto rules = host.rules();
    CHECK(rules.v4.known);
    CHECK_FALSE(rules.v6.known);
}
