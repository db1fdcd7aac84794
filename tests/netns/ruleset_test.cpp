#include "daemon/operations/ruleset_reader.hpp"
#include "daemon/operations/rulesets.hpp"
#include "tests/netns/operation_process.hpp"
#include "tests/netns/test_network.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/command.hpp"

#include <fstream>
#include <regex>
#include <thread>

#include <fcntl.h>
#include <sched.h>

using namespace netlab;
using namespace netlab::test;
using namespace netlab::operations;

namespace {

/// Calls `body` in a namespace, on a thread of its own.
template <class Body>
void in_namespace(const std::string& name, Body body) {
    std::thread thread([&] {
        const UniqueFd net(::open(("/run/netns/" + name).c_str(), O_RDONLY | O_CLOEXEC));
        if (::setns(net.get(), CLONE_NEWNET) == 0) body();
    });
    thread.join();
}

std::string read_text(const std::string& name) {
    std::string text;
    in_namespace(name, [&] {
        auto reader = RulesetReader::open();
        REQUIRE(reader);
        auto read = reader->read();
        REQUIRE(read);
        text = *read;
    });
    return text;
}

std::string nft(const std::string& name, const support::Words& words) {
    support::Words all{"ip", "netns", "exec", name, "nft"};
    all.insert(all.end(), words.begin(), words.end());
    return support::run_well(all).out;
}

void load(const std::string& name, const std::string& rules) {
    const auto file = "/tmp/" + name + ".nft";
    std::ofstream(file) << rules;
    nft(name, {"-f", file});
    std::remove(file.c_str());
}

constexpr auto many_kinds = R"(
table inet t {
 comment "a } table # handle 8"
 flags dormant
 set s {
  type ipv4_addr
  flags interval
  comment "set {"
  elements = { 10.0.0.0/8, 192.0.2.1, 192.0.2.9, 192.0.2.11, 192.0.2.13 }
 }
 counter hits {
  packets 0 bytes 0
 }
 quota much {
  over 10 mbytes
 }
 limit slow {
  rate 5/second
 }
 ct helper ftp {
  type "ftp" protocol tcp
 }
 ct timeout long {
  protocol tcp
  policy = { established : 100 }
 }
 synproxy proxy {
  mss 1460
  wscale 7
 }
 chain c {
  comment "chain { x # handle 9"
  counter
 }
 map m {
  type inet_service : verdict
  elements = { 80 : accept, 443 : jump c }
 }
 chain first {
  type filter hook input priority -10; policy drop;
  ip saddr @s counter accept comment "say { counter packets 7 bytes 7"
  tcp dport vmap @m
  ip protocol tcp counter
  meta l4proto udp counter
  meta l4proto ospf counter
  iif lo accept
  meta skuid 0 accept
  tcp dport { 22, 80-90, 100-108, 110 } limit rate 5/minute accept
  log prefix "counter packets 5 bytes 5 # handle 3"
  ct state vmap { established : accept, invalid : drop }
  counter name hits
  meta priority set 1:2
 }
}
table netdev n {
 chain arrival {
  type filter hook ingress device "lo" priority -500; policy drop;
  counter
 }
}
table bridge b {
 chain f {
  type filter hook forward priority 0;
  ether type ip counter drop
 }
}
table arp a {
 chain f {
  type filter hook input priority 0;
  counter
 }
}
table ip6 x {
 chain nat {
  type nat hook prerouting priority -101;
  tcp dport 80 dnat to [2001:db8::1]:80
 }
}
)";

}  // namespace

TEST_CASE("ruleset: the text is nft's own, byte for byte", "[netns]") {
    const TestNetwork network("a");
    load(network.name('a'), many_kinds);
    CHECK(read_text(network.name('a')) == nft(network.name('a'), {"-a", "list", "ruleset"}));
}

TEST_CASE("ruleset: of iptables-nft's rules the text is nft's own, and says what is not translated",
          "[netns]") {
    const TestNetwork network("a");
    const auto iptables = [&](const std::string& words) {
        REQUIRE(shell("ip netns exec " + network.name('a') + " " + words));
    };
    iptables("iptables-nft -N DOCKER");
    iptables("iptables-nft -A FORWARD -j DOCKER");
    iptables("iptables-nft -A DOCKER -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT");
    iptables(
        "iptables-nft -t nat -A PREROUTING -m addrtype --dst-type LOCAL -p tcp --dport 80 "
        "-j DNAT --to-destination 172.17.0.2:80");
    iptables("iptables-nft -t nat -A POSTROUTING -s 172.17.0.0/16 ! -o docker0 -j MASQUERADE");
    iptables("iptables-nft -A INPUT -p sctp -m limit --limit 5/min -j LOG --log-prefix 'x { '");
    iptables("iptables-nft -A INPUT -p tcp -m multiport --dports 1,2,3 -j REJECT --reject-with tcp-reset");
    iptables("ip6tables-nft -A INPUT -p tcp -m tcp --dport 22 -m recent --set -j DROP");
    const auto text = read_text(network.name('a'));
    CHECK(text == nft(network.name('a'), {"-a", "list", "ruleset"}));
    const auto tables = parse_ruleset(text);
    REQUIRE(tables);
    const auto* filter = find_table(*tables, "ip", "filter");
    REQUIRE(filter);
    CHECK(filter->backend == RuleBackend::iptables_nft);
    const auto* input = find_chain(*find_table(*tables, "ip6", "filter"), "INPUT");
    REQUIRE(input);
    REQUIRE(input->rules.size() == 1);
    CHECK(input->rules[0].text == "tcp dport 22 xt match recent drop");
    CHECK(input->rules[0].undecoded);
}
