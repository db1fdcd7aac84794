#include "common/api/links.hpp"

#include "tests/netns/inspection.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/command.hpp"

#include <algorithm>
#include <functional>
#include <set>

#include <boost/json/serialize.hpp>

using namespace netlab;
using namespace netlab::test;
using boost::json::array;
using boost::json::object;
using boost::json::value;

namespace {

/// The member at that path, as it is written; "" where there is none.
std::string at(const object& row, std::initializer_list<std::string_view> path) {
    const object* place = &row;
    const value* found = nullptr;
    for (const auto name : path) {
        found = place != nullptr ? place->if_contains(name) : nullptr;
        if (found == nullptr) return {};
        place = found->if_object();
    }
    return found->is_string() ? std::string(found->as_string()) : boost::json::serialize(*found);
}

std::string words(const value* list, const std::set<std::string>& without = {}) {
    std::set<std::string> sorted;
    if (list != nullptr) {
        for (const auto& word : list->as_array())
            sorted.insert(std::string(word.as_string()));
    }
    std::string out;
    for (const auto& word : sorted) {
        if (!without.contains(word)) out += word + ",";
    }
    return out;
}

/// ip shows bridge parameters as 0 and 1.
std::string number(const std::string& truth) {
    return truth == "true" ? "1" : truth == "false" ? "0" : truth;
}

/// A kernel built without VLAN filtering says nothing of it, and so does ip: there is none.
std::string or_zero(const std::string& value) {
    return value.empty() ? "0" : value;
}

/// One line for each link, as the referee has it. M-DOWN is ip's own conclusion, not the kernel's flag.
std::set<std::string> by_ip(const TestNetwork& network, char letter) {
    std::set<std::string> lines;
    for (const auto& element : ip_json(network, letter, "-s link show")) {
        const auto& link = element.as_object();
        const auto info = [&](std::string_view name) { return at(link, {"linkinfo", "info_data", name}); };
        const auto port = [&](std::string_view name) {
            return at(link, {"linkinfo", "info_slave_data", name});
        };
        const auto kind = at(link, {"linkinfo", "info_kind"});
        const bool bridge = kind == "bridge";
        std::string line =
            at(link, {"ifindex"}) + " " + at(link, {"ifname"}) + " " + kind + " " + at(link, {"link_type"}) +
            " " + at(link, {"operstate"}) + " " + at(link, {"mtu"}) + " " + at(link, {"address"}) + " " +
            at(link, {"broadcast"}) + " master " + at(link, {"master"}) + "/" +
            at(link, {"linkinfo", "info_slave_kind"}) + " " + words(link.if_contains("flags"), {"M-DOWN"}) +
            " " + at(link, {"qdisc"}) + " " + at(link, {"txqlen"}) + " " + at(link, {"group"}) + " " +
            at(link, {"promiscuity"}) + " " + words(link.if_contains("altnames")) + at(link, {"ifalias"});
        line += " mode " + info("mode");
        line += " vlan " + (kind == "vlan" ? info("id") + " " + info("protocol") : "");
        line +=
            " vxlan " +
            (kind == "vxlan" ? info("id") + " " + info("port") + " " + info("remote") + info("group") : "");
        line += " bridge " + (bridge ? info("stp_state") + " " + or_zero(info("vlan_filtering")) + " " +
                                           info("bridge_id") + " " + info("root_id") + " " +
                                           or_zero(info("vlan_default_pvid")) + " " + info("mcast_snooping")
                                     : "");
        line += " port " + port("state") + " " + port("cost") + " " + port("priority") + " " +
                number(port("hairpin")) + number(port("isolated")) + number(port("learning")) +
                number(port("guard"));
        for (const auto* name : {"bytes", "packets", "errors", "dropped"}) {
            line += std::string(" ") + at(link, {"stats64", "rx", name}) + " " +
                    at(link, {"stats64", "tx", name});
        }
        lines.insert(line);
    }
    return lines;
}

std::set<std::string> by_netlab(const std::vector<object>& rows) {
    std::set<std::string> lines;
    for (const auto& row : rows) {
        const bool bridge = row.contains("bridge");
        const auto port = [&](std::string_view name) { return at(row, {"bridge_port", name}); };
        std::string line =
            at(row, {"index"}) + " " + at(row, {"name"}) + " " + at(row, {"kind"}) + " " +
            at(row, {"link_type"}) + " " + at(row, {"state"}) + " " + at(row, {"mtu"}) + " " +
            at(row, {"mac"}) + " " + at(row, {"broadcast"}) + " master " + at(row, {"master"}) + "/" +
            at(row, {"master_kind"}) + " " + words(row.if_contains("flags")) + " " + at(row, {"qdisc"}) +
            " " + at(row, {"tx_queue_length"}) + " " + at(row, {"group"}) + " " + at(row, {"promiscuity"}) +
            " " + words(row.if_contains("alternative_names")) + at(row, {"alias"});
        line += " mode " + at(row, {"mode"});
        line += " vlan " +
                (row.contains("vlan") ? at(row, {"vlan", "id"}) + " " + at(row, {"vlan", "protocol"}) : "");
        line += " vxlan " + (row.contains("vxlan")
                                 ? at(row, {"vxlan", "id"}) + " " + at(row, {"vxlan", "port"}) + " " +
                                       at(row, {"vxlan", "remote"}) + at(row, {"vxlan", "group"})
                                 : "");
        const auto setting = [&](std::string_view name) { return number(at(row, {"bridge", name})); };
        line += " bridge " + (bridge ? setting("stp") + " " + setting("vlan_filtering") + " " +
                                           setting("id") + " " + setting("root_id") + " " +
                                           setting("default_vlan") + " " + setting("multicast_snooping")
                                     : "");
        line += " port " + port("state") + " " + port("cost") + " " + port("priority") + " " +
                number(port("hairpin")) + number(port("isolated")) + number(port("learning")) +
                number(port("guard"));
        for (const auto* name : {"bytes", "packets", "errors", "dropped"}) {
            line += " " + at(row, {"statistics", std::string("rx_") + name}) + " " +
                    at(row, {"statistics", std::string("tx_") + name});
        }
        lines.insert(line);
    }
    return lines;
}

/// The rows of `letter`, and the referee's lines before and after them the same: counters move while IPv6
/// finds its neighbours, so until nothing has moved it is asked again.
struct Quiet {
    Inspected said;
    std::set<std::string> referee;
};

Quiet inspect_quiet(const TestNetwork& network, char letter, const std::function<Asked()>& asked) {
    Quiet quiet;
    for (int i = 0; i < 100; ++i) {
        quiet.referee = by_ip(network, letter);
        quiet.said = inspect(api::LinksRequest{}, asked());
        if (by_ip(network, letter) == quiet.referee) return quiet;
    }
    FAIL("the counters never stood still");
    return quiet;
}

/// No packet but what the test sends.
void still(const TestNetwork& network, const std::string& letters) {
    for (const char letter : letters) {
        support::run_well({"ip", "netns", "exec", network.name(letter), "sh", "-c",
                           "echo 1 >/proc/sys/net/ipv6/conf/all/disable_ipv6; "
                           "echo 1 >/proc/sys/net/ipv6/conf/default/disable_ipv6"});
    }
}

const object& named(const std::vector<object>& rows, std::string_view target, std::string_view name) {
    const auto found = std::ranges::find_if(rows, [&](const object& row) {
        return row.at("name").as_string() == name && row.at("target").as_string() == target;
    });
    REQUIRE(found != rows.end());
    return *found;
}

std::uint64_t index_of(const TestNetwork& network, char letter, const std::string& name) {
    return ip_json(network, letter, "link show dev " + name).at(0).at("ifindex").to_number<std::uint64_t>();
}

}  // namespace

TEST_CASE("links: the same as ip -d -s link, of every kind that this kernel has", "[netns]") {
    const TestNetwork network("ab");
    still(network, "ab");
    network.veth('a', "eth0", "192.0.2.1/24", 'b', "eth0", "192.0.2.2/24");
    network.veth('a', "port0", "", 'b', "eth1", "");
    // ip prints the address in a bridge's ID without leading zeros: it gets one that has none.
    network.ip('a', "link add br0 address 1a:2b:3c:4d:5e:60 type bridge stp_state 1");
    network.ip('a', "link set port0 master br0");
    network.ip('a', "link set port0 type bridge_slave hairpin on isolated on cost 17");
    network.ip('a', "link set br0 up");
    network.ip('a', "link add mac0 link eth0 type macvlan mode private");
    network.ip('a', "link add vx0 type vxlan id 42 remote 192.0.2.2 dstport 4789 dev eth0");
    network.ip('a', "link add vx1 type vxlan id 43 group 239.1.1.1 dstport 4790 dev eth0");
    network.ip('a', "link set mac0 up mtu 1400 alias note");
    network.ip('a', "link set eth0 txqueuelen 77 group 5");
    network.ip('a', "link property add dev eth0 altname a-name-that-is-longer-than-15");
    network.ip('b', "link set eth1 down");
    (void)support::run({"ip", "netns", "exec", network.name('a'), "ping", "-c3", "-i0.01", "192.0.2.2"});
    const auto [said, referee] = inspect_quiet(network, 'a', [&] { return ask(network, "a", "b"); });
    REQUIRE(said.ended);
    CHECK(by_netlab(said.of("link")) == referee);
    CHECK(named(said.of("link"), "a", "eth0").at("statistics").at("tx_packets").to_number<int>() > 2);
    CHECK(said.report.at("rows") == said.of("link").size());
}

TEST_CASE("links: 50 veths are all there, each with its other end by index and name", "[netns]") {
    const TestNetwork network("ab");
    still(network, "ab");
    for (int i = 0; i < 50; ++i)
        network.veth('a', "a" + std::to_string(i), "", 'b', "b" + std::to_string(i), "");
    const auto [said, referee] = inspect_quiet(network, 'a', [&] { return ask(network, "a", "b"); });
    CHECK(by_netlab(said.of("link")) == referee);
    const auto others = ip_json(network, 'b', "link show");
    std::size_t pairs = 0;
    for (const auto& row : said.of("link")) {
        if (!row.contains("peer")) continue;
        ++pairs;
        const auto other = std::ranges::find_if(
            others, [&](const value& link) { return link.at("ifindex") == row.at("peer").at("index"); });
        REQUIRE(other != others.end());
        CHECK(other->at("ifname") == row.at("peer").at("name"));
        CHECK(other->at("link_index") == row.at("index"));
        CHECK(row.at("peer").at("target") == "b");
    }
    CHECK(pairs == 50);
}

TEST_CASE("links: other ends in the same, in a target's and in an unknown namespace", "[netns]") {
    const TestNetwork network("abc");
    network.veth('a', "to-b", "", 'b', "to-a", "");
    network.veth('a', "to-c", "", 'c', "to-a", "");
    network.veth('a', "here0", "", 'a', "here1", "");
    const auto said = inspect(api::LinksRequest{}, ask(network, "ab"));
    const auto rows = said.of("link");
    const auto& both = named(rows, "a", "to-b").at("peer").as_object();
    CHECK(at(both, {"target"}) == "b");
    CHECK(at(both, {"name"}) == "to-a");
    CHECK(both.contains("nsid"));
    const auto& back = named(rows, "b", "to-a").at("peer").as_object();
    CHECK(at(back, {"target"}) == "a");
    CHECK(at(back, {"name"}) == "to-b");
    const auto& here = named(rows, "a", "here0").at("peer").as_object();
    CHECK(at(here, {"target"}) == "a");
    CHECK(at(here, {"name"}) == "here1");
    CHECK_FALSE(here.contains("nsid"));
    // c is not known: its number and the index are what can be said.
    const auto& unknown = named(rows, "a", "to-c").at("peer").as_object();
    CHECK_FALSE(unknown.contains("target"));
    CHECK_FALSE(unknown.contains("name"));
    CHECK(unknown.at("index") == index_of(network, 'c', "to-a"));
    CHECK(unknown.at("nsid") == ip_json(network, 'a', "link show dev to-c").at(0).at("link_netnsid"));
}

TEST_CASE("links: the parents of a macvlan and of a vxlan, in another namespace too", "[netns]") {
    const TestNetwork network("ab");
    network.veth('a', "eth0", "192.0.2.1/24", 'b', "eth0", "");
    network.ip('a', "link add mac0 link eth0 netns " + network.name('b') + " type macvlan mode bridge");
    network.ip('a', "link add vx0 type vxlan id 42 dstport 4789 dev eth0");
    network.ip('a', "link add vx1 type vxlan id 43 dstport 4789");
    network.ip('a', "link set vx0 netns " + network.name('b'));
    const auto rows = inspect(api::LinksRequest{}, ask(network, "b", "a")).of("link");
    for (const auto* name : {"mac0", "vx0"}) {
        INFO(name);
        const auto& parent = named(rows, "b", name).at("parent").as_object();
        CHECK(at(parent, {"target"}) == "a");
        CHECK(at(parent, {"name"}) == "eth0");
        CHECK(parent.at("index") == index_of(network, 'a', "eth0"));
        CHECK_FALSE(named(rows, "b", name).contains("peer"));
    }
    const auto here = inspect(api::LinksRequest{}, ask(network, "a")).of("link");
    CHECK_FALSE(named(here, "a", "vx1").contains("parent"));
}

TEST_CASE("links: of one interface, and of an interface that is not there", "[netns]") {
    const TestNetwork network("ab");
    network.veth('a', "eth0", "", 'b', "eth0", "");
    api::LinksRequest request;
    request.interface = "eth0";
    const auto one = inspect(request, ask(network, "a", "b"));
    REQUIRE(one.rows.size() == 1);
    CHECK(at(one.rows[0], {"name"}) == "eth0");
    request.interface = "eht0";
    CHECK(inspect(request, ask(network, "a", "b")).error == errc::no_such_interface);
}

TEST_CASE("links: one target that is gone does not cost the others their rows, nor their other ends",
          "[netns]") {
    const TestNetwork network("abc");
    still(network, "bc");
    network.veth('b', "eth0", "", 'c', "eth0", "");
    const auto [said, referee] = inspect_quiet(network, 'b', [&] {
        auto asked = ask(network, "ab", "c");
        asked.handles[0].net.reset();
        return asked;
    });
    REQUIRE(said.of("failure").size() == 1);
    CHECK(by_netlab(said.of("link")) == referee);
    CHECK(at(named(said.of("link"), "b", "eth0").at("peer").as_object(), {"target"}) == "c");
    CHECK(said.report.at("failures") == 1);
}
