#include "common/api/sysctls.hpp"

#include "tests/netns/inspection.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/command.hpp"

#include <algorithm>
#include <map>
#include <sstream>

using namespace netlab;
using namespace netlab::test;
using boost::json::object;

namespace {

using Settings = std::map<std::string, std::string>;

/// `nsenter … sysctl -a`: the referee, with one blank between numbers.
Settings by_sysctl(const TestNetwork& network, char letter) {
    Settings settings;
    for (const auto& line :
         support::run({"nsenter", "--net=/run/netns/" + network.name(letter), "sysctl", "-a", "-r", "^net"})
             .lines()) {
        const auto at = line.find(" =");
        if (at == line.npos) continue;
        std::istringstream words(line.substr(at + 2));
        std::string value;
        for (std::string word; words >> word;)
            value += (value.empty() ? "" : " ") + word;
        settings[line.substr(0, at)] = value;
    }
    return settings;
}

Settings by_netlab(const std::vector<object>& rows) {
    Settings settings;
    for (const auto& row : rows)
        settings[std::string(row.at("name").as_string())] = std::string(row.at("value").as_string());
    return settings;
}

void set(const TestNetwork& network, char letter, const std::string& setting) {
    support::run_well({"nsenter", "--net=/run/netns/" + network.name(letter), "sysctl", "-q", "-w", setting});
}

}  // namespace

TEST_CASE("sysctls: each is as sysctl has it in the namespace, of interfaces with a dot in their name too",
          "[netns]") {
    const TestNetwork network("ab");
    network.veth('a', "eth0", "192.0.2.1/24", 'b', "eth0", "192.0.2.2/24");
    network.veth('a', "v.100", "", 'b', "eth1", "");
    // Another namespace's values would show.
    set(network, 'a', "net.ipv4.ip_forward=1");
    set(network, 'a', "net.ipv4.conf.eth0.rp_filter=2");
    set(network, 'a', "net.ipv4.ping_group_range=0 4242");
    set(network, 'b', "net.ipv4.tcp_retries2=7");
    const auto said = inspect(api::SysctlsRequest{}, ask(network, "ab"));
    REQUIRE(said.ended);
    REQUIRE(said.of("failure").empty());
    for (const char letter : {'a', 'b'}) {
        const auto referee = by_sysctl(network, letter);
        std::vector<object> rows;
        for (const auto& row : said.of("sysctl")) {
            if (row.at("target").as_string() == std::string(1, letter)) rows.push_back(row);
        }
        const auto settings = by_netlab(rows);
        CHECK(settings.size() > 100);
        CHECK(settings.size() == rows.size());
        for (const auto& [name, value] : settings) {
            INFO(name);
            REQUIRE(referee.contains(name));
            CHECK(value == referee.at(name));
        }
        // Whatever the referee knows of an interface's setting that one of them has, is there for each.
        for (const auto& [name, value] : referee) {
            if (name.starts_with("net.ipv4.conf.") && name.ends_with(".rp_filter"))
                CHECK(settings.contains(name));
        }
    }
}

TEST_CASE("sysctls: --changed shows what was changed and nothing else", "[netns]") {
    const TestNetwork network("a");
    api::SysctlsRequest request;
    request.changed = true;
    // A fresh namespace may differ by what it takes over from the host.
    const auto before = by_netlab(inspect(request, ask(network, "a")).of("sysctl"));
    CHECK(before.size() < 10);
    set(network, 'a', "net.ipv4.ip_unprivileged_port_start=80");
    set(network, 'a', "net.ipv6.conf.lo.disable_ipv6=1");
    auto expected = before;
    expected["net.ipv4.ip_unprivileged_port_start"] = "80";
    expected["net.ipv6.conf.lo.disable_ipv6"] = "1";
    const auto rows = inspect(request, ask(network, "a")).of("sysctl");
    CHECK(by_netlab(rows) == expected);
    const auto port = *std::ranges::find(rows, "net.ipv4.ip_unprivileged_port_start",
                                         [](const object& row) { return row.at("name").as_string(); });
    CHECK(port.at("default") == "1024");
    CHECK(port.at("default_from") == "kernel");
    CHECK(port.at("changed") == true);
}
