#include "common/api/neighbours.hpp"

#include "tests/netns/inspection.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/command.hpp"

#include <set>

using namespace netlab;
using namespace netlab::test;
using boost::json::object;

namespace {

std::string text(const object& row, std::string_view key) {
    const auto* value = row.if_contains(key);
    return value && value->is_string() ? std::string(value->as_string()) : std::string();
}

std::multiset<std::string> by_ip(const TestNetwork& network, char letter, const std::string& words) {
    std::multiset<std::string> lines;
    for (const auto& value : ip_json(network, letter, words)) {
        const auto& entry = value.as_object();
        // An element without an address is what ip(8) prints for a family without entries.
        if (!entry.contains("dst")) continue;
        std::string flags;
        for (const char* flag : {"router", "proxy", "extern_learn", "offload", "managed"}) {
            if (entry.contains(flag)) flags += std::string(flag) + ",";
        }
        std::string states;
        if (const auto* list = entry.if_contains("state")) {
            for (const auto& state : list->as_array())
                states += std::string(state.as_string());
        }
        lines.insert(text(entry, "dst") + " " + text(entry, "dev") + " " + text(entry, "lladdr") + " " +
                     states + " " + flags);
    }
    return lines;
}

std::string line_of(const object& row) {
    std::string flags;
    for (const auto& flag : row.at("flags").as_array())
        flags += std::string(flag.as_string()) + ",";
    const auto state = text(row, "state");
    return text(row, "address") + " " + text(row, "interface") + " " + text(row, "mac") + " " +
           (flags.find("proxy") == flags.npos ? state : "") + " " + flags;
}

bool is_proxy(const object& row) {
    for (const auto& flag : row.at("flags").as_array()) {
        if (flag.as_string() == "proxy") return true;
    }
    return false;
}

std::multiset<std::string> by_netlab(const Inspected& said, bool proxies) {
    std::multiset<std::string> lines;
    for (const auto& row : said.of("neighbour")) {
        if (is_proxy(row) == proxies) lines.insert(line_of(row));
    }
    return lines;
}

std::string mac_of(const TestNetwork& network, char letter, const std::string& interface) {
    return std::string(ip_json(network, letter, "link show dev " + interface)[0].at("address").as_string());
}

/// The entry of that address, which must be there once.
object entry(const Inspected& said, const std::string& address, const std::string& interface = {}) {
    object found;
    int count = 0;
    for (const auto& row : said.of("neighbour")) {
        if (text(row, "address") != address || is_proxy(row)) continue;
        if (!interface.empty() && text(row, "interface") != interface) continue;
        found = row;
        ++count;
    }
    INFO(address);
    REQUIRE(count == 1);
    return found;
}

/// A bridge in `h` with 192.0.2.254, and a and b on it.
void bridged(const TestNetwork& network) {
    network.ip('h', "link add br0 type bridge");
    network.ip('h', "addr add 192.0.2.254/24 dev br0");
    network.ip('h', "link set br0 up");
    network.veth('a', "eth0", "192.0.2.1/24", 'h', "va", "");
    network.veth('b', "eth0", "192.0.2.2/24", 'h', "vb", "");
    network.ip('a', "addr add 2001:db8::1/64 dev eth0 nodad");
    network.ip('b', "addr add 2001:db8::2/64 dev eth0 nodad");
    network.ip('h', "link set va master br0");
    network.ip('h', "link set vb master br0");
}

void ping(const TestNetwork& network, char letter, const std::string& address) {
    (void)support::run({"ip", "netns", "exec", network.name(letter), "ping", "-c", "1", "-W", "2", address});
}

}  // namespace

TEST_CASE("neigh: every state and flag, both families, as ip neigh has them", "[netns]") {
    const TestNetwork network("abh");
    bridged(network);
    const char* const mac = " lladdr 02:00:00:00:00:01 dev eth0 nud ";
    int host = 10;
    for (const std::string state : {"permanent", "reachable", "stale", "noarp"}) {
        network.ip('a', "neigh add 192.0.2." + std::to_string(host) + mac + state);
        network.ip('a', "-6 neigh add 2001:db8::" + std::to_string(host) + mac + state + " router");
        ++host;
    }
    network.ip('a', "neigh add 192.0.2.30 dev eth0 nud failed");
    network.ip('a', "neigh add 192.0.2.31 dev eth0 lladdr 02:00:00:00:00:09 nud stale extern_learn");
    network.ip('a', "neigh add proxy 192.0.2.40 dev eth0");
    network.ip('a', "-6 neigh add proxy 2001:db8::40 dev eth0");
    ping(network, 'a', "192.0.2.2");
    ping(network, 'a', "2001:db8::2");
    // The kernel's own timers move entries from state to state: asked again until both saw one moment.
    Inspected said;
    std::multiset<std::string> by_peer;
    const auto compare = [&](const std::string& words, bool noarp) {
        (void)support::eventually(
            [&] {
                api::NeighboursRequest request;
                request.noarp = noarp;
                by_peer = by_ip(network, 'a', words);
                said = inspect(request, ask(network, "a", "hb"));
                return by_peer.size() >= 8 && by_netlab(said, false) == by_peer;
            },
            std::chrono::seconds(5));
        CHECK(by_peer.size() >= 8);
        CHECK(by_netlab(said, false) == by_peer);
    };
    compare("neigh show", false);
    compare("neigh show nud all", true);
    CHECK(by_netlab(said, true) == by_ip(network, 'a', "neigh show proxy"));
    CHECK(by_netlab(said, true).size() == 2);
}

TEST_CASE("neigh: a MAC address is held against the one that the owner of the address really has",
          "[netns]") {
    const TestNetwork network("abh");
    bridged(network);
    ping(network, 'a', "192.0.2.2");
    ping(network, 'a', "192.0.2.254");
    ping(network, 'a', "2001:db8::2");
    network.ip('a', "neigh replace 192.0.2.77 lladdr 02:00:00:00:00:77 dev eth0 nud permanent");
    const auto good = inspect(api::NeighboursRequest{}, ask(network, "a", "hb"));
    REQUIRE(good.ended);
    for (const auto& [address, target, interface] :
         {std::tuple("192.0.2.2", 'b', "eth0"), std::tuple("2001:db8::2", 'b', "eth0"),
          std::tuple("192.0.2.254", 'h', "br0")}) {
        const auto row = entry(good, address);
        CHECK(text(row, "mac") == mac_of(network, target, interface));
        CHECK(row.at("matches") == true);
        CHECK(text(row.at("owner").as_object(), "target") == std::string(1, target));
        CHECK(text(row.at("owner").as_object(), "interface") == interface);
        CHECK(text(row.at("owner").as_object(), "mac") == mac_of(network, target, interface));
    }
    // Nobody has it: that is not known to be right.
    CHECK_FALSE(entry(good, "192.0.2.77").contains("matches"));
    CHECK_FALSE(entry(good, "192.0.2.77").contains("owner"));
    CHECK(good.report.at("findings") == 0);

    network.ip('a', "neigh replace 192.0.2.2 lladdr 02:00:00:00:00:99 dev eth0 nud permanent");
    const auto wrong = inspect(api::NeighboursRequest{}, ask(network, "a", "hb"));
    const auto row = entry(wrong, "192.0.2.2");
    CHECK(row.at("matches") == false);
    CHECK(text(row.at("owner").as_object(), "mac") == mac_of(network, 'b', "eth0"));
    CHECK(entry(wrong, "192.0.2.254").at("matches") == true);
    CHECK(wrong.report.at("findings") == 1);

    // The other way of going wrong: the owner's address changes under a cache that keeps the old one.
    const auto old = mac_of(network, 'b', "eth0");
    network.ip('a', "neigh replace 192.0.2.2 lladdr " + old + " dev eth0 nud permanent");
    CHECK(entry(inspect(api::NeighboursRequest{}, ask(network, "a", "hb")), "192.0.2.2").at("matches") ==
          true);
    network.ip('b', "link set eth0 address 02:00:00:00:01:01");
    const auto changed = inspect(api::NeighboursRequest{}, ask(network, "a", "hb"));
    CHECK(entry(changed, "192.0.2.2").at("matches") == false);
    CHECK(text(entry(changed, "192.0.2.2").at("owner").as_object(), "mac") == "02:00:00:00:01:01");
}

TEST_CASE("neigh: an address that two networks use is that of the one that the cache is of", "[netns]") {
    // a - b and a - c, both with 192.0.2.0/24; d has the address on a network of its own.
    const TestNetwork network("abcd");
    network.veth('a', "eth0", "192.0.2.1/24", 'b', "eth0", "192.0.2.2/24");
    network.veth('a', "eth1", "192.0.2.11/24", 'c', "eth0", "192.0.2.2/24");
    network.veth('d', "eth0", "192.0.2.2/24", 'b', "other", "");
    for (const std::string interface : {"eth0", "eth1"})
        network.ip('a', "neigh replace 192.0.2.2 lladdr " + mac_of(network, 'b', "eth0") + " dev " +
                            interface + " nud permanent");
    const auto said = inspect(api::NeighboursRequest{}, ask(network, "a", "bcd"));
    CHECK(entry(said, "192.0.2.2", "eth0").at("matches") == true);
    // On eth1 it is c that has the address, however right the MAC address is elsewhere.
    const auto row = entry(said, "192.0.2.2", "eth1");
    CHECK(row.at("matches") == false);
    CHECK(text(row.at("owner").as_object(), "target") == "c");
    // Without b the MAC address fits nobody, and who else has the address is on other networks.
    const auto less = inspect(api::NeighboursRequest{}, ask(network, "a", "cd"));
    CHECK(entry(less, "192.0.2.2", "eth1").at("matches") == false);
}

TEST_CASE("neigh: an interface may be chosen, must exist, and a target that is gone costs only its rows",
          "[netns]") {
    const TestNetwork network("abh");
    bridged(network);
    network.ip('a', "neigh add 192.0.2.30 lladdr 02:00:00:00:00:01 dev eth0 nud permanent");
    api::NeighboursRequest request;
    request.interface = "eth0";
    request.family = Family::ipv4;
    CHECK(inspect(request, ask(network, "a", "hb")).of("neighbour").size() ==
          by_ip(network, 'a', "-4 neigh show dev eth0").size());
    request.interface = "eth7";
    CHECK(inspect(request, ask(network, "a", "hb")).error == errc::no_such_interface);
    auto asked = ask(network, "ab", "h");
    asked.handles[1].net.reset();
    const auto said = inspect(api::NeighboursRequest{}, std::move(asked));
    CHECK(said.of("failure").size() == 1);
    CHECK(entry(said, "192.0.2.30").at("target") == "a");
}
