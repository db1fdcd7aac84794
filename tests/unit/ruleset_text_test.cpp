#include "daemon/operations/ruleset_text.hpp"

#include "daemon/operations/chain_order.hpp"
#include "daemon/operations/rule_owner.hpp"
#include "daemon/operations/rulesets.hpp"
#include "tests/support/catch.hpp"

#include <algorithm>

#include <linux/netfilter.h>

using namespace netlab;
using namespace netlab::operations;

namespace {

/// What libnftables printed of a host, in one go each line.
constexpr auto host_text = R"(table ip filter { # handle 1
	chain DOCKER { # handle 1
		iifname != "docker0" oifname "docker0" counter packets 3 bytes 180 drop # handle 4
	}

	chain FORWARD { # handle 2
		type filter hook forward priority filter; policy drop;
		counter packets 12 bytes 840 jump DOCKER-USER # handle 9
		counter packets 0 bytes 0 jump DOCKER # handle 3
	}

	chain DOCKER-USER { # handle 7
		ip saddr 192.0.2.1  drop # handle 8
	}

	chain LOST { # handle 11
	}
}
table inet mine { # handle 5 progname nft
	comment "a } table"
	flags dormant,owner
	set s { # handle 5
		type ipv4_addr
		elements = { 10.0.0.0/8, 192.0.2.1,
			     192.0.2.9 }
	}

	map m { # handle 6
		type inet_service : verdict
		elements = { 80 : accept, 443 : jump c }
	}

	chain c { # handle 1
		comment "chain { x # handle 9"
		counter packets 1 bytes 2 # handle 8
	}

	chain input { # handle 2
		type filter hook forward priority filter - 10; policy drop;
		ip saddr @s counter packets 5 bytes 6 accept comment "say \"{\" counter packets 7 bytes 7" # handle 9
		tcp dport vmap @m # handle 10
		log prefix "counter packets 5 bytes 5 # handle 3" # handle 17
		xt match "recent" drop # handle 18
	}
}
table netdev n { # handle 6
	chain arrival { # handle 1
		type filter hook ingress devices = { "lo", "eth0" } priority -500; policy accept;
	}
}
)";

std::vector<TableText> host() {
    auto tables = parse_ruleset(host_text);
    REQUIRE(tables);
    return std::move(*tables);
}

std::string printed(std::string_view text) {
    std::string out;
    append_printed(out, text);
    return out;
}

}  // namespace

TEST_CASE("ruleset text: tables, chains, rules and sets are taken apart", "[unit]") {
    const auto tables = host();
    REQUIRE(tables.size() == 3);
    CHECK(tables[0].backend == RuleBackend::iptables_nft);
    CHECK(tables[1].backend == RuleBackend::nft);
    CHECK(tables[1].comment == "a } table");
    CHECK(tables[1].flags == std::vector<std::string>{"dormant", "owner"});
    REQUIRE(tables[1].objects.size() == 2);
    CHECK(tables[1].objects[0] ==
          ObjectText{"set", "s", 5, "type ipv4_addr\nelements = { 10.0.0.0/8, 192.0.2.1,\n192.0.2.9 }"});
    const auto* forward = find_chain(tables[0], "FORWARD");
    REQUIRE(forward);
    REQUIRE(forward->hook);
    CHECK(*forward->hook == HookText{"filter", "forward", 0, "filter", "drop", {}});
    REQUIRE(forward->rules.size() == 2);
    CHECK(forward->rules[0] == RuleText{9, 1, "jump DOCKER-USER", 12, 840, "", false});
    CHECK(find_chain(tables[1], "input")->hook->priority == -10);
    CHECK(find_chain(tables[2], "arrival")->hook->devices == std::vector<std::string>{"lo", "eth0"});
    CHECK(find_rule(tables, "ip", "filter", "DOCKER-USER", 8)->text == "ip saddr 192.0.2.1 drop");
    CHECK(find_rule(tables, "ip", "filter", "DOCKER-USER", 9) == nullptr);
}

TEST_CASE("ruleset text: a rule's counter is not mistaken for words in its strings", "[unit]") {
    const auto tables = host();
    const auto& rules = find_chain(tables[1], "input")->rules;
    REQUIRE(rules.size() == 4);
    CHECK(rules[0].text == R"(ip saddr @s accept comment "say \"{\" counter packets 7 bytes 7")");
    CHECK(rules[0].packets == 5U);
    CHECK(rules[0].comment == R"(say "{" counter packets 7 bytes 7)");
    CHECK(rules[2].text == R"(log prefix "counter packets 5 bytes 5 # handle 3")");
    CHECK_FALSE(rules[2].packets);
    CHECK(rules[2].handle == 17);
    CHECK_FALSE(rules[2].undecoded);
    CHECK(rules[3].undecoded);
    const auto& counting = find_chain(tables[1], "c")->rules;
    REQUIRE(counting.size() == 1);
    CHECK(counting[0].text == "counter");
    CHECK(counting[0].bytes == 2U);
}

TEST_CASE("ruleset text: what is printed in one go stays in its line, and a string in its quotes", "[unit]") {
    CHECK(printed(" comment \"a\" # handle 7\n\t}\n}\ntable ip x { # handle 9\"") ==
          R"( comment "a\" # handle 7\n	}\n}\ntable ip x { # handle 9")");
    CHECK(printed("\n\t\tcomment \"x\"\n") == "\n\t\tcomment \"x\"\n");
    CHECK(printed(",\n\t\t\t     ") == ",\n\t\t\t     ");
    CHECK(printed("\tchain a\n\tb {") == "\tchain a\\n\tb {");
    CHECK(printed("\"back\\slash\"") == R"("back\\slash")");
}

TEST_CASE("ruleset text: what is not a ruleset is refused", "[unit]") {
    CHECK_FALSE(parse_ruleset("table ip x {\n}\n"));
    CHECK_FALSE(parse_ruleset("table ip x { # handle 1\n"));
    CHECK_FALSE(parse_ruleset("table ip x { # handle 1\n\tchain c { # handle 1\n\t\taccept\n\t}\n}\n"));
    CHECK_FALSE(parse_ruleset(
        "table ip x { # handle 1\n\tchain c { # handle 1\n\t\ttype filter hook input\n\t}\n}\n"));
    CHECK_FALSE(parse_ruleset("table ip x { # handle 99999999999999999999999\n}\n"));
    CHECK(parse_ruleset("")->empty());
}

TEST_CASE("ruleset text: it agrees with the kernel's own list, or not", "[unit]") {
    const auto tables = parse_ruleset(
        "table ip x { # handle 1\n\tchain c { # handle 2\n\t\taccept # handle 3\n\t\tdrop # handle "
        "4\n\t}\n}\n");
    REQUIRE(tables);
    kernel::NftTables::Content content;
    content.chains = {{NFPROTO_IPV4, "x", "c", 2, std::nullopt, "", std::nullopt}};
    content.rules = {{NFPROTO_IPV4, "x", "c", 3, {}, {}}, {NFPROTO_IPV4, "x", "c", 4, {}, {}}};
    CHECK(agree(*tables, content));
    std::swap(content.rules[0], content.rules[1]);
    CHECK_FALSE(agree(*tables, content));
    content.rules.pop_back();
    CHECK_FALSE(agree(*tables, content));
    content.chains.clear();
    content.rules.clear();
    CHECK_FALSE(agree(*tables, content));
}

TEST_CASE("ruleset text: a match that libnftables left out is named", "[unit]") {
    auto tables = parse_ruleset(
        "table ip filter { # handle 1\n\tchain c { # handle 2\n\t\ttcp dport 22 drop # handle 3\n"
        "\t\tcomment \"xt match recent\" # handle 4\n\t\txt match recent # handle 5\n\t}\n}\n");
    REQUIRE(tables);
    kernel::NftTables::Content content;
    const auto match = [](const char* name) { return kernel::NftMatch{{name, 0, {}}}; };
    content.rules = {{NFPROTO_IPV4,
                      "filter",
                      "c",
                      3,
                      {match("recent"), match("conntrack"), kernel::NftTarget{{"TEE", 0, {}}}},
                      {}},
                     {NFPROTO_IPV4, "filter", "c", 4, {match("recent")}, {}},
                     {NFPROTO_IPV4, "filter", "c", 5, {match("recent")}, {}}};
    name_untranslated(*tables, content, {"conntrack"});
    const auto& rules = (*tables)[0].chains[0].rules;
    CHECK(rules[0].text == "xt match recent tcp dport 22 drop xt target TEE");
    CHECK(rules[0].undecoded);
    CHECK(rules[1].text == R"(xt match recent comment "xt match recent")");
    CHECK(rules[2].text == "xt match recent");
}

TEST_CASE("ruleset text: iptables' REJECT has its own family's words", "[unit]") {
    auto tables = parse_ruleset(
        "table ip6 filter { # handle 1\n\tchain c { # handle 2\n\t\ttcp dport 22 # handle 3\n"
        "\t\ttcp dport 23 reject with icmp net-unreachable # handle 4\n"
        "\t\treject with tcp reset # handle 5\n\t}\n}\n");
    REQUIRE(tables);
    const auto reject = [](std::uint64_t handle, unsigned char with) {
        std::vector<std::byte> info{std::byte{with}, {}, {}, {}};
        return kernel::NftRule{
            NFPROTO_IPV6, "filter", "c", handle, {kernel::NftTarget{{"REJECT", 0, info}}}, {}};
    };
    kernel::NftTables::Content content;
    content.rules = {reject(3, 4), reject(4, 0), reject(5, 6)};
    name_untranslated(*tables, content, {"REJECT"});
    const auto& rules = (*tables)[0].chains[0].rules;
    CHECK(rules[0].text == "tcp dport 22 reject");
    CHECK(rules[1].text == "tcp dport 23 reject with icmpv6 no-route");
    CHECK(rules[2].text == "reject with tcp reset");
    CHECK_FALSE(rules[0].undecoded);
}

TEST_CASE("rule owners: by the names of chains and tables, and a rule in iptables' own chain by its jump",
          "[unit]") {
    const auto tables = host();
    const auto& filter = tables[0];
    const auto owner = [&](const char* chain) { return chain_owner(filter, *find_chain(filter, chain)); };
    CHECK(owner("DOCKER") == "docker");
    CHECK(owner("FORWARD") == "iptables");
    CHECK(owner("LOST").empty());
    const auto& forward = *find_chain(filter, "FORWARD");
    CHECK(rule_owner(filter, forward, forward.rules[0]) == "docker");
    const auto& user = *find_chain(filter, "DOCKER-USER");
    CHECK(chain_owner(filter, user) == "docker");
    CHECK(rule_owner(filter, user, user.rules[0]).empty());
    // What Docker writes for a bridge into iptables' own chains, and what looks like it.
    const auto of_text = [&](const char* table, const char* chain, const std::string& rule) {
        TableText in;
        in.backend = RuleBackend::iptables_nft;
        in.name = table;
        ChainText of;
        of.name = chain;
        of.hook.emplace();
        RuleText one;
        one.text = rule;
        return rule_owner(in, of, one);
    };
    for (const std::string bridge : {R"("docker0")", R"("br-0123456789ab")"}) {
        CHECK(of_text("filter", "FORWARD", "iifname " + bridge + " oifname != " + bridge + " accept") ==
              "docker");
        CHECK(of_text("filter", "FORWARD", "iifname " + bridge + " oifname " + bridge + " drop") == "docker");
        CHECK(of_text("nat", "POSTROUTING", "oifname != " + bridge + " ip saddr 172.18.0.0/16 masquerade") ==
              "docker");
        CHECK(of_text("filter", "INPUT", "iifname " + bridge + " oifname " + bridge + " drop").empty());
        CHECK(of_text("filter", "FORWARD", "oifname " + bridge + " drop").empty());
        CHECK(of_text("nat", "POSTROUTING",
                      "oifname != " + bridge + " ip saddr 10.0.0.0/8 tcp dport 80 masquerade")
                  .empty());
        CHECK(of_text("nat", "POSTROUTING", "oifname " + bridge + " masquerade").empty());
    }
    CHECK(of_text("filter", "FORWARD", R"(iifname "br-lan" oifname "br-lan" accept)").empty());
    CHECK(of_text("filter", "FORWARD", R"(iifname "docker0" oifname "br-0123456789ab" accept)").empty());
    CHECK(table_owner(tables[1]).empty());
    for (const auto& [name, whose] :
         {std::pair("docker-bridges", "docker"), std::pair("netavark", "podman"),
          std::pair("firewalld", "firewalld"), std::pair("kube-proxy", "kubernetes")}) {
        TableText table;
        table.name = name;
        CHECK(table_owner(table) == whose);
    }
    TableText legacy;
    legacy.backend = RuleBackend::iptables_legacy;
    for (const auto& [name, whose] :
         {std::pair("NETAVARK-ABC", "podman"), std::pair("CNI-FORWARD", "podman"),
          std::pair("ufw6-before-input", "ufw"), std::pair("KUBE-SERVICES", "kubernetes"),
          std::pair("LIBVIRT_INP", "libvirt"), std::pair("f2b-sshd", "fail2ban"),
          std::pair("ts-input", "tailscale"), std::pair("DOCKERISH", "")}) {
        ChainText chain;
        chain.name = name;
        INFO(name);
        CHECK(chain_owner(legacy, chain) == whose);
    }
}

TEST_CASE("rule owners: jumps are read outside of strings, in maps too", "[unit]") {
    using Names = std::vector<std::string>;
    CHECK(jumps_of(RuleBackend::nft, "tcp dport vmap { 80 : jump a, 443 : goto b }") == Names{"a", "b"});
    CHECK(jumps_of(RuleBackend::nft, R"(log prefix "x \" jump a" accept)").empty());
    CHECK(jumps_of(RuleBackend::iptables_legacy, R"(-m comment --comment "-j x" -j DOCKER)") ==
          Names{"DOCKER"});
    CHECK(jumps_of(RuleBackend::iptables_legacy, "-p tcp -g LAST") == Names{"LAST"});
}

TEST_CASE("chain order: by hook and priority, then who is jumped to, then who is not", "[unit]") {
    const auto tables = host();
    std::vector<std::string> names;
    const auto places = order_chains(tables);
    for (const auto& place : places)
        names.push_back(place.chain->name);
    CHECK(names ==
          std::vector<std::string>{"arrival", "input", "c", "FORWARD", "DOCKER-USER", "DOCKER", "LOST"});
    CHECK(places[2].from == std::vector<std::string>{"@m"});
    CHECK(places[4].from == std::vector<std::string>{"FORWARD"});
    CHECK(places[4].hooks == std::vector<std::string>{"forward"});
    CHECK(places[6].from.empty());
    CHECK(places[6].hooks.empty());
}
