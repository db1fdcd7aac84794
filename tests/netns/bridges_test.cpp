#include "common/api/bridges.hpp"

#include "tests/netns/inspection.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/command.hpp"

#include <algorithm>
#include <set>
#include <sstream>

using namespace netlab;
using namespace netlab::test;
using boost::json::array;
using boost::json::object;
using boost::json::value;

namespace {

std::string text(const object& row, std::string_view key) {
    const auto* found = row.if_contains(key);
    return found != nullptr && found->is_string() ? std::string(found->as_string()) : std::string();
}

array bridge_json(const TestNetwork& network, char letter, const std::string& words) {
    std::vector<std::string> command{"bridge", "-n", network.name(letter), "-j", "-d"};
    std::istringstream split(words);
    for (std::string word; split >> word;)
        command.push_back(word);
    return support::run_well(command).json().as_array();
}

/// Ports of all bridges, as bridge(8) has them.
std::set<std::string> ports_by_bridge(const TestNetwork& network, char letter) {
    std::set<std::string> lines;
    for (const auto& element : bridge_json(network, letter, "link show")) {
        const auto& port = element.as_object();
        if (!port.contains("state") || text(port, "master") == text(port, "ifname")) continue;
        const auto flag = [&](const char* name) { return port.at(name).as_bool() ? "1" : "0"; };
        lines.insert(text(port, "master") + " " + text(port, "ifname") + " " + text(port, "state") + " " +
                     std::to_string(port.at("cost").to_number<int>()) + " " +
                     std::to_string(port.at("priority").to_number<int>()) + " " + flag("hairpin") +
                     flag("guard") + flag("root_block") + flag("fastleave") + flag("learning") +
                     flag("flood") + flag("isolated"));
    }
    return lines;
}

std::set<std::string> ports_by_netlab(const std::vector<object>& rows) {
    std::set<std::string> lines;
    for (const auto& row : rows) {
        for (const auto& element : row.at("ports").as_array()) {
            const auto& port = element.as_object();
            const auto& settings = port.at("settings").as_object();
            const auto flag = [&](const char* name) { return settings.at(name).as_bool() ? "1" : "0"; };
            lines.insert(text(row, "name") + " " + text(port, "name") + " " + text(settings, "state") + " " +
                         std::to_string(settings.at("cost").to_number<int>()) + " " +
                         std::to_string(settings.at("priority").to_number<int>()) + " " + flag("hairpin") +
                         flag("guard") + flag("root_block") + flag("fast_leave") + flag("learning") +
                         flag("flood") + flag("isolated"));
        }
    }
    return lines;
}

std::string vlan_of(const object& row) {
    return row.contains("vlan") ? std::to_string(row.at("vlan").to_number<int>()) : std::string();
}

bool has_flag(const object& row, std::string_view flag) {
    const auto& flags = row.at("flags").as_array();
    return std::ranges::any_of(flags, [&](const value& word) { return word.as_string() == flag; });
}

/// `ports`: the bridges and their ports; the referee tells of every device.
std::multiset<std::string> fdb_by_bridge(const TestNetwork& network, char letter,
                                         const std::set<std::string>& ports) {
    std::multiset<std::string> lines;
    for (const auto& element : bridge_json(network, letter, "fdb show")) {
        const auto& row = element.as_object();
        if (!ports.contains(text(row, "ifname"))) continue;
        lines.insert(text(row, "ifname") + " " + text(row, "mac") + " " + vlan_of(row) + " " +
                     text(row, "state") + (has_flag(row, "self") ? " self" : "") +
                     (has_flag(row, "extern_learn") ? " extern_learn" : "") +
                     (row.contains("master") ? " master" : ""));
    }
    return lines;
}

std::multiset<std::string> fdb_by_netlab(const std::vector<object>& rows) {
    std::multiset<std::string> lines;
    for (const auto& row : rows) {
        lines.insert(text(row, "port") + " " + text(row, "mac") + " " + vlan_of(row) + " " +
                     text(row, "state") + (has_flag(row, "self") ? " self" : "") +
                     (has_flag(row, "extern_learn") ? " extern_learn" : "") +
                     (has_flag(row, "master") ? " master" : ""));
    }
    return lines;
}

std::string mac_of(const TestNetwork& network, char letter, const std::string& name) {
    return std::string(ip_json(network, letter, "link show dev " + name).at(0).at("address").as_string());
}

}  // namespace

TEST_CASE("bridges: ports and their settings are bridge(8)'s, with what is behind each", "[netns]") {
    const TestNetwork network("abc");
    // ip prints the address in a bridge's ID without leading zeros: it gets one that has none.
    network.ip('a', "link add br0 address 1a:2b:3c:4d:5e:60 type bridge stp_state 1");
    network.ip('a', "link add br1 type bridge");
    network.ip('a', "addr add 192.0.2.254/24 dev br0");
    network.ip('a', "link set br0 up");
    network.veth('a', "p-b", "", 'b', "eth0", "192.0.2.1/24");
    network.veth('a', "p-c", "", 'c', "eth0", "192.0.2.2/24");
    network.ip('a', "link set p-b master br0");
    network.ip('a', "link set p-c master br0");
    network.ip('a', "link set p-b type bridge_slave hairpin on guard on cost 9 fastleave on");
    network.ip('a', "link set p-c type bridge_slave isolated on learning off priority 4");
    const auto said = inspect(api::BridgesRequest{}, ask(network, "a", "b"));
    REQUIRE(said.ended);
    const auto rows = said.of("bridge");
    REQUIRE(rows.size() == 2);
    CHECK(ports_by_netlab(rows) == ports_by_bridge(network, 'a'));
    const auto& bridge = rows[0];
    const auto referee = ip_json(network, 'a', "link show dev br0").at(0).at("linkinfo").at("info_data");
    CHECK(text(bridge, "name") == "br0");
    CHECK(bridge.at("settings").at("stp").as_bool() == (referee.at("stp_state") == 1));
    // Not every kernel is built with VLAN filtering; then ip says nothing of it.
    const auto* filtering = referee.as_object().if_contains("vlan_filtering");
    CHECK(bridge.at("settings").at("vlan_filtering").as_bool() == (filtering != nullptr && *filtering == 1));
    CHECK(bridge.at("settings").at("id") == referee.at("bridge_id"));
    CHECK(bridge.at("addresses").as_array().at(0) == "192.0.2.254/24");
    // A bridge that is no engine's is nobody's.
    CHECK_FALSE(bridge.contains("network"));
    for (const auto& port : bridge.at("ports").as_array()) {
        const auto& peer = port.at("peer").as_object();
        CHECK(peer.contains("target") == (port.at("name") == "p-b"));
        if (port.at("name") == "p-b") CHECK(peer.at("target") == "b");
    }
    CHECK(rows[1].at("ports").as_array().empty());
}

TEST_CASE("bridges: the forwarding database is bridge fdb's, and says whose an address is", "[netns]") {
    const TestNetwork network("abc");
    network.ip('a', "link add br0 type bridge");
    network.ip('a', "link set br0 up");
    network.veth('a', "p-b", "", 'b', "eth0", "192.0.2.1/24");
    network.veth('a', "p-c", "", 'c', "eth0", "192.0.2.2/24");
    network.ip('a', "link set p-b master br0");
    network.ip('a', "link set p-c master br0");
    network.ip('b', "link add mac0 link eth0 type macvlan mode bridge");
    support::run_well({"bridge", "-n", network.name('a'), "fdb", "add", "02:00:00:00:00:09", "dev", "p-c",
                       "master", "static"});
    support::run_well({"bridge", "-n", network.name('a'), "fdb", "add", mac_of(network, 'b', "mac0"), "dev",
                       "p-b", "master", "static"});
    // One packet of each, so that something is learned.
    (void)support::run({"ip", "netns", "exec", network.name('b'), "ping", "-c1", "-W1", "192.0.2.2"});
    api::BridgesRequest request;
    request.fdb = true;
    const auto rows = inspect(request, ask(network, "a", "bc")).of("fdb");
    CHECK(fdb_by_netlab(rows) == fdb_by_bridge(network, 'a', {"br0", "p-b", "p-c"}));
    const auto owner = [&](const std::string& mac, const std::string& port) -> std::string {
        for (const auto& row : rows) {
            if (text(row, "mac") != mac || text(row, "port") != port) continue;
            if (!row.contains("owner")) return "nobody";
            return text(row.at("owner").as_object(), "target") + " " +
                   text(row.at("owner").as_object(), "interface");
        }
        return "no entry";
    };
    CHECK(owner(mac_of(network, 'b', "eth0"), "p-b") == "b eth0");
    CHECK(owner(mac_of(network, 'b', "mac0"), "p-b") == "b mac0");
    CHECK(owner(mac_of(network, 'a', "p-b"), "p-b") == "a p-b");
    CHECK(owner("02:00:00:00:00:09", "p-c") == "nobody");
    for (const auto& row : rows) {
        if (text(row, "mac").starts_with("33:33")) CHECK_FALSE(row.contains("owner"));
    }
}
