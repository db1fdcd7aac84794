#include "tests/docker/ports_lab.hpp"

#include <algorithm>
#include <set>

#include <boost/json/serialize.hpp>

using namespace netlab;
using namespace netlab::lab;
using boost::json::object;

namespace {

/// The rules of a table on the lab's host, a line each.
std::vector<std::string> saved(const std::string& table) {
    return on_host({"iptables-save", "-c", "-t", table}).lines();
}

std::string line_with(const std::vector<std::string>& lines, std::initializer_list<std::string_view> parts) {
    for (const auto& line : lines) {
        if (std::ranges::all_of(parts, [&](auto part) { return line.find(part) != line.npos; })) return line;
    }
    return {};
}

}  // namespace

TEST_CASE("ports: the tutorial's py-server1 works, and is carried by the rule and the proxy that are there",
          "[docker][ports]") {
    const support::Daemon daemon(settings());
    (void)row_with(daemon, "py-server1", "works");
    CHECK(answers(8080));
    const auto all = ports(daemon, {"py-server1"});
    const auto row = row_of(all);
    CHECK(all.finished.status == 0);
    const auto published = docker({"port", "py-server1", "8080/tcp"}).lines();
    CHECK(std::ranges::count(published, text(row, "host_address") + ":8080") == 1);
    // The rule, by iptables' own words.
    const auto address = address_of("py-server1", "bridge");
    CHECK(row.at("to") == object{{"address", address}, {"port", 8080}});
    CHECK(text(carrier(row), "kind") == "dnat");
    CHECK(text(carrier(row), "clients") == "outside");
    CHECK(text(carrier(row), "owner") == "py-server1");
    const auto& rule = carrier(row).at("rule").as_object();
    CHECK(text(rule, "text") == "iifname != \"docker0\" tcp dport 8080 dnat to " + address + ":8080");
    const auto line = line_with(saved("nat"), {"-A DOCKER", "--dport 8080 ", "--to-destination " + address});
    INFO(line);
    CHECK(line.starts_with("[" + std::to_string(rule.at("packets").to_number<int>()) + ":" +
                           std::to_string(rule.at("bytes").to_number<int>()) + "]"));
    const auto listed = on_host({"nft", "-a", "list", "chain", "ip", "nat", "DOCKER"}).lines();
    CHECK_FALSE(
        line_with(listed, {"dport 8080", "# handle " + std::to_string(rule.at("handle").to_number<int>())})
            .empty());
    // The process that has the host's port, by ss.
    CHECK(text(carrier(row, 1), "kind") == "proxy");
    CHECK(text(carrier(row, 1), "process") == "docker-proxy");
    const auto pid = "pid=" + std::to_string(carrier(row, 1).at("pid").to_number<int>()) + ",";
    CHECK_FALSE(line_with(on_host({"ss", "-Hltnp"}).lines(), {"0.0.0.0:8080", "docker-proxy", pid}).empty());
    CHECK(text(row.at("listener").as_object(), "process") == "httpd");
}

TEST_CASE("ports: over IPv6 docker-proxy carries to IPv4, and that is said", "[docker][ports]") {
    const support::Daemon daemon(settings());
    const auto row = row_with(daemon, "py-server1", "works", "ipv6");
    CHECK(answers(std::string(host_address_v6) + ":8080"));
    CHECK(text(carrier(row), "kind") == "proxy");
    CHECK(row.at("to").at("address").as_string() == address_of("py-server1", "bridge"));
    CHECK(boost::json::serialize(row.at("notes")).find("sees the host as its client, by IPv4") !=
          std::string::npos);
}

TEST_CASE("ports: without a target every container that publishes, as docker ps has them",
          "[docker][ports]") {
    const support::Daemon daemon(settings());
    (void)row_with(daemon, "py-server2", "works");
    std::set<std::string> by_docker;
    for (const auto& name : docker({"ps", "--format", "{{.Names}}"}).lines()) {
        for (const auto& line : docker({"port", name}).lines()) {
            const auto arrow = line.find(" -> ");
            by_docker.insert(name + " " + line.substr(arrow + 4) + " " + line.substr(0, arrow));
        }
    }
    std::set<std::string> by_netlab;
    for (const auto& row : ports(daemon, {}).rows) {
        if (text(row, "engine") != "docker" || text(carrier(row), "kind") == "host_network") continue;
        const auto address = text(row, "host_address");
        by_netlab.insert(text(row, "target") + " " + (address == "::" ? "[::]" : address) + ":" +
                         std::to_string(row.at("host_port").to_number<int>()) + " " +
                         std::to_string(row.at("container_port").to_number<int>()) + "/" +
                         text(row, "protocol"));
    }
    CHECK(by_netlab == by_docker);
}

TEST_CASE("ports: nothing listens, then something does", "[docker][ports]") {
    const support::Daemon daemon(settings());
    const Container container("p-none", {"-p", "18001:80"});
    const auto row = row_with(daemon, "p-none", "no_listener");
    CHECK_FALSE(answers(18001));
    CHECK(ports(daemon, {"p-none"}).finished.status == 1);
    CHECK(text(row, "explanation") == "nothing in p-none listens on TCP port 80");
    serve(container, "80");
    (void)row_with(daemon, "p-none", "works");
    CHECK(answers(18001));
}

TEST_CASE("ports: a listener on a loopback address is named as the cause", "[docker][ports]") {
    const support::Daemon daemon(settings());
    const Container container("p-loop", {"-p", "18002:80"});
    serve(container, "127.0.0.1:80");
    const auto row = row_with(daemon, "p-loop", "loopback_only");
    CHECK_FALSE(answers(18002));
    CHECK(row.at("listener").at("address").as_string() == "127.0.0.1");
    CHECK(text(row, "explanation").find("127.0.0.1:80 (httpd") != std::string::npos);
    CHECK(text(row, "suggestion") == "let it bind to 0.0.0.0:80");
    docker({"exec", "-d", "p-loop", "httpd", "-f", "-h", "/", "-p", address_of("p-loop", "bridge") + ":80"});
    (void)row_with(daemon, "p-loop", "works");
    CHECK(answers(18002));
}

TEST_CASE("ports: the container listens on another port, which is said", "[docker][ports]") {
    const support::Daemon daemon(settings());
    const Container container("p-other", {"-p", "18003:80"});
    serve(container, "8000");
    const auto row = row_with(daemon, "p-other", "other_port");
    CHECK_FALSE(answers(18003));
    CHECK(text(row, "explanation") == "nothing in p-other listens on TCP port 80: it listens on 8000");
    CHECK(text(row, "suggestion") == "publish the port that listens: -p 18003:8000");
}

TEST_CASE("ports: published on 127.0.0.1 it works from the host alone", "[docker][ports]") {
    const support::Daemon daemon(settings());
    const Container container("p-local", {"-p", "127.0.0.1:18004:80"});
    serve(container, "80");
    const auto row = row_with(daemon, "p-local", "works");
    CHECK(answers("127.0.0.1:18004", false));
    CHECK_FALSE(answers(18004));
    CHECK(text(carrier(row), "kind") == "proxy");
    CHECK(boost::json::serialize(row.at("notes")).find("only the host itself") != std::string::npos);
}

TEST_CASE("ports: UDP is looked at as TCP is", "[docker][ports]") {
    const support::Daemon daemon(settings());
    const Container container("p-udp", {"-p", "18005:5353/udp"});
    CHECK(text(row_with(daemon, "p-udp", "no_listener"), "protocol") == "udp");
    const support::Process server(
        {"nsenter", "-t", std::to_string(pid_of("p-udp")), "-n", "python3", "-c",
         "import socket, time; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind((\"\", 5353)); "
         "time.sleep(60)"});
    (void)row_with(daemon, "p-udp", "works");
}

TEST_CASE("ports: a paused container is said to be paused", "[docker][ports]") {
    const support::Daemon daemon(settings());
    const Container container("p-pause", {"-p", "18006:80"});
    serve(container, "80");
    (void)row_with(daemon, "p-pause", "works");
    docker({"pause", "p-pause"});
    CHECK(text(row_with(daemon, "p-pause", "paused"), "suggestion") == "docker unpause p-pause");
    CHECK_FALSE(answers(18006));
    docker({"unpause", "p-pause"});
    (void)row_with(daemon, "p-pause", "works");
    CHECK(answers(18006));
}

TEST_CASE("ports: on an IPv6 network docker-proxy leads to the IPv6 address, where it must listen too",
          "[docker][ports]") {
    const support::Daemon daemon(settings());
    const Container container("p-six", {"--network", "net6", "-p", "18013:80"});
    docker({"exec", "-d", "p-six", "httpd", "-f", "-h", "/", "-p", address_of("p-six", "net6") + ":80"});
    (void)row_with(daemon, "p-six", "works");
    CHECK(answers(18013));
    const auto row = row_with(daemon, "p-six", "other_family", "ipv6");
    CHECK_FALSE(answers(std::string(host_address_v6) + ":18013"));
    CHECK(text(row, "explanation").find("takes IPv4 alone") != std::string::npos);
    const auto address = text(inspect("p-six").at("NetworkSettings").at("Networks").at("net6").as_object(),
                              "GlobalIPv6Address");
    docker({"exec", "-d", "p-six", "httpd", "-f", "-h", "/", "-p", "[" + address + "]:80"});
    (void)row_with(daemon, "p-six", "works", "ipv6");
    CHECK(answers(std::string(host_address_v6) + ":18013"));
}

TEST_CASE("ports: on the host's network a container's own sockets are its ports", "[docker][ports]") {
    const support::Daemon daemon(settings());
    const Container container("p-host", {"--network", "host"});
    serve(container, "18014");
    object row;
    CHECK(support::eventually(
        [&] {
            row = row_of(ports(daemon, {"p-host"}), "ipv6");
            return !row.empty();
        },
        std::chrono::seconds(5)));
    INFO(boost::json::serialize(row));
    CHECK(answers(18014));
    CHECK(text(carrier(row), "kind") == "host_network");
    CHECK(row.at("host_port").to_number<int>() == 18014);
    CHECK(text(row, "verdict") == "works");
    const auto both = ports(daemon, {"p-host"});
    CHECK(both.rows.size() == 2);
    CHECK(text(row_of(both), "verdict") == "works");
    CHECK(answers(std::string(host_address_v6) + ":18014"));
    // Its answers meet the host's rules.
    REQUIRE(on_host({"sh", "-c", "iptables -w -I OUTPUT -p tcp --sport 18014 -j DROP"}).status == 0);
    CHECK_FALSE(answers(18014));
    const auto dropped = row_with(daemon, "p-host", "blocked");
    CHECK(text(dropped, "explanation")
              .starts_with("what the host answers from 198.51.100.2:18014 is dropped by"));
    REQUIRE(on_host({"sh", "-c", text(dropped, "suggestion")}).status == 0);
    (void)row_with(daemon, "p-host", "works");
    CHECK(answers(18014));
}

TEST_CASE("ports: exposed and not published only where it is asked for", "[docker][ports]") {
    const support::Daemon daemon(settings());
    const Container container("p-expose", {"--expose", "8081"});
    CHECK(support::eventually(
        [&] {
            return ports(daemon, {"--exposed", "p-expose"}).rows.size() == 1;
        },
        std::chrono::seconds(5)));
    const auto shown = ports(daemon, {"--exposed", "p-expose"});
    CHECK(text(row_of(shown), "verdict") == "not_published");
    CHECK(shown.finished.status == 0);
    CHECK(ports(daemon, {"p-expose"}).rows.empty());
}

TEST_CASE("ports: Podman's web is dropped by the policy that Docker set, until a rule accepts it",
          "[docker][ports]") {
    const support::Daemon daemon(settings());
    const SavedRules saved_rules;
    const auto row = row_with(daemon, "web", "blocked");
    CHECK_FALSE(answers(8088));
    CHECK(answers(std::string(host_address) + ":8088", false));
    CHECK(text(row, "engine") == "podman");
    CHECK(text(carrier(row), "kind") == "dnat");
    CHECK(text(carrier(row).at("rule").as_object(), "chain").starts_with("NETAVARK-DN-"));
    REQUIRE(on_host({"sh", "-c", text(row, "suggestion")}).status == 0);
    (void)row_with(daemon, "web", "works");
    CHECK(answers(8088));
}

TEST_CASE("ports: without Podman's rules only conmon has the port, which carries nothing",
          "[docker][ports]") {
    const support::Daemon daemon(settings());
    (void)row_with(daemon, "web", "blocked");
    const SavedRules saved_rules;
    REQUIRE(on_host({"iptables", "-t", "nat", "-F"}).status == 0);
    CHECK(text(row_with(daemon, "web", "not_carried"), "suggestion") == "podman network reload web");
    CHECK_FALSE(answers(8088));
    CHECK_FALSE(answers("127.0.0.1:8088", false));
}

TEST_CASE("ports: as text a line for each, then the cause and what to do", "[docker][ports]") {
    const support::Daemon daemon(settings());
    const Container container("p-text", {"-p", "0.0.0.0:18015:80"});
    (void)row_with(daemon, "p-text", "no_listener");
    const auto finished = daemon.netlab({"ports", "p-text"});
    INFO(finished.out << finished.err);
    CHECK(finished.status == 1);
    CHECK(finished.lines().at(0).starts_with("CONTAINER"));
    CHECK(finished.lines().at(1).find("0.0.0.0:18015/tcp") != std::string::npos);
    CHECK(finished.lines().at(1).ends_with("no listener"));
    CHECK(finished.out.find("p-text 0.0.0.0:18015/tcp: nothing in p-text listens on TCP port 80\n") !=
          std::string::npos);
    CHECK(daemon.netlab({"ports", "co2"}).out == "no published ports\n");
    CHECK(daemon.netlab({"ports", "sidecar1"})
              .out.starts_with("no published ports\nsidecar1 shares its network namespace with co1: "));
    CHECK(daemon.netlab({"ports", "nobody"}).status == 3);
}
