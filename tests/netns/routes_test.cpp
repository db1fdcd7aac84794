#include "common/api/routes.hpp"

#include "common/api/rules.hpp"
#include "tests/netns/inspection.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/command.hpp"

#include <algorithm>
#include <fstream>
#include <set>

#include <boost/json/serialize.hpp>

using namespace netlab;
using namespace netlab::test;
using boost::json::array;
using boost::json::object;
using boost::json::value;

namespace {

using Lines = std::multiset<std::string>;

std::string text(const object& row, std::string_view key) {
    const auto* found = row.if_contains(key);
    if (found == nullptr) return {};
    return found->is_string() ? std::string(found->as_string()) : boost::json::serialize(*found);
}

std::string sorted(const value* list) {
    std::multiset<std::string> words;
    if (list != nullptr) {
        for (const auto& word : list->as_array())
            words.emplace(word.as_string());
    }
    std::string out;
    for (const auto& word : words)
        out += word + ",";
    return out;
}

/// Field by field, under the referee's names on the left and netlab's on the right.
constexpr std::pair<const char*, const char*> same_fields[] = {
    {"type", "kind"},           {"dst", "destination"}, {"gateway", "gateway"},   {"dev", "interface"},
    {"prefsrc", "source"},      {"table", "table"},     {"protocol", "protocol"}, {"scope", "scope"},
    {"metric", "metric"},       {"pref", "preference"}, {"nhid", "nexthop_id"},   {"from", "from"},
    {"encap", "encapsulation"}, {"tos", "tos"},
};

/// ip(8) says these of milliseconds without "_ms".
std::string metrics_by_ip(const object& route) {
    std::set<std::string> words;
    if (const auto* list = route.if_contains("metrics")) {
        for (const auto& entry : list->as_array()) {
            for (const auto& [name, number] : entry.as_object()) {
                const bool time = name == "rtt" || name == "rttvar" || name == "rto_min";
                words.insert(std::string(name) + (time ? "_ms" : "") + "=" + boost::json::serialize(number));
            }
        }
    }
    std::string out;
    for (const auto& word : words)
        out += word + " ";
    return out;
}

std::string metrics_by_netlab(const object& route) {
    std::set<std::string> words;
    if (const auto* metrics = route.if_contains("metrics")) {
        for (const auto& [name, number] : metrics->as_object()) {
            if (name != "locked") words.insert(std::string(name) + "=" + boost::json::serialize(number));
        }
    }
    std::string out;
    for (const auto& word : words)
        out += word + " ";
    return out;
}

std::string hop_line(const object& hop, const char* interface) {
    const auto* via = hop.if_contains("via");
    const auto gateway = via ? text(via->as_object(), "host") : text(hop, "gateway");
    return " [" + gateway + " " + text(hop, interface) + " " + text(hop, "weight") + " " +
           sorted(hop.if_contains("flags")) + "]";
}

/// ip(8) leaves out the table that it was asked for.
std::string by_ip(const char* family, const object& route, const std::string& table) {
    std::string line = family;
    for (const auto& [theirs, ours] : same_fields) {
        auto found = text(route, theirs);
        // A gateway of the other family has another form there.
        if (const auto* via = route.if_contains("via"); via && std::string_view(theirs) == "gateway")
            found = text(via->as_object(), "host");
        if (std::string_view(theirs) == "table" && found.empty()) found = table;
        line += std::string(" ") + ours + "=" + found;
    }
    line += " flags=" + sorted(route.if_contains("flags")) + " metrics=" + metrics_by_ip(route);
    if (const auto* hops = route.if_contains("nexthops")) {
        for (const auto& hop : hops->as_array())
            line += hop_line(hop.as_object(), "dev");
    }
    return line;
}

std::string by_netlab(const object& route) {
    std::string line = text(route, "family");
    for (const auto& [theirs, ours] : same_fields)
        line += std::string(" ") + ours + "=" + text(route, ours);
    line += " flags=" + sorted(route.if_contains("flags")) + " metrics=" + metrics_by_netlab(route);
    for (const auto& hop : route.at("nexthops").as_array())
        line += hop_line(hop.as_object(), "interface");
    return line;
}

/// `ip route show table TABLE` of both families.
Lines referee(const TestNetwork& network, char letter, const std::string& table = "main") {
    Lines lines;
    for (const auto& [family, option] : {std::pair("ipv4", "-4"), std::pair("ipv6", "-6")}) {
        const auto shown = support::run(
            {"ip", "-n", network.name(letter), "-j", "-d", option, "route", "show", "table", table});
        // The kernel's words for a table that this family has never had.
        if (shown.status == 2 && shown.err.find("FIB table does not exist") != shown.err.npos) continue;
        REQUIRE(shown.status == 0);
        const auto routes = shown.json();
        for (const auto& route : routes.as_array())
            lines.insert(by_ip(family, route.as_object(), table));
    }
    return lines;
}

Lines asked_of_netlab(const TestNetwork& network, const std::string& letters, const std::string& table = {}) {
    api::RoutesRequest request;
    request.table = table;
    const auto said = inspect(request, ask(network, letters));
    REQUIRE(said.ended);
    REQUIRE_FALSE(said.error);
    CHECK(said.report.at("consistent") == true);
    CHECK(said.report.at("rows") == said.rows.size());
    Lines lines;
    for (const auto& row : said.of("route"))
        lines.insert(by_netlab(row));
    return lines;
}

/// What one has and the other has not; nothing where they are the same.
template <class Lines1, class Lines2>
std::string difference(const Lines1& netlab, const Lines2& referee) {
    std::vector<std::string> only;
    std::ranges::set_difference(netlab, referee, std::back_inserter(only));
    std::string out;
    for (const auto& line : only)
        out += "only netlab: " + line + "\n";
    only.clear();
    std::ranges::set_difference(referee, netlab, std::back_inserter(only));
    for (const auto& line : only)
        out += "only ip: " + line + "\n";
    return out;
}

/// Many commands of ip(8) at once; those of IPv6 begin with "-6 ".
void batch(const TestNetwork& network, char letter, const std::vector<std::string>& commands) {
    const auto path = "/tmp/" + network.name(letter) + ".batch";
    for (const std::string option : {"-4", "-6"}) {
        std::ofstream file(path);
        for (const auto& command : commands) {
            const bool v6 = command.starts_with("-6 ");
            if (v6 == (option == "-6")) file << command.substr(v6 ? 3 : 0) << '\n';
        }
        file.close();
        support::run_well({"ip", "-n", network.name(letter), option, "-batch", path});
    }
    std::remove(path.c_str());
}

/// Carrier and IPv6 addresses come a moment after `up`.
void settle(const TestNetwork& network, char letter) {
    REQUIRE(support::eventually(
        [&] {
            for (const auto& link : ip_json(network, letter, "addr show")) {
                if (link.at("ifname").as_string() != "lo" && link.at("operstate").as_string() != "UP")
                    return false;
                for (const auto& address : link.at("addr_info").as_array()) {
                    if (address.as_object().contains("tentative")) return false;
                }
            }
            return true;
        },
        std::chrono::seconds(10)));
}

/// Two links to b, with addresses of both families.
void join(const TestNetwork& network) {
    network.veth('a', "eth0", "192.0.2.1/24", 'b', "eth0", "192.0.2.2/24");
    network.veth('a', "eth1", "198.51.100.1/24", 'b', "eth1", "198.51.100.2/24");
    network.ip('a', "addr add 2001:db8:1::1/64 dev eth0 nodad");
    network.ip('a', "addr add 2001:db8:2::1/64 dev eth1 nodad");
    settle(network, 'a');
    settle(network, 'b');
}

}  // namespace

TEST_CASE("routes: every kind of route, field by field as ip route has it", "[netns]") {
    const TestNetwork network("ab");
    join(network);
    batch(network, 'a',
          {"route add default via 192.0.2.2 dev eth0 metric 50 mtu 1400 advmss 1300 initcwnd 20",
           "route add default nexthop via 192.0.2.2 dev eth0 weight 3 nexthop via 198.51.100.2 dev eth1",
           "route add 203.0.113.0/24 via 192.0.2.2 src 192.0.2.1 proto static",
           "route add 203.0.113.7 dev eth0 scope link proto 77 rtt 100ms rttvar 40ms rto_min 50ms",
           "route add 10.1.0.0/16 via 10.9.9.9 dev eth0 onlink mtu lock 1280",
           "route add blackhole 10.2.0.0/16",
           "route add unreachable 10.3.0.0/16 metric 7",
           "route add prohibit 10.4.0.0/16",
           "route add throw 10.5.0.0/16 table 100",
           "route add 10.6.0.0/16 via inet6 2001:db8:1::2 dev eth0",
           "nexthop add id 12 via 192.0.2.2 dev eth0",
           "route add 10.7.0.0/16 nhid 12",
           "route add 10.8.0.0/16 via 192.0.2.2 tos 0x10",
           "-6 route add default via 2001:db8:1::2 dev eth0 metric 2048 pref high",
           "-6 route add 2001:db8:9::/48 nexthop via 2001:db8:1::2 dev eth0 weight 2 nexthop via "
           "2001:db8:2::2 dev "
           "eth1",
           "-6 route add blackhole 2001:db8:a::/48",
           "-6 route add unreachable 2001:db8:b::/48",
           "-6 route add prohibit 2001:db8:c::/48",
           "-6 route add throw 2001:db8:d::/48 table 300",
           "-6 route add 2001:db8:e::/48 from 2001:db8:1::/64 via 2001:db8:1::2 dev eth0",
           "-6 route add 2001:db8:f::1 via 2001:db8:1::2 dev eth0 hoplimit 7 expires 600"});
    const auto main = referee(network, 'a');
    REQUIRE(main.size() > 20);
    CHECK(difference(asked_of_netlab(network, "a"), main) == "");
    CHECK(difference(asked_of_netlab(network, "a", "main"), main) == "");
    for (const std::string table : {"local", "default", "all", "100", "300"}) {
        INFO(table);
        CHECK(difference(asked_of_netlab(network, "a", table), referee(network, 'a', table)) == "");
    }
    network.ip('b', "link set eth1 down");
    REQUIRE(support::eventually([&] { return referee(network, 'a') != main; }, std::chrono::seconds(10)));
    // The kernel marks one next hop after the other, a reader may come in between: who has held the RTNL
    // after the first of them finds them all (net/core/link_watch.c).
    network.ip('a', "link set eth0 up");
    const auto down = referee(network, 'a');
    CHECK(difference(asked_of_netlab(network, "a"), down) == "");
}

TEST_CASE("routes: 300 routes in 5 tables, one table at a time and all together", "[netns]") {
    const TestNetwork network("ab");
    join(network);
    std::vector<std::string> commands;
    const char* const tables[] = {"main", "100", "200", "4000", "4294967295"};
    for (int i = 0; i < 300; ++i) {
        const std::string table = tables[i % 5];
        const auto number = std::to_string(i);
        const auto hex = std::to_string(1000 + i);
        commands.push_back(i % 2 == 0 ? "route add 10.77." + std::to_string(i / 2) +
                                            ".0/24 via 192.0.2.2 metric " + number + " table " + table
                                      : "-6 route add 2001:db8:" + hex +
                                            "::/48 via 2001:db8:1::2 dev eth0 table " + table);
    }
    batch(network, 'a', commands);
    std::size_t seen = 0;
    for (const std::string table : tables) {
        INFO(table);
        const auto expected = referee(network, 'a', table);
        CHECK(expected.size() >= 60);
        CHECK(difference(asked_of_netlab(network, "a", table), expected) == "");
        seen += expected.size();
    }
    const auto all = referee(network, 'a', "all");
    CHECK(all.size() > seen);
    CHECK(difference(asked_of_netlab(network, "a", "all"), all) == "");
}

TEST_CASE("routes: an encapsulation is named", "[netns]") {
    const TestNetwork network("ab");
    join(network);
    network.ip('a', "route add 10.9.0.0/16 encap ip id 5 dst 192.0.2.9 dev eth0");
    // In JSON ip(8) says "dst" twice here.
    const auto words = support::run_well({"ip", "-n", network.name('a'), "route", "show", "10.9.0.0/16"}).out;
    REQUIRE(words.find("encap ip") != words.npos);
    const auto said = inspect(api::RoutesRequest{}, ask(network, "a"));
    const auto rows = said.of("route");
    CHECK(std::ranges::any_of(rows, [](const object& row) {
        return text(row, "destination") == "10.9.0.0/16" && text(row, "encapsulation") == "ip";
    }));
}

TEST_CASE("routes: a table that does not exist is empty, one family can be asked for", "[netns]") {
    const TestNetwork network("ab");
    join(network);
    CHECK(asked_of_netlab(network, "a", "4711").empty());
    api::RoutesRequest request;
    request.family = Family::ipv6;
    const auto said = inspect(request, ask(network, "a"));
    CHECK(said.rows.size() == ip_json(network, 'a', "-6 route show").size());
    for (const auto& row : said.rows)
        CHECK(text(row, "family") == "ipv6");
}

TEST_CASE("routes: of several targets, each row with its target, and one that is gone", "[netns]") {
    const TestNetwork network("ab");
    join(network);
    auto expected = referee(network, 'a');
    expected.merge(referee(network, 'b'));
    CHECK(difference(asked_of_netlab(network, "ab"), expected) == "");
    auto asked = ask(network, "ab");
    asked.handles[0].net.reset();
    const auto said = inspect(api::RoutesRequest{}, std::move(asked));
    CHECK(said.of("failure").size() == 1);
    CHECK(said.of("route").size() == referee(network, 'b').size());
    for (const auto& row : said.of("route"))
        CHECK(text(row, "target") == "b");
}

namespace {

std::string range(const object& rule, const char* one, const char* first, const char* last) {
    if (rule.contains(one)) return text(rule, one);
    return rule.contains(first) ? text(rule, first) + "-" + text(rule, last) : "";
}

std::string prefix(const object& rule, const char* address, const char* length) {
    return text(rule, address) + (rule.contains(length) ? "/" + text(rule, length) : "");
}

/// Absent both where it is absent and where it is false.
std::string yes(bool is, const char* word) {
    return is ? std::string(" ") + word : "";
}

std::string rule_by_ip(const char* family, const object& rule) {
    const auto action = rule.contains("goto")                                   ? "goto"
                        : rule.contains("l3mdev")                               ? "l3mdev"
                        : rule.contains("table")                                ? "lookup"
                        : text(rule, "action") == "nop" || rule.contains("nop") ? "nop"
                                                                                : text(rule, "action");
    return std::string(family) + " " + text(rule, "priority") + " from " + prefix(rule, "src", "srclen") +
           " to " + prefix(rule, "dst", "dstlen") + " iif " + text(rule, "iif") +
           yes(rule.contains("iif_detached"), "iif_detached") + " oif " + text(rule, "oif") +
           yes(rule.contains("oif_detached"), "oif_detached") + " mark " + text(rule, "fwmark") + "/" +
           text(rule, "fwmask") + " tos " + text(rule, "tos") + " ipproto " + text(rule, "ipproto") +
           " sport " + range(rule, "sport", "sport_start", "sport_end") + " dport " +
           range(rule, "dport", "dport_start", "dport_end") + " uid " +
           (rule.contains("uid_start") ? text(rule, "uid_start") + "-" + text(rule, "uid_end") : "") + " " +
           action + " " + text(rule, "table") + text(rule, "goto") + yes(rule.contains("not"), "not") +
           yes(rule.contains("unresolved"), "unresolved") + " suppress " + text(rule, "suppress_prefixlen") +
           " proto " + text(rule, "protocol");
}

std::string rule_by_netlab(const object& rule) {
    const auto is = [&](const char* field) { return yes(rule.at(field).as_bool(), field); };
    return text(rule, "family") + " " + text(rule, "priority") + " from " + text(rule, "from") + " to " +
           text(rule, "to") + " iif " + text(rule, "iif") + is("iif_detached") + " oif " + text(rule, "oif") +
           is("oif_detached") + " mark " + text(rule, "fwmark") + "/" + text(rule, "fwmask") + " tos " +
           text(rule, "tos") + " ipproto " + text(rule, "ipproto") + " sport " + text(rule, "sport") +
           " dport " + text(rule, "dport") + " uid " + text(rule, "uidrange") + " " + text(rule, "action") +
           " " + text(rule, "table") + text(rule, "goto") + yes(rule.at("invert").as_bool(), "not") +
           is("unresolved") + " suppress " + text(rule, "suppress_prefixlength") + " proto " +
           text(rule, "protocol");
}

std::vector<std::string> rules_by_ip(const TestNetwork& network, char letter) {
    std::vector<std::string> lines;
    for (const auto& [family, option] : {std::pair("ipv4", "-4"), std::pair("ipv6", "-6")}) {
        for (const auto& rule : ip_json(network, letter, std::string(option) + " rule show"))
            lines.push_back(rule_by_ip(family, rule.as_object()));
    }
    return lines;
}

}  // namespace

TEST_CASE("rules: every condition and action, in the kernel's order, as ip rule has them", "[netns]") {
    const TestNetwork network("ab");
    join(network);
    batch(network, 'a',
          {"rule add from 192.0.2.0/24 table 100 priority 100",
           "rule add from 192.0.2.7 to 203.0.113.0/24 "
           "lookup main priority 101",
           "rule add fwmark 0x10 table 200 priority 102",
           "rule add fwmark 0x10/0xf0 table 200 priority 103",
           "rule add iif eth0 table 300 priority 104",
           "rule add oif eth9 table 300 priority 105",
           "rule add iif gone0 blackhole priority 106",
           "rule add to 10.0.0.0/8 unreachable priority 107",
           "rule add to 10.1.0.0/16 prohibit priority 108",
           "rule add tos 0x10 table 400 priority 109",
           "rule add ipproto tcp dport 443 table 100 priority 110",
           "rule add ipproto udp sport 1000-2000 dport 53 table 100 priority 111",
           "rule add uidrange 0-999 table 100 priority 112",
           "rule add not from 192.0.2.0/24 table 100 priority 113",
           "rule add table main suppress_prefixlength 0 priority 114",
           "rule add goto 32766 priority 115",
           "rule add goto 40000 priority 116",
           "rule add table 4294967295 priority 117 protocol static",
           "rule add from 198.51.100.1 nop priority 118",
           "rule add ipproto icmp table 100 priority 119",
           "-6 rule add from 2001:db8:1::/64 table 100 priority 100",
           "-6 rule add to 2001:db8::1 blackhole priority 101",
           "-6 rule add fwmark 7 table 100 priority 102",
           "-6 rule add ipproto ipv6-icmp table 9 priority 103"});
    const auto said = inspect(api::RulesRequest{}, ask(network, "a"));
    REQUIRE_FALSE(said.error);
    std::vector<std::string> lines;
    for (const auto& row : said.of("rule"))
        lines.push_back(rule_by_netlab(row));
    const auto expected = rules_by_ip(network, 'a');
    REQUIRE(expected.size() >= 29);
    for (std::size_t i = 0; i < std::min(lines.size(), expected.size()); ++i)
        CHECK(lines[i] == expected[i]);
    CHECK(lines.size() == expected.size());
    api::RulesRequest request;
    request.family = Family::ipv6;
    CHECK(inspect(request, ask(network, "a")).rows.size() == ip_json(network, 'a', "-6 rule show").size());
}
