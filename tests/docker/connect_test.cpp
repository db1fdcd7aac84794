#include "tests/docker/lab.hpp"

#include <algorithm>
#include <csignal>

using namespace netlab;
using namespace netlab::lab;
using namespace std::chrono_literals;

namespace {

Finished connect(const support::Daemon& daemon, Words words) {
    words.insert(words.begin(), {"connect", "-o", "json", "-W", "1"});
    return daemon.netlab(words);
}

bool contains(const std::string& text, std::string_view part) {
    return text.find(part) != text.npos;
}

boost::json::object attempt(const Finished& finished) {
    for (const auto& line : finished.json_lines()) {
        if (line.at("type") == "attempt") return line;
    }
    FAIL("no attempt: " << finished.out << finished.err);
    return {};
}

/// busybox's nc in a container: 0 where the port takes a connection.
int by_nc(const std::string& container, const std::string& host, const std::string& port) {
    return try_docker({"exec", container, "nc", "-w", "1", host, port, "-e", "true"}).status;
}

/// Until every member of the cluster answers its clients.
void wait_for_etcd() {
    for (const auto* member : {"srv1", "srv2", "srv3"}) {
        REQUIRE(support::eventually(
            [&] {
                return try_docker({"exec", member, "etcdctl", "--endpoints", "http://127.0.0.1:2379",
                                   "endpoint", "health"})
                           .status == 0;
            },
            60s));
    }
}

}  // namespace

TEST_CASE("connect: a published server by name and by address, as nc does", "[docker]") {
    const support::Daemon daemon(settings());
    const auto address = address_of("py-server1", "bridge");
    CHECK(by_nc("co3", address, "8080") == 0);
    auto finished = connect(daemon, {"co3", address + ":8080"});
    INFO(finished.out << finished.err);
    CHECK(finished.status == 0);
    CHECK(text(report(finished), "outcome") == "connected");
    CHECK(text(attempt(finished).at("local").as_object(), "address") == address_of("co3", "bridge"));
    finished = connect(daemon, {"co3", "--address", "py-server1:8080"});
    CHECK(finished.status == 0);
    CHECK(text(report(finished), "resolved_by") == "target");
}

TEST_CASE("connect: refused, with what listens there", "[docker]") {
    const support::Daemon daemon(settings());
    const auto address = address_of("py-server1", "bridge");
    CHECK(by_nc("co3", address, "81") != 0);
    const auto finished = connect(daemon, {"co3", address + ":81"});
    CHECK(finished.status == 1);
    const auto answer = report(finished);
    CHECK(text(answer, "outcome") == "refused");
    CHECK(text(answer, "explanation") == "nothing in py-server1 listens on TCP port 81; it listens on 8080");
    const auto refusal = attempt(finished).at("refusal").as_object();
    CHECK(text(refusal, "from") == address);
    const auto link = ip_json("py-server1", {"link", "show", "eth0"}).front().as_object();
    CHECK(text(refusal, "mac") == text(link, "address"));
}

TEST_CASE("connect: a program that listens on 127.0.0.1 only", "[docker]") {
    const support::Daemon daemon(settings());
    const Container lonely("test-lonely",
                           {"--network", "net", "lab/busybox", "httpd", "-f", "-p", "127.0.0.1:80"});
    const auto finished = connect(daemon, {"co1", "test-lonely:80"});
    INFO(finished.out << finished.err);
    CHECK(finished.status == 1);
    CHECK(contains(text(report(finished), "explanation"), "only 127.0.0.1:80 listens"));
    CHECK(connect(daemon, {"test-lonely", "127.0.0.1:80"}).status == 0);
}

TEST_CASE("connect: another network: dropped in between, with the networks and the command that joins",
          "[docker]") {
    const support::Daemon daemon(settings());
    const auto finished = connect(daemon, {"co1", "--address", "py-server1:8080"});
    INFO(finished.out << finished.err);
    CHECK(finished.status == 1);
    const auto answer = report(finished);
    CHECK(text(answer, "outcome") == "timed_out");
    CHECK(contains(text(answer, "explanation"), "the SYN left co1 and never came to py-server1"));
    CHECK(contains(text(answer, "explanation"), "share no network"));
    CHECK(text(answer, "suggestion") == "docker network connect net py-server1");
}

TEST_CASE("connect: a rule of the host in DOCKER-USER is told from the container's own no", "[docker]") {
    const support::Daemon daemon(settings());
    const auto host = [](Words words) {
        words.insert(words.begin(), {"nsenter", "--net=/run/netns/" + host_namespace(), "iptables", "-w"});
        support::run_well(words);
    };
    const auto address = address_of("py-server1", "bridge");
    const auto reject = [&](const char* with) {
        host({"-I", "FORWARD", "-p", "tcp", "-d", address, "--dport", "8080", "-j", "REJECT", "--reject-with",
              with});
        const auto finished = connect(daemon, {"co3", address + ":8080"});
        host({"-D", "FORWARD", "-p", "tcp", "-d", address, "--dport", "8080", "-j", "REJECT", "--reject-with",
              with});
        CHECK(finished.status == 1);
        return finished;
    };
    auto finished = reject("tcp-reset");
    INFO(finished.out);
    CHECK(text(report(finished), "outcome") == "refused");
    CHECK(contains(text(report(finished), "explanation"), "never came to py-server1"));
    finished = reject("icmp-port-unreachable");
    CHECK(text(report(finished), "outcome") == "refused");
    CHECK(attempt(finished).at("refusal").at("way") == "icmp");
    CHECK(contains(text(report(finished), "explanation"),
                   "for TCP nobody else answers with ICMP port unreachable"));
}

TEST_CASE("connect: a host's name is resolved as the container would", "[docker]") {
    const support::Daemon daemon(settings());
    auto finished = connect(daemon, {"co1", "www.example.com:80"});
    CHECK(finished.status == 0);
    CHECK(text(report(finished), "resolved_by") == "127.0.0.11");
    finished = connect(daemon, {"co1", "co3:80"});
    CHECK(finished.status == 1);
    CHECK(text(report(finished), "outcome") == "unresolved");
    CHECK(contains(text(report(finished), "suggestion"), "netlab connect co1 co3:80 --address"));
}

TEST_CASE("connect: UDP to the embedded resolver, and to nobody", "[docker]") {
    const support::Daemon daemon(settings());
    auto finished = connect(daemon, {"co1", "--udp", "co2:9"});
    CHECK(finished.status == 1);
    CHECK(text(report(finished), "outcome") == "refused");
    CHECK(text(attempt(finished).at("refusal").as_object(), "from") == address_of("co2", "net"));
    // An empty datagram is no question: the resolver says nothing, and that is not bad.
    finished = connect(daemon, {"co1", "--udp", "203.0.113.8:53"});
    CHECK(finished.status == 0);
    CHECK(text(report(finished), "outcome") == "silent");
    CHECK(contains(text(report(finished), "explanation"), "says nothing"));
}

TEST_CASE("connect: a paused container's kernel takes connections", "[docker]") {
    const support::Daemon daemon(settings());
    const Container server("test-paused", {"--network", "net", "lab/busybox", "httpd", "-f", "-p", "80"});
    docker({"pause", "test-paused"});
    REQUIRE(support::eventually([&] { return contains(daemon.netlab({"ls"}).out, "paused"); }, 5s));
    const auto finished = connect(daemon, {"co1", "--address", "test-paused:80"});
    docker({"unpause", "test-paused"});
    CHECK(finished.status == 0);
    CHECK(contains(text(report(finished), "explanation"), "test-paused is paused"));
}

TEST_CASE("connect: Ctrl-C prints what has come of it", "[docker]") {
    const support::Daemon daemon(settings());
    const auto interrupted = [&](const Words& words, long after_lines) {
        auto running = daemon.start_netlab(words);
        const auto lines = [&] { return std::ranges::count(running.out_so_far(), '\n'); };
        REQUIRE(support::eventually([&] { return lines() >= after_lines; }, std::chrono::seconds(3)));
        running.signal(SIGINT);
        return running.wait(std::chrono::seconds(3));
    };
    const auto endless = interrupted({"connect", "-c", "0", "-i", "0.1", "co1", "www.example.com:80"}, 3);
    INFO(endless.out << endless.err);
    CHECK(endless.status == 0);
    CHECK(contains(endless.out, "handshake min/avg/max"));
    const auto json = interrupted({"-j", "connect", "-c", "0", "-i", "0.1", "co1", "www.example.com:80"}, 3);
    CHECK(text(report(json), "resolved_by") == text(json.json_lines().front(), "resolved_by"));
    CHECK(report(json).contains("handshake_us"));
    const auto waiting = interrupted({"connect", "-W", "20", "co1", "198.51.100.99:80"}, 1);
    INFO(waiting.out << waiting.err);
    CHECK(waiting.status == 1);
    CHECK(contains(waiting.out, "interrupted before anything was known of the first attempt"));
    const auto undecided = interrupted({"-j", "connect", "-W", "20", "co1", "198.51.100.99:80"}, 1);
    CHECK(undecided.status == 1);
    CHECK(text(report(undecided), "outcome") == "interrupted");
}

TEST_CASE("connect: the words on the command line are told where they are wrong", "[docker]") {
    const support::Daemon daemon(settings());
    const auto usage = [&](const Words& words, std::string_view part) {
        const auto finished = daemon.netlab(words);
        INFO(finished.err);
        CHECK(finished.status == 2);
        CHECK(contains(finished.err, part));
    };
    usage({"connect", "co1", "co2"}, "which port of 'co2'?");
    usage({"connect", "co1"}, "TO:PORT is missing");
    usage({"connect"}, "FROM is missing");
    usage({"connect", "co1", "co2:80", "co3"}, "one word too many: 'co3'");
    usage({"ping", "co1", "co2", "co3"}, "one word too many: 'co3'");
    usage({"ping", "co1"}, "TO is missing");
    usage({"connect", "co1", "fd00::1:80"}, "[fd00::1:80]:80");
    usage({"connect", "co1", "co2:http"}, "'http' is no port");
    usage({"connect", "co1", "co2:80", "--udp", "--tls"}, "tls is of TCP");
    usage({"connect", "co1", "co2:80", "--all"}, "for --all-pairs");
    usage({"connect", "--all-pairs", "co1", "co2"}, "which port?");
    usage({"connect", "--all-pairs", "co1", "--port", "80"}, "a single target has nobody to reach");
    usage({"ping", "--all-pairs"}, "at least two are needed");
    CHECK(daemon.netlab({"connect", "nobody", "co2:80"}).status == 3);
    CHECK(daemon.netlab({"ping", "--all-pairs", "--network", "nte"}).status == 3);
}

TEST_CASE("pairs: a network's members reach each other, and ping says the same", "[docker]") {
    const support::Daemon daemon(settings());
    const auto finished = daemon.netlab({"ping", "-o", "json", "--all-pairs", "--network", "net"});
    INFO(finished.out << finished.err);
    CHECK(finished.status == 0);
    const auto inspected =
        support::run_well({"docker", "-H", "unix://" + docker_socket(), "network", "inspect", "net"}).json();
    const auto members = inspected.as_array().front().at("Containers").as_object().size();
    std::size_t pairs = 0;
    for (const auto& line : finished.json_lines()) {
        if (line.at("type") != "pair") continue;
        ++pairs;
        CHECK(line.at("outcome") == "answered");
        const auto from = std::string(line.at("from").as_string());
        const auto address = std::string(line.at("address").as_string());
        if (from != "bare1") CHECK(try_docker({"exec", from, "ping", "-c1", "-W1", address}).status == 0);
    }
    CHECK(pairs == members * (members - 1));
}

TEST_CASE("pairs: the tutorial's four: who is on another network is not reached", "[docker]") {
    const support::Daemon daemon(settings());
    const auto finished = daemon.netlab({"ping", "-W", "0.5", "--all-pairs", "co1", "co2", "co3", "co4"});
    INFO(finished.out << finished.err);
    CHECK(finished.status == 1);
    const auto lines = finished.lines();
    REQUIRE(lines.size() >= 6);
    CHECK(lines[0].starts_with("FROM \\ TO"));
    CHECK(contains(lines[1], "lost"));
    CHECK(contains(lines.back(), "12 pairs of 4 targets over IPv4: 8 answered, 4 lost"));
}

TEST_CASE("pairs: connections of a cluster's members", "[docker]") {
    const support::Daemon daemon(settings());
    wait_for_etcd();
    const auto finished = daemon.netlab({"connect", "--all-pairs", "srv1", "srv2", "srv3", "--port", "2380"});
    INFO(finished.out << finished.err);
    CHECK(finished.status == 0);
    CHECK(contains(finished.out, "6 pairs of 3 targets over IPv4: 6 connected"));
}

TEST_CASE("etcd: the cluster's ports, its sockets, and a member that is stopped", "[docker]") {
    const support::Daemon daemon(settings());
    wait_for_etcd();
    for (const auto* port : {":2379", ":2380"}) {
        const auto finished = connect(daemon, {"srv1", std::string("srv2") + port});
        INFO(finished.out << finished.err);
        CHECK(finished.status == 0);
        CHECK(text(report(finished), "resolved_by") == "127.0.0.11");
    }
    const auto sockets = daemon.netlab({"sockets", "srv1", "-tlp"});
    CHECK(sockets.status == 0);
    CHECK(contains(sockets.out, "2379"));
    CHECK(contains(sockets.out, "2380"));
    CHECK(contains(sockets.out, "etcd"));

    docker({"stop", "srv2"});
    const auto stopped = support::eventually(
        [&] {
            return text(report(connect(daemon, {"srv1", "srv2:2380"})), "outcome") == "unresolved";
        },
        5s);
    CHECK(stopped);
    const auto finished = connect(daemon, {"srv1", "srv2:2380"});
    INFO(finished.out << finished.err);
    CHECK(finished.status == 1);
    CHECK(contains(text(report(finished), "explanation"), "srv2 does not run (exited)"));
    CHECK(contains(text(report(finished), "explanation"), "NXDOMAIN"));
    CHECK(contains(text(report(finished), "suggestion"), "docker start srv2"));
    docker({"start", "srv2"});
    wait_for_etcd();
    CHECK(connect(daemon, {"srv1", "srv2:2380"}).status == 0);
}

TEST_CASE("etcd: a member that runs and does not listen is refused", "[docker]") {
    const support::Daemon daemon(settings());
    const Container idle("test-idle", {"--network", "etcd-net"});
    REQUIRE(support::eventually(
        [&] {
            return daemon.netlab({"addrs", "test-idle"}).status == 0;
        },
        std::chrono::seconds(5)));
    const auto finished = connect(daemon, {"srv1", "test-idle:2380"});
    INFO(finished.out << finished.err);
    CHECK(finished.status == 1);
    CHECK(text(report(finished), "outcome") == "refused");
    CHECK(text(report(finished), "explanation") == "nothing in test-idle listens on TCP port 2380");
}
