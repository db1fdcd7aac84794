#include "tests/docker/lab.hpp"

#include <algorithm>
#include <csignal>
#include <map>
#include <set>

#include <boost/json/serialize.hpp>

using namespace netlab;
using namespace netlab::lab;
using boost::json::array;
using boost::json::object;
using boost::json::value;

namespace {

constexpr std::size_t short_id = 12;

std::vector<object> rows_of(const Finished& finished, std::string_view type) {
    std::vector<object> rows;
    for (auto& line : finished.json_lines()) {
        if (line.contains("type") && line.at("type").as_string() == type) rows.push_back(std::move(line));
    }
    return rows;
}

/// `ip WORDS…` on the lab's host.
Finished host_ip(Words words) {
    words.insert(words.begin(), {"ip", "-n", host_namespace()});
    return support::run_well(words);
}

array host_ip_json(Words words) {
    words.insert(words.begin(), {"-j", "-d"});
    return host_ip(std::move(words)).json().as_array();
}

std::string bridge_of(const std::string& network) {
    const auto inspected = docker({"network", "inspect", network}).json().at(0).as_object();
    const auto name = text(inspected.at("Options").as_object(), "com.docker.network.bridge.name");
    return name.empty() ? "br-" + text(inspected, "Id").substr(0, short_id) : name;
}

/// The interface on the lab's host whose other end a container's is, by index.
std::string port_of(const std::string& container, const std::string& interface) {
    const auto index = ip_json(container, {"link", "show", "dev", interface}).at(0).at("link_index");
    for (const auto& link : host_ip_json({"link", "show"})) {
        if (link.at("ifindex") == index) return std::string(link.at("ifname").as_string());
    }
    throw std::runtime_error("no other end of " + container + "'s " + interface);
}

/// Findings of a network by code, with their sentences.
std::multimap<std::string, std::string> findings(const support::Daemon& daemon, const std::string& network,
                                                 int status) {
    const auto finished = daemon.netlab({"-j", "networks", network});
    INFO(finished.out << finished.err);
    CHECK(finished.status == status);
    std::multimap<std::string, std::string> out;
    for (const auto& row : rows_of(finished, "network")) {
        for (const auto& finding : row.at("findings").as_array()) {
            out.emplace(text(finding.as_object(), "code"), text(finding.as_object(), "message"));
        }
    }
    return out;
}

bool waits_for(const support::Daemon& daemon, const std::string& container) {
    return support::eventually(
        [&] {
            const auto all = daemon.netlab({"-j", "ls"}).json().as_array();
            return has_name(all, container) && named(all, container).contains("namespace");
        },
        std::chrono::seconds(5));
}

/// Does something when it goes out of scope: what a test breaks is mended whatever happens.
class Mend {
  public:
    explicit Mend(Words words) : words_(std::move(words)) {}
    ~Mend() { (void)support::run(words_); }
    Mend(const Mend&) = delete;
    Mend& operator=(const Mend&) = delete;

  private:
    Words words_;
};

}  // namespace

TEST_CASE("links: of the seed's containers the same as the container's own view, and the veth's other end",
          "[docker]") {
    const support::Daemon daemon(settings());
    for (const std::string name : {"co1", "co2", "co3", "co4"}) {
        REQUIRE(waits_for(daemon, name));
        const auto rows = rows_of(daemon.netlab({"-j", "links", name}), "link");
        const auto referee = ip_json(name, {"-d", "link", "show"});
        REQUIRE(rows.size() == referee.size());
        for (std::size_t i = 0; i < rows.size(); ++i) {
            INFO(name << " " << boost::json::serialize(rows[i]));
            const auto& link = referee[i].as_object();
            CHECK(rows[i].at("index") == link.at("ifindex"));
            CHECK(rows[i].at("name") == link.at("ifname"));
            CHECK(rows[i].at("mtu") == link.at("mtu"));
            CHECK(rows[i].at("mac") == link.at("address"));
            CHECK(rows[i].at("state") == link.at("operstate"));
            CHECK(rows[i].contains("peer") == link.contains("link_index"));
            if (!rows[i].contains("peer")) continue;
            const auto& peer = rows[i].at("peer").as_object();
            CHECK(text(peer, "target") == "host");
            CHECK(text(peer, "name") == port_of(name, text(rows[i], "name")));
            CHECK(peer.at("index") == link.at("link_index"));
        }
    }
}

TEST_CASE("links: with --all every veth of the lab's host leads to the container that has its index",
          "[docker]") {
    const support::Daemon daemon(settings());
    REQUIRE(waits_for(daemon, "co1"));
    std::map<std::string, std::string> behind;
    for (const auto& row : rows_of(daemon.netlab({"-j", "links", "--all"}), "link")) {
        if (text(row, "target") != "host" || text(row, "kind") != "veth") continue;
        const auto& peer = row.at("peer").as_object();
        behind[text(row, "name")] = text(peer, "target") + " " + text(peer, "name");
    }
    CHECK(behind.at(port_of("co2", "eth0")) == "co2 eth0");
    CHECK(behind.at(port_of("co4", "eth1")) == "co4 eth1");
    CHECK(behind.at(port_of("napt", "eth0")) == "napt eth0");
    for (const auto& [name, other] : behind) {
        INFO(name);
        CHECK_FALSE(other == " ");
    }
}

TEST_CASE("bridges: all of the lab's host, each with its network and the containers behind its ports",
          "[docker]") {
    const support::Daemon daemon(settings());
    REQUIRE(waits_for(daemon, "co1"));
    const auto finished = daemon.netlab({"-j", "bridges"});
    CHECK(finished.status == 0);
    const auto rows = rows_of(finished, "bridge");
    std::set<std::string> by_ip;
    for (const auto& link : host_ip_json({"link", "show", "type", "bridge"}))
        by_ip.insert(std::string(link.at("ifname").as_string()));
    std::set<std::string> by_netlab;
    for (const auto& row : rows)
        by_netlab.insert(text(row, "name"));
    CHECK(by_netlab == by_ip);
    for (const std::string network : {"net", "bridge", "test-net"}) {
        INFO(network);
        const auto row = std::ranges::find_if(
            rows, [&](const object& one) { return one.at("name").as_string() == bridge_of(network); });
        REQUIRE(row != rows.end());
        CHECK(text(row->at("network").as_object(), "name") == network);
        std::set<std::string> expected;
        const auto inspected = docker({"network", "inspect", network}).json().at(0).as_object();
        for (const auto& member : inspected.at("Containers").as_object())
            expected.insert(text(member.value().as_object(), "Name"));
        std::set<std::string> behind;
        for (const auto& port : row->at("ports").as_array())
            behind.insert(text(port.at("peer").as_object(), "target"));
        CHECK(behind == expected);
    }
}

TEST_CASE("bridges: --fdb says whose a container's MAC address is", "[docker]") {
    const support::Daemon daemon(settings());
    REQUIRE(waits_for(daemon, "co1"));
    // It is learned from what it sends.
    docker({"exec", "co1", "ping", "-c1", "-W1", address_of("co2", "net")});
    const auto mac =
        std::string(ip_json("co1", {"link", "show", "dev", "eth0"}).at(0).at("address").as_string());
    bool found = false;
    for (const auto& row : rows_of(daemon.netlab({"-j", "bridges", "--fdb"}), "fdb")) {
        if (text(row, "mac") != mac || text(row, "port") != port_of("co1", "eth0")) continue;
        found = true;
        CHECK(row.at("owner") == value({{"target", "co1"}, {"interface", "eth0"}}));
    }
    CHECK(found);
}

TEST_CASE("networks: the same as docker network inspect, and no findings where all is well", "[docker]") {
    const support::Daemon daemon(settings());
    REQUIRE(waits_for(daemon, "six2"));
    const auto finished = daemon.netlab({"-j", "networks"});
    INFO(finished.out << finished.err);
    CHECK(finished.status == 0);
    std::map<std::string, object> rows;
    for (auto& row : rows_of(finished, "network")) {
        CHECK(row.at("findings").as_array().empty());
        if (text(row, "engine") == "docker") rows.emplace(text(row, "id"), row);
    }
    Words words{"network", "inspect"};
    for (const auto& id : docker({"network", "ls", "-q", "--no-trunc"}).lines())
        words.push_back(id);
    const auto referee = docker(words).json().as_array();
    CHECK(rows.size() == referee.size());
    for (const auto& element : referee) {
        const auto& network = element.as_object();
        INFO(text(network, "Name"));
        const auto& row = rows.at(text(network, "Id"));
        CHECK(row.at("name") == network.at("Name"));
        CHECK(row.at("driver") == network.at("Driver"));
        CHECK(row.at("scope") == network.at("Scope"));
        CHECK(row.at("internal") == network.at("Internal"));
        CHECK(row.at("checked").as_bool() == (text(network, "Driver") == "bridge"));
        std::set<std::string> subnets;
        const auto* config = network.at("IPAM").at("Config").if_array();
        for (const auto& one : config != nullptr ? *config : array())
            subnets.insert(text(one.as_object(), "Subnet") + " " + text(one.as_object(), "Gateway"));
        std::set<std::string> by_netlab;
        for (const auto& one : row.at("subnets").as_array())
            by_netlab.insert(text(one.as_object(), "subnet") + " " + text(one.as_object(), "gateway"));
        CHECK(by_netlab == subnets);
        std::set<std::string> members;
        for (const auto& one : network.at("Containers").as_object()) {
            const auto& member = one.value().as_object();
            const auto v4 = text(member, "IPv4Address");
            const auto v6 = text(member, "IPv6Address");
            members.insert(std::string(one.key()) + " " + text(member, "Name") + " " +
                           text(member, "MacAddress") + (v4.empty() ? "" : " " + v4) +
                           (v6.empty() ? "" : " " + v6));
        }
        std::set<std::string> members_by_netlab;
        for (const auto& one : row.at("members").as_array()) {
            const auto& member = one.as_object();
            auto line = text(member, "id") + " " + text(member, "name") + " " + text(member, "mac");
            for (const auto& address : member.at("addresses").as_array())
                line += " " + std::string(address.as_string());
            members_by_netlab.insert(line);
        }
        CHECK(members_by_netlab == members);
    }
}

TEST_CASE("networks: Podman's are there with its own names for network and bridge", "[docker]") {
    const support::Daemon daemon(settings());
    REQUIRE(waits_for(daemon, "pod1"));
    const auto rows = rows_of(daemon.netlab({"-j", "networks", "podnet"}), "network");
    REQUIRE(rows.size() == 1);
    CHECK(text(rows[0], "engine") == "podman");
    CHECK(rows[0].at("findings").as_array().empty());
    CHECK(rows[0].at("checked") == true);
    // The bridge is the one that has its gateway's address.
    const auto gateway = text(rows[0].at("subnets").at(0).as_object(), "gateway");
    const auto with_it = host_ip_json({"addr", "show", "dev", text(rows[0], "bridge")});
    bool has_gateway = false;
    for (const auto& address : with_it.at(0).at("addr_info").as_array())
        has_gateway = has_gateway || address.at("local").as_string() == gateway;
    CHECK(has_gateway);
    CHECK(rows[0].at("members").as_array().size() == 3);
}

TEST_CASE("networks: a bridge without its address, and with one that nobody knows, is found", "[docker]") {
    const support::Daemon daemon(settings());
    REQUIRE(waits_for(daemon, "napt"));
    const auto bridge = bridge_of("test-net");
    const auto config = docker({"network", "inspect", "test-net"}).json().at(0).at("IPAM").at("Config").at(0);
    const auto gateway = text(config.as_object(), "Gateway");
    {
        const Mend mend({"ip", "-n", host_namespace(), "addr", "add", gateway + "/16", "dev", bridge});
        host_ip({"addr", "del", gateway + "/16", "dev", bridge});
        const auto found = findings(daemon, "test-net", 1);
        REQUIRE(found.size() == 1);
        CHECK(found.begin()->first == "gateway_missing");
        CHECK(found.begin()->second.find(gateway) != std::string::npos);
        // The other networks are fine, and the whole list still says 1.
        CHECK(findings(daemon, "net", 0).empty());
        CHECK(daemon.netlab({"networks"}).status == 1);
    }
    {
        const Mend mend({"ip", "-n", host_namespace(), "addr", "del", "192.0.2.77/24", "dev", bridge});
        host_ip({"addr", "add", "192.0.2.77/24", "dev", bridge});
        const auto found = findings(daemon, "test-net", 1);
        REQUIRE(found.size() == 1);
        CHECK(found.begin()->first == "bridge_address_unknown");
        CHECK(found.begin()->second.find("192.0.2.77/24") != std::string::npos);
    }
    {
        const Mend mend({"ip", "-n", host_namespace(), "link", "set", bridge, "up"});
        host_ip({"link", "set", bridge, "down"});
        CHECK(findings(daemon, "test-net", 1).contains("bridge_down"));
    }
    CHECK(findings(daemon, "test-net", 0).empty());
}

TEST_CASE("networks: a container's address that the engine does not know, or that is gone, is found",
          "[docker]") {
    const Container container("held1", {"--network", "test-net"});
    const support::Daemon daemon(settings());
    REQUIRE(waits_for(daemon, "held1"));
    const auto in_it = [&](Words words) {
        words.insert(words.begin(), {"nsenter", "-t", std::to_string(pid_of("held1")), "-n", "ip"});
        support::run_well(words);
    };
    in_it({"addr", "add", "192.0.2.99/24", "dev", "eth0"});
    auto found = findings(daemon, "test-net", 1);
    REQUIRE(found.size() == 1);
    CHECK(found.begin()->first == "address_unknown");
    CHECK(found.begin()->second.find("held1") != std::string::npos);
    CHECK(found.begin()->second.find("192.0.2.99/24") != std::string::npos);
    in_it({"addr", "del", "192.0.2.99/24", "dev", "eth0"});
    in_it({"addr", "del", address_of("held1", "test-net") + "/16", "dev", "eth0"});
    found = findings(daemon, "test-net", 1);
    REQUIRE(found.size() == 1);
    CHECK(found.begin()->first == "address_missing");
    in_it({"addr", "add", address_of("held1", "test-net") + "/16", "dev", "eth0"});
    in_it({"link", "set", "eth0", "down"});
    in_it({"link", "set", "eth0", "address", "02:00:00:00:00:77"});
    found = findings(daemon, "test-net", 1);
    CHECK(found.contains("mac_differs"));
    CHECK(found.contains("interface_down"));
    in_it({"link", "del", "eth0"});
    CHECK(findings(daemon, "test-net", 1).contains("interface_missing"));
}

TEST_CASE("networks: a veth that was taken off its bridge is found, and so is a stranger on it", "[docker]") {
    const Container container("held2", {"--network", "test-net"});
    const support::Daemon daemon(settings());
    REQUIRE(waits_for(daemon, "held2"));
    const auto port = port_of("held2", "eth0");
    const auto bridge = bridge_of("test-net");
    host_ip({"link", "set", port, "nomaster"});
    auto found = findings(daemon, "test-net", 1);
    REQUIRE(found.size() == 1);
    CHECK(found.begin()->first == "port_detached");
    CHECK(found.begin()->second.find(port) != std::string::npos);
    host_ip({"link", "set", port, "master", bridge});
    CHECK(findings(daemon, "test-net", 0).empty());
    host_ip({"link", "set", port, "down"});
    CHECK(findings(daemon, "test-net", 1).contains("port_down"));
    host_ip({"link", "set", port, "up"});
    host_ip({"link", "add", "stranger0", "type", "veth", "peer", "name", "stranger1"});
    const Mend mend({"ip", "-n", host_namespace(), "link", "del", "stranger0"});
    host_ip({"link", "set", "stranger0", "master", bridge});
    found = findings(daemon, "test-net", 1);
    CHECK(found.contains("port_unknown"));
}

TEST_CASE("networks: a name that is none, and one with a prefix", "[docker]") {
    const support::Daemon daemon(settings());
    REQUIRE(waits_for(daemon, "co1"));
    const auto wrong = daemon.netlab({"networks", "tset-net"});
    CHECK(wrong.status == 3);
    CHECK(wrong.err.find("test-net") != std::string::npos);
    CHECK(rows_of(daemon.netlab({"-j", "networks", "docker:net"}), "network").size() == 1);
    CHECK(daemon.netlab({"networks", "podman:net"}).status == 3);
    const auto id = docker({"network", "inspect", "-f", "{{.Id}}", "net"}).lines().at(0);
    CHECK(rows_of(daemon.netlab({"-j", "networks", id.substr(0, short_id)}), "network").size() == 1);
}

TEST_CASE("networks: an engine that hangs costs two seconds and not the others' rows", "[docker]") {
    const support::Daemon daemon(settings());
    REQUIRE(waits_for(daemon, "pod1"));
    const auto pid = static_cast<pid_t>(
        std::stoi(support::run_well({"cat", "/run/netlab-lab/" + instance() + "/docker.pid"}).out));
    REQUIRE(::kill(pid, SIGSTOP) == 0);
    const auto finished = daemon.netlab({"-j", "networks"});
    const auto bridges = daemon.netlab({"-j", "bridges"});
    ::kill(pid, SIGCONT);
    CHECK(finished.took < std::chrono::milliseconds(3000));
    CHECK(finished.status != 0);
    const auto failures = rows_of(finished, "failure");
    REQUIRE(failures.size() == 1);
    CHECK(text(failures[0], "target") == "docker");
    CHECK_FALSE(rows_of(finished, "network").empty());
    // The kernel's rows are all there; the network is what the bridge's name looks like.
    bool guessed = false;
    for (const auto& row : rows_of(bridges, "bridge")) {
        if (text(row, "name") != bridge_of("net")) continue;
        guessed = row.at("network").at("said_by_engine") == false;
    }
    CHECK(guessed);
    CHECK(bridges.took < std::chrono::milliseconds(3000));
}
