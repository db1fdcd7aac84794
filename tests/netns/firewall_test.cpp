#include "common/api/firewall.hpp"

#include "tests/netns/inspection.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/command.hpp"

#include <algorithm>
#include <regex>
#include <sstream>

#include <boost/json/serialize.hpp>

using namespace netlab;
using namespace netlab::test;
using boost::json::object;

namespace {

std::string text(const object& row, std::string_view key) {
    const auto* found = row.if_contains(key);
    return found != nullptr && found->is_string() ? std::string(found->as_string()) : std::string();
}

std::string number(const object& row, std::string_view key) {
    return boost::json::serialize(row.at(key));
}

/// A command in the namespace; throws where it fails.
std::string in(const TestNetwork& network, const std::string& command) {
    return support::run_well({"ip", "netns", "exec", network.name('a'), "sh", "-c", command}).out;
}

Inspected firewall(const TestNetwork& network, api::FirewallRequest request = {}) {
    request.target = "a";
    return inspect(request, ask(network, "a"));
}

using Lines = std::vector<std::string>;

/// Rules of the referee: "[1:2] -A CHAIN WORDS" under "*TABLE", as "TABLE [1:2] -A CHAIN WORDS".
Lines saved(const TestNetwork& network, const std::string& save) {
    std::istringstream lines(in(network, save + " -c"));
    Lines out;
    std::string table;
    for (std::string line; std::getline(lines, line);) {
        if (line.starts_with('*')) table = line.substr(1);
        if (line.starts_with('[')) out.push_back(table + " " + line);
        if (line.starts_with(':')) out.push_back(table + " " + line);
    }
    std::ranges::sort(out);
    return out;
}

std::string policy_of(const object& chain) {
    auto policy = text(chain, "policy");
    std::ranges::transform(policy, policy.begin(), [](char c) { return static_cast<char>(std::toupper(c)); });
    return policy.empty() ? "-" : policy;
}

Lines legacy_rules(const Inspected& said, const std::string& family) {
    Lines out;
    for (const auto& row : said.rows) {
        if (text(row, "backend") != "iptables_legacy" || text(row, "family") != family) continue;
        if (text(row, "type") == "rule") {
            out.push_back(text(row, "table") + " [" + number(row, "packets") + ":" + number(row, "bytes") +
                          "] -A " + text(row, "chain") + " " + text(row, "text"));
        } else if (text(row, "type") == "chain") {
            const bool base = row.contains("hook");
            out.push_back(text(row, "table") + " :" + text(row, "name") + " " + policy_of(row) + " [" +
                          (base ? number(row, "packets") + ":" + number(row, "bytes") : std::string("0:0")) +
                          "]");
        }
    }
    std::ranges::sort(out);
    return out;
}

}  // namespace

TEST_CASE("firewall: every rule that nft lists, with its text, counters and handle", "[netns]") {
    const TestNetwork network("a");
    in(network,
       "iptables-nft -N DOCKER && iptables-nft -A FORWARD -j DOCKER && "
       "iptables-nft -A DOCKER -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT && "
       "iptables-nft -t nat -A PREROUTING -m addrtype --dst-type LOCAL -p tcp --dport 80 -j DNAT "
       "--to-destination 172.17.0.2:80 && iptables-nft -A OUTPUT -o lo -p icmp -j ACCEPT && "
       "nft add table inet t && nft add chain inet t early '{ type filter hook output priority -10; }' && "
       "nft add rule inet t early counter accept && ping -c 1 -W 1 127.0.0.1");
    const auto said = firewall(network);
    REQUIRE(said.ended);
    CHECK(said.report.at("consistent").as_bool());
    std::istringstream lines(in(network, "nft -a list ruleset 2>/dev/null"));
    const std::regex rule_line(R"(\t\t(.*) # handle (\d+))");
    Lines theirs;
    for (std::string line; std::getline(lines, line);) {
        std::smatch match;
        if (std::regex_match(line, match, rule_line)) theirs.push_back(match[2].str() + " " + match[1].str());
    }
    Lines ours;
    for (const auto& row : said.of("rule")) {
        // nft writes the counter before the verdict: what is said of both is compared.
        const auto counter = row.contains("packets") ? "counter packets " + number(row, "packets") +
                                                           " bytes " + number(row, "bytes")
                                                     : "";
        const auto words = text(row, "text");
        const auto found = std::ranges::find_if(theirs, [&](const std::string& line) {
            auto expected = std::regex_replace(line, std::regex(" ?counter packets \\d+ bytes \\d+"), "");
            expected = std::regex_replace(expected, std::regex("  +"), " ");
            const bool same = expected == number(row, "handle") + " " + words ||
                              expected == number(row, "handle") + "  " + words ||
                              (expected == number(row, "handle") && words == "counter");
            return same && line.find(counter) != line.npos;
        });
        INFO(boost::json::serialize(row));
        CHECK(found != theirs.end());
        if (found != theirs.end()) theirs.erase(found);
    }
    CHECK(theirs.empty());
    const auto chains = said.of("chain");
    REQUIRE(chains.size() == 5);
    CHECK(text(chains[0], "name") == "PREROUTING");
    CHECK(text(chains[2], "name") == "DOCKER");
    CHECK(text(chains[2], "owner") == "docker");
    CHECK(text(chains[3], "name") == "early");
    CHECK(text(chains[4], "name") == "OUTPUT");
}

TEST_CASE("firewall: every rule and policy that iptables-legacy-save and ip6tables-legacy-save show",
          "[netns]") {
    const TestNetwork network("a");
    in(network, R"(
set -e
iptables-legacy -P FORWARD DROP
iptables-legacy -N DOCKER
iptables-legacy -A FORWARD -o docker0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
iptables-legacy -A FORWARD -i docker0 ! -o docker0 -j ACCEPT
iptables-legacy -A DOCKER -d 172.17.0.2/32 ! -i docker0 -o docker0 -p tcp -m tcp --dport 80 -j ACCEPT
iptables-legacy -A FORWARD -j DOCKER
iptables-legacy -A FORWARD -g DOCKER
iptables-legacy -A INPUT -p tcp -m tcp --tcp-flags FIN,SYN,RST,ACK SYN -j REJECT --reject-with tcp-reset
iptables-legacy -A INPUT -p udp -m udp --sport 1000:2000 ! --dport 53 -j DROP
iptables-legacy -A INPUT -p icmp -m icmp --icmp-type 8 -j ACCEPT
iptables-legacy -A INPUT -p icmp -m icmp --icmp-type 3/4 -j ACCEPT
iptables-legacy -A INPUT -p tcp -m multiport --dports 80,443,1000:2000 -j ACCEPT
iptables-legacy -A INPUT -m comment --comment 'say "hello" -j X' -m state --state NEW -j LOG --log-prefix 'x { ' --log-level 7
iptables-legacy -A INPUT -m limit --limit 3/min --limit-burst 10 -j LOG
iptables-legacy -A INPUT -s 192.0.2.0/24 ! -d 198.51.100.7/32 -i eth+
iptables-legacy -A INPUT -m mark --mark 0x10/0xff -j RETURN
iptables-legacy -A OUTPUT -o lo -j ACCEPT
iptables-legacy -A OUTPUT -m owner --uid-owner 1000 -j DROP
iptables-legacy -t nat -A PREROUTING -m addrtype --dst-type LOCAL -p tcp -m tcp --dport 80 -j DNAT --to-destination 172.17.0.2:80
iptables-legacy -t nat -A POSTROUTING -s 172.17.0.0/16 ! -o docker0 -j MASQUERADE
iptables-legacy -t nat -A POSTROUTING -p tcp -j MASQUERADE --to-ports 1024-2048 --random
iptables-legacy -t nat -A POSTROUTING -s 10.0.0.0/8 -j SNAT --to-source 192.0.2.1-192.0.2.9
iptables-legacy -t nat -A OUTPUT -p udp -m udp --dport 53 -j REDIRECT --to-ports 5353
iptables-legacy -t mangle -A FORWARD -p tcp -m tcp --tcp-flags SYN,RST SYN -j TCPMSS --clamp-mss-to-pmtu
iptables-legacy -t mangle -A PREROUTING -j MARK --set-mark 7
iptables-legacy -t raw -A PREROUTING -m iprange --src-range 10.0.0.1-10.0.0.9 -j CT --notrack
ip6tables-legacy -P INPUT DROP
ip6tables-legacy -A INPUT -s 2001:db8::/32 -p tcp -m tcp --dport 22 -j ACCEPT
ip6tables-legacy -A INPUT -p ipv6-icmp -m icmp6 --icmpv6-type 135 -j ACCEPT
ip6tables-legacy -A INPUT -j REJECT --reject-with icmp6-adm-prohibited
ip6tables-legacy -t nat -A PREROUTING -p tcp -m tcp --dport 80 -j DNAT --to-destination [2001:db8::2]:80
ping -c 1 -W 1 127.0.0.1
)");
    const auto said = firewall(network);
    REQUIRE(said.ended);
    CHECK(legacy_rules(said, "ip") == saved(network, "iptables-legacy-save"));
    CHECK(legacy_rules(said, "ip6") == saved(network, "ip6tables-legacy-save"));
    CHECK(said.of("note").empty());
}

TEST_CASE("firewall: a match that is not known is named, and both backends are noted", "[netns]") {
    const TestNetwork network("a");
    in(network,
       "iptables-legacy -A INPUT -m recent --set -j DROP && nft add table ip t && "
       "nft add chain ip t c '{ type filter hook input priority 0; }' && nft add rule ip t c accept");
    const auto said = firewall(network);
    const auto rules = said.of("rule");
    REQUIRE(rules.size() == 2);
    const auto legacy = std::ranges::find_if(
        rules, [](const auto& row) { return text(row, "backend") == "iptables_legacy"; });
    REQUIRE(legacy != rules.end());
    CHECK(text(*legacy, "text") == "-m recent [not decoded] -j DROP");
    CHECK(legacy->at("undecoded").as_bool());
    std::vector<std::string> codes;
    for (const auto& note : said.of("note"))
        codes.push_back(text(note, "code"));
    CHECK(codes == std::vector<std::string>{"both_backends", "undecoded"});
}

TEST_CASE("firewall: names and comments that look like rules stay where they are", "[netns]") {
    const TestNetwork network("a");
    in(network,
       R"(iptables-nft -A INPUT -p tcp -m tcp --dport 1 -j LOG --log-prefix 'a" # handle 9 } table ip x {' && nft add table inet t '{ comment "} # handle 7" ; }' && nft add chain inet t c '{ comment "table ip x { # handle 5" ; }' && )"
       R"(nft 'add rule inet t c tcp dport 2 drop comment "accept # handle 77"')");
    const auto said = firewall(network);
    REQUIRE(said.ended);
    CHECK(said.report.at("consistent").as_bool());
    const auto rules = said.of("rule");
    REQUIRE(rules.size() == 2);
    CHECK(text(rules[0], "chain") == "INPUT");
    CHECK(text(rules[1], "text") == R"(tcp dport 2 drop comment "accept # handle 77")");
    CHECK(text(rules[1], "comment") == "accept # handle 77");
    CHECK(said.of("chain").size() == 2);
}

TEST_CASE("firewall: a table, a chain, a hook and a family are chosen", "[netns]") {
    const TestNetwork network("a");
    in(network,
       "iptables-nft -N MINE && iptables-nft -A FORWARD -j MINE && ip6tables-nft -A INPUT -j DROP && "
       "nft add table inet t && nft add chain inet t c '{ type filter hook input priority 5; }'");
    const auto names = [&](api::FirewallRequest request) {
        std::vector<std::string> out;
        for (const auto& row : firewall(network, std::move(request)).of("chain"))
            out.push_back(text(row, "family") + " " + text(row, "name"));
        return out;
    };
    using Names = std::vector<std::string>;
    CHECK(names({"", "ip filter", {}, {}, {}}) == Names{"ip FORWARD", "ip MINE"});
    CHECK(names({"", "filter", {}, {}, {}}) == Names{"ip6 INPUT", "ip FORWARD", "ip MINE"});
    CHECK(names({"", {}, "MINE", {}, {}}) == Names{"ip MINE"});
    CHECK(names({"", {}, {}, "forward", {}}) == Names{"ip FORWARD", "ip MINE"});
    CHECK(names({"", {}, {}, {}, Family::ipv6}) == Names{"ip6 INPUT", "inet c"});
    CHECK(firewall(network, {"", "nothing", {}, {}, {}}).error == errc::bad_request);
}
