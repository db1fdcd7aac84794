#include "tests/docker/lab.hpp"

#include <algorithm>
#include <set>

#include <boost/json/serialize.hpp>

using namespace netlab;
using namespace netlab::lab;
using boost::json::object;

namespace {

const Words seed{"co1", "co2", "co3", "co4", "napt", "py-server1", "bare1", "six1", "priv1", "sidecar1"};

Words ip_words(const std::string& container, const Words& words) {
    Words all{"nsenter", "-t", std::to_string(pid_of(container)), "-n", "ip", "-j", "-d"};
    all.insert(all.end(), words.begin(), words.end());
    return all;
}

/// `text()` of a string, the JSON of anything else.
std::string field(const object& row, std::string_view key) {
    const auto* value = row.if_contains(key);
    if (value == nullptr) return {};
    return value->is_string() ? std::string(value->as_string()) : boost::json::serialize(*value);
}

std::multiset<std::string> routes_by_ip(const std::string& container) {
    std::multiset<std::string> lines;
    for (const std::string family : {"-4", "-6"}) {
        const auto shown =
            support::run_well(ip_words(container, {family, "route", "show", "table", "all"})).json();
        for (const auto& value : shown.as_array()) {
            const auto& route = value.as_object();
            std::string line = family;
            for (const char* key :
                 {"type", "dst", "gateway", "dev", "prefsrc", "table", "protocol", "scope", "metric"}) {
                const auto found = field(route, key);
                line += " " + (std::string_view(key) == "table" && found.empty() ? "main" : found);
            }
            lines.insert(line);
        }
    }
    return lines;
}

std::multiset<std::string> routes_by_netlab(const std::vector<object>& rows, const std::string& target) {
    std::multiset<std::string> lines;
    for (const auto& row : rows) {
        if (field(row, "type") != "route" || field(row, "target") != target) continue;
        std::string line = field(row, "family") == "ipv4" ? "-4" : "-6";
        for (const char* key : {"kind", "destination", "gateway", "interface", "source", "table", "protocol",
                                "scope", "metric"})
            line += " " + field(row, key);
        lines.insert(line);
    }
    return lines;
}

/// An entry of a container's cache that is put back at the end.
class WrongNeighbour {
  public:
    WrongNeighbour(std::string container, std::string address)
        : container_(std::move(container)), address_(std::move(address)) {
        support::run_well(ip_words(container_, {"neigh", "replace", address_, "lladdr", "02:de:ad:be:ef:01",
                                                "dev", "eth0", "nud", "permanent"}));
    }
    ~WrongNeighbour() { (void)support::run(ip_words(container_, {"neigh", "del", address_, "dev", "eth0"})); }
    WrongNeighbour(const WrongNeighbour&) = delete;
    WrongNeighbour& operator=(const WrongNeighbour&) = delete;

  private:
    std::string container_;
    std::string address_;
};

}  // namespace

TEST_CASE("routes: every table of the seed's containers as ip route has it, one by one and in one command",
          "[docker]") {
    const support::Daemon daemon(settings());
    Words together{"routes", "--table", "all", "-j"};
    for (const auto& name : seed) {
        INFO(name);
        const auto finished = daemon.netlab({"routes", name, "--table", "all", "-j"});
        CHECK(finished.status == 0);
        CHECK(routes_by_netlab(finished.json_lines(), name) == routes_by_ip(name));
        CHECK(routes_by_ip(name).size() >= 3);
        if (name != "sidecar1") together.push_back(name);
    }
    const auto rows = daemon.netlab(together).json_lines();
    for (const auto& name : seed) {
        INFO(name);
        if (name != "sidecar1") CHECK(routes_by_netlab(rows, name) == routes_by_ip(name));
    }
}

TEST_CASE("routes: the table shows main as ip route would, an empty one says so, a wrong one is refused",
          "[docker]") {
    const support::Daemon daemon(settings());
    const auto shown = daemon.netlab({"routes", "napt"});
    CHECK(shown.status == 0);
    const auto main = support::run_well(ip_words("napt", {"route"})).json().as_array();
    CHECK(shown.lines().size() == 1 + main.size());
    CHECK(shown.lines()[1].starts_with("default "));
    const auto empty = daemon.netlab({"routes", "napt", "--table", "4711"});
    CHECK(empty.status == 0);
    CHECK(empty.lines().size() == 1);
    CHECK(empty.err.find("no routes in table 4711") != empty.err.npos);
    for (const std::string word : {"mian", "0", "-1", "4294967296", "12x", " "}) {
        INFO(word);
        const auto refused = daemon.netlab({"routes", "napt", "--table", word});
        CHECK(refused.status == 2);
        CHECK(refused.err.find("main, local, default, all, or a number") != refused.err.npos);
    }
    CHECK(daemon.netlab({"routes", "nobody"}).status == 3);
    CHECK(daemon.netlab({"routes"}).status == 2);
}

TEST_CASE("rules: of the seed's containers as ip rule has them", "[docker]") {
    const support::Daemon daemon(settings());
    for (const auto& name : seed) {
        INFO(name);
        std::vector<std::string> expected;
        for (const auto& [option, family] : {std::pair("-4", "ipv4"), std::pair("-6", "ipv6")}) {
            const auto rules = support::run_well(ip_words(name, {option, "rule"})).json();
            for (const auto& rule : rules.as_array())
                expected.push_back(std::string(family) + " " + field(rule.as_object(), "priority") + " " +
                                   field(rule.as_object(), "src") + " " + field(rule.as_object(), "table"));
        }
        std::vector<std::string> lines;
        for (const auto& row : daemon.netlab({"rules", name, "-j"}).json_lines()) {
            if (field(row, "type") == "rule")
                lines.push_back(field(row, "family") + " " + field(row, "priority") + " " +
                                field(row, "from") + " " + field(row, "table"));
        }
        CHECK(lines == expected);
    }
}

TEST_CASE("route: the container's and the host's kernel, as ip route get has it in both", "[docker]") {
    const support::Daemon daemon(settings());
    const auto address = address_of("co1", "net");
    for (const auto& destination : {std::string("203.0.113.8"), address_of("co3", "bridge")}) {
        INFO(destination);
        const auto answer = daemon.netlab({"route", "co1", destination, "-j"}).json_lines().at(0);
        const auto own = ip_json("co1", {"route", "get", destination})[0].as_object();
        CHECK(field(answer, "gateway") == field(own, "gateway"));
        CHECK(field(answer, "interface") == field(own, "dev"));
        CHECK(field(answer, "source") == field(own, "prefsrc"));
        const auto& hops = answer.at("hops").as_array();
        REQUIRE(hops.size() == 3);
        const auto& host = hops[1].as_object();
        CHECK(field(host, "target") == "host");
        const auto referee = support::run_well({"ip", "-n", host_namespace(), "-j", "route", "get",
                                                destination, "from", address, "iif", field(host, "input")})
                                 .json()
                                 .as_array()[0]
                                 .as_object();
        CHECK(field(host.at("route").as_object(), "gateway") == field(referee, "gateway"));
        CHECK(field(host, "output") == field(referee, "dev"));
        // The other end of co1's veth, as ip has it on the host.
        const auto link = ip_json("co1", {"link", "show", "eth0"})[0].as_object();
        const auto links = support::run_well({"ip", "-n", host_namespace(), "-j", "link", "show"}).json();
        const auto found = std::ranges::find_if(
            links.as_array(), [&](const auto& one) { return one.at("ifindex") == link.at("link_index"); });
        REQUIRE(found != links.as_array().end());
        CHECK(field(host, "port") == field(found->as_object(), "ifname"));
        CHECK(field(host, "input") == field(found->as_object(), "master"));
        CHECK(field(hops[2].as_object(), "step") == "delivered");
    }
}

TEST_CASE("route: a target's name, the same bridge, and no way at all", "[docker]") {
    const support::Daemon daemon(settings());
    const auto switched = daemon.netlab({"route", "co1", "co2", "-j"});
    CHECK(switched.status == 0);
    const auto answer = switched.json_lines().at(0);
    CHECK(field(answer, "named") == "co2");
    CHECK(field(answer, "destination") == address_of("co2", "net"));
    const auto& hops = answer.at("hops").as_array();
    REQUIRE(hops.size() == 3);
    CHECK(field(hops[1].as_object(), "step") == "switched");
    CHECK(field(hops[2].as_object(), "target") == "co2");
    const auto none = daemon.netlab({"route", "co1", "2001:db8::1"});
    CHECK(none.status == 1);
    CHECK(none.out.find("unreachable") != none.out.npos);
    CHECK(daemon.netlab({"route", "co1", "dead1"}).status == 3);
    CHECK(daemon.netlab({"route", "co1", "nobody"}).status == 3);
    CHECK(daemon.netlab({"route", "co1"}).status == 2);
    CHECK(daemon.netlab({"route", "co1", "192.0.2.1", "--from", "::1"}).status == 2);
    CHECK(daemon.netlab({"route", "co1", "192.0.2.1", "--mark", "x"}).status == 2);
}

TEST_CASE("neigh: the seed's containers' caches as ip neigh has them, and no false alarm", "[docker]") {
    const support::Daemon daemon(settings());
    (void)docker({"exec", "co1", "ping", "-c", "1", "-W", "2", address_of("co2", "net")});
    for (const auto& name : seed) {
        INFO(name);
        const auto entries = [&] {
            std::multiset<std::string> lines;
            const auto shown = support::run_well(ip_words(name, {"neigh"})).json();
            for (const auto& value : shown.as_array()) {
                const auto& entry = value.as_object();
                if (!entry.contains("dst")) continue;
                lines.insert(field(entry, "dst") + " " + field(entry, "dev") + " " + field(entry, "lladdr") +
                             " " + std::string(entry.at("state").as_array().at(0).as_string()));
            }
            return lines;
        };
        // Timers move entries from state to state: the two must once agree.
        std::multiset<std::string> lines;
        bool alarm = false;
        CHECK(support::eventually(
            [&] {
                lines.clear();
                const auto finished = daemon.netlab({"neigh", name, "-j"});
                alarm = finished.status != 0;
                for (const auto& row : finished.json_lines()) {
                    if (field(row, "type") == "neighbour")
                        lines.insert(field(row, "address") + " " + field(row, "interface") + " " +
                                     field(row, "mac") + " " + field(row, "state"));
                }
                return lines == entries();
            },
            std::chrono::seconds(5)));
        CHECK(lines == entries());
        CHECK_FALSE(alarm);
    }
}

TEST_CASE("neigh: a wrong MAC address in a container's cache is found, and whose address it is", "[docker]") {
    const support::Daemon daemon(settings());
    const auto address = address_of("co2", "net");
    const WrongNeighbour wrong("co1", address);
    const auto mac = field(ip_json("co2", {"link", "show", "eth0"})[0].as_object(), "address");
    const auto finished = daemon.netlab({"neigh", "co1", "-j"});
    CHECK(finished.status == 1);
    bool found = false;
    for (const auto& row : finished.json_lines()) {
        if (field(row, "type") != "neighbour" || field(row, "address") != address) continue;
        found = true;
        CHECK(row.at("matches") == false);
        CHECK(field(row.at("owner").as_object(), "target") == "co2");
        CHECK(field(row.at("owner").as_object(), "mac") == mac);
    }
    CHECK(found);
    const auto table = daemon.netlab({"neigh", "co1"});
    CHECK(table.status == 1);
    CHECK(table.out.find("NO: " + mac) != table.out.npos);
    CHECK(table.err.find("1 MAC address is not") != table.err.npos);
    // The rest of the machine is no worse for it.
    CHECK(daemon.netlab({"neigh", "co2", "host"}).status == 0);
}
