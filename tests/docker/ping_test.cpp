#include "tests/docker/lab.hpp"

#include <csignal>
#include <thread>

#include <unistd.h>

using namespace netlab;
using namespace netlab::lab;

namespace {

Finished ping(const support::Daemon& daemon, Words words) {
    words.insert(words.begin(), {"ping", "-o", "json", "-c", "2", "-i", "0.05", "-W", "0.5"});
    return daemon.netlab(words);
}

bool contains(const std::string& text, std::string_view part) {
    return text.find(part) != text.npos;
}

}  // namespace

TEST_CASE("ping: co1 reaches co2 by name, by the embedded server's answer", "[docker]") {
    const support::Daemon daemon(settings());
    const auto finished = ping(daemon, {"co1", "co2"});
    INFO(finished.out << finished.err);
    CHECK(finished.status == 0);
    const auto answer = report(finished);
    CHECK(text(answer, "outcome") == "answered");
    CHECK(text(answer, "address") == address_of("co2", "net"));
    CHECK(text(answer, "resolved_by") == "127.0.0.11");
    CHECK(answer.at("transmitted") == 2);
    CHECK(answer.at("received") == 2);
    CHECK(answer.at("loss_percent").to_number<double>() == 0);
    CHECK(answer.at("rtt_us").at("min").to_number<double>() > 0);
    CHECK(answer.at("rtt_us").at("max").to_number<double>() < 100'000);
    CHECK(try_docker({"exec", "co1", "ping", "-c1", "co2"}).status == 0);
}

TEST_CASE("ping: the text reads like ping's", "[docker]") {
    const support::Daemon daemon(settings());
    const auto finished = daemon.netlab({"ping", "-c", "1", "co1", "co2"});
    const auto lines = finished.lines();
    INFO(finished.out);
    REQUIRE(lines.size() >= 5);
    const auto address = address_of("co2", "net");
    CHECK(lines[0].starts_with("PING co2 (" + address + ")"));
    CHECK(lines[1].starts_with("64 bytes from " + address + ": icmp_seq=1 ttl=64 time="));
    CHECK(contains(finished.out, "--- co2 ping statistics ---"));
    CHECK(contains(finished.out, "1 packets transmitted, 1 received, 0% packet loss"));
    CHECK(contains(finished.out, "rtt min/avg/max/mdev = "));
}

TEST_CASE("ping: co1 cannot resolve co3, says why and what to do, and that helps", "[docker]") {
    const support::Daemon daemon(settings());
    CHECK(try_docker({"exec", "co1", "ping", "-c1", "co3"}).status != 0);
    const auto finished = ping(daemon, {"co1", "co3"});
    CHECK(finished.status == 1);
    const auto answer = report(finished);
    CHECK(text(answer, "outcome") == "unresolved");
    CHECK(answer.at("transmitted") == 0);
    INFO(text(answer, "explanation"));
    CHECK(contains(text(answer, "explanation"), "net"));
    CHECK(contains(text(answer, "explanation"), "bridge"));
    REQUIRE(contains(text(answer, "suggestion"), "docker network connect net co3"));
    docker({"network", "connect", "net", "co3"});
    const auto after = ping(daemon, {"co1", "co3"});
    docker({"network", "disconnect", "net", "co3"});
    CHECK(after.status == 0);
    CHECK(text(report(after), "address") != address_of("co3", "bridge"));
}

TEST_CASE("ping: co1 to co3 by address is lost, and told whose networks they are", "[docker]") {
    const support::Daemon daemon(settings());
    const auto address = address_of("co3", "bridge");
    CHECK(try_docker({"exec", "co1", "ping", "-c1", "-W1", address}).status != 0);
    for (const auto& words :
         {Words{"co1", address}, Words{"--address", "co1", "co3"}, Words{"co1", "docker:co3"}}) {
        const auto finished = ping(daemon, words);
        INFO(finished.out << finished.err);
        CHECK(finished.status == 1);
        const auto answer = report(finished);
        CHECK(text(answer, "address") == address);
        CHECK(text(answer, "outcome") == "lost");
        CHECK(answer.at("loss_percent").to_number<double>() == 100);
        CHECK(contains(text(answer, "explanation"), "bridge"));
    }
}

TEST_CASE("ping: co4 reaches both networks, but the default bridge has no names", "[docker]") {
    const support::Daemon daemon(settings());
    CHECK(ping(daemon, {"co4", "co1"}).status == 0);
    const auto address = address_of("co3", "bridge");
    CHECK(ping(daemon, {"co4", address}).status == 0);
    const auto by_name = ping(daemon, {"co4", "co3"});
    CHECK(by_name.status == 1);
    CHECK(text(report(by_name), "outcome") == "unresolved");
    CHECK(contains(text(report(by_name), "explanation"), "default network"));
    const auto forced = ping(daemon, {"--address", "co4", "co3"});
    CHECK(forced.status == 0);
    CHECK(text(report(forced), "address") == address);
    CHECK(text(report(forced), "resolved_by") == "target");
}

TEST_CASE("ping: a container with nothing inside works the same", "[docker]") {
    const support::Daemon daemon(settings());
    CHECK(try_docker({"exec", "bare1", "ping", "-c1", "co1"}).status != 0);
    const auto finished = ping(daemon, {"bare1", "co1"});
    INFO(finished.out << finished.err);
    CHECK(finished.status == 0);
    CHECK(text(report(finished), "resolved_by") == "127.0.0.11");
}

TEST_CASE(
    "ping: host is the gateway's address on a network of the container, and the host reaches containers",
    "[docker]") {
    const support::Daemon daemon(settings());
    const auto to_host = ping(daemon, {"co1", "host"});
    INFO(to_host.out << to_host.err);
    CHECK(to_host.status == 0);
    const auto inspected = inspect("co1");
    const auto gateway = inspected.at("NetworkSettings").at("Networks").at("net").at("Gateway");
    CHECK(report(to_host).at("address") == gateway);
    CHECK(text(report(ping(daemon, {"hostnet1", "host"})), "address") == "127.0.0.1");
    CHECK(ping(daemon, {"host", address_of("co2", "net")}).status == 0);
    CHECK(ping(daemon, {"--address", "host", "co2"}).status == 0);
}

TEST_CASE("ping: a container goes out through NAPT", "[docker]") {
    const support::Daemon daemon(settings());
    CHECK(ping(daemon, {"napt", "203.0.113.8"}).status == 0);
    const auto inside = ping(daemon, {"priv1", "203.0.113.8"});
    CHECK(inside.status == 1);
}

TEST_CASE("ping: IPv6 between containers", "[docker]") {
    const support::Daemon daemon(settings());
    const auto finished = ping(daemon, {"-6", "six1", "six2"});
    INFO(finished.out << finished.err);
    CHECK(finished.status == 0);
    CHECK(contains(text(report(finished), "address"), ":"));
    CHECK(ping(daemon, {"-4", "six1", "six2"}).status == 0);
}

TEST_CASE("ping: Podman's containers and named namespaces answer", "[docker]") {
    const support::Daemon daemon(settings());
    const auto podman = ping(daemon, {"--address", "pod1", "pod2"});
    INFO(podman.out << podman.err);
    CHECK(podman.status == 0);
    const auto named_namespaces = ping(daemon, {"netns:" + netns("blue"), "netns:" + netns("red")});
    INFO(named_namespaces.out << named_namespaces.err);
    CHECK(named_namespaces.status == 0);
    const auto by_pid = ping(daemon, {"pid:" + std::to_string(pid_of("co1")), address_of("co2", "net")});
    CHECK(by_pid.status == 0);
}

TEST_CASE("ping: a container that dies in the middle is a typed error within a second", "[docker]") {
    const support::Daemon daemon(settings());
    const Container container("mortal1", {"--network", "net"});
    REQUIRE(support::eventually(
        [&] {
            return daemon.netlab({"ping", "-c", "1", "mortal1", "co2"}).status == 0;
        },
        std::chrono::seconds(2)));
    auto running = daemon.start_netlab({"ping", "-o", "json", "-c", "0", "-i", "0.2", "mortal1", "co2"});
    REQUIRE(support::eventually([&] { return running.out_so_far().find("\"reply\"") != std::string::npos; },
                                std::chrono::seconds(3)));
    docker({"kill", "mortal1"});
    const auto before = std::chrono::steady_clock::now();
    const auto finished = running.wait(std::chrono::seconds(5));
    CHECK(std::chrono::steady_clock::now() - before < std::chrono::seconds(1));
    INFO(finished.out << finished.err);
    CHECK(finished.status == 5);
    CHECK(contains(finished.err, "mortal1"));
    CHECK(text(finished.json_lines().back().at("error").as_object(), "code") == "target_gone");
}

TEST_CASE("ping: Ctrl-C prints the summary and ends the worker", "[docker]") {
    const support::Daemon daemon(settings());
    auto running = daemon.start_netlab({"ping", "-c", "0", "-i", "0.1", "co1", "co2"});
    REQUIRE(support::eventually([&] { return contains(running.out_so_far(), "icmp_seq=3"); },
                                std::chrono::seconds(3)));
    running.signal(SIGINT);
    const auto finished = running.wait(std::chrono::seconds(3));
    INFO(finished.out);
    CHECK(finished.status == 0);
    CHECK(contains(finished.out, "--- co2 ping statistics ---"));
    CHECK(contains(finished.out, "rtt min/avg/max/mdev"));
    CHECK(support::eventually([&] { return daemon.workers("nl:ping").empty(); }, std::chrono::seconds(1)));
}

TEST_CASE("ping: Ctrl-C on a flood prints what has come of it", "[docker]") {
    const support::Daemon daemon(settings());
    auto running = daemon.start_netlab({"ping", "--flood", "-c", "0", "co1", "co2"});
    std::this_thread::sleep_for(std::chrono::milliseconds(700));
    running.signal(SIGINT);
    const auto finished = running.wait(std::chrono::seconds(3));
    INFO(finished.out << finished.err);
    CHECK(finished.status == 0);
    CHECK(contains(finished.out, "--- co2 ping statistics ---"));
    CHECK_FALSE(contains(finished.out, "\n0 packets transmitted"));
    CHECK(contains(finished.out, "rtt min/avg/max/mdev"));
}

TEST_CASE("ping: the end of a named namespace is a typed error within a second", "[docker]") {
    const support::Daemon daemon(settings());
    const auto name = "netlab-test-" + std::to_string(::getpid()) + "-gone";
    support::run_well({"ip", "netns", "add", name});
    support::run_well({"ip", "-n", name, "link", "set", "lo", "up"});
    const auto target = "netns:" + name;
    REQUIRE(support::eventually(
        [&] {
            return daemon.netlab({"ping", "-c1", target, "127.0.0.1"}).status == 0;
        },
        std::chrono::seconds(2)));
    auto running = daemon.start_netlab({"ping", "-o", "json", "-c", "0", "-i", "0.1", target, "127.0.0.1"});
    auto other =
        daemon.start_netlab({"ping", "-c", "20", "-i", "0.05", "netns:" + netns("blue"), "127.0.0.1"});
    REQUIRE(support::eventually([&] { return contains(running.out_so_far(), "\"reply\""); },
                                std::chrono::seconds(3)));
    support::run_well({"ip", "netns", "del", name});
    const auto before = std::chrono::steady_clock::now();
    const auto finished = running.wait(std::chrono::seconds(5));
    CHECK(std::chrono::steady_clock::now() - before < std::chrono::seconds(1));
    CHECK(finished.status == 5);
    CHECK(text(finished.json_lines().back().at("error").as_object(), "code") == "target_gone");
    // Another name's end is not this one's.
    CHECK(other.wait(std::chrono::seconds(5)).status == 0);
}

TEST_CASE("ping: a route that prohibits is told as such, and is no broadcast", "[docker]") {
    const support::Daemon daemon(settings());
    const auto in_blue = [](const Words& words) {
        Words all{"ip", "-n", netns("blue")};
        all.insert(all.end(), words.begin(), words.end());
        support::run_well(all);
    };
    in_blue({"route", "add", "prohibit", "203.0.113.64/26"});
    const auto finished = ping(daemon, {"netns:" + netns("blue"), "203.0.113.65"});
    in_blue({"route", "del", "prohibit", "203.0.113.64/26"});
    INFO(finished.out << finished.err);
    CHECK(finished.status == 1);
    CHECK(text(report(finished), "outcome") == "unreachable");
    CHECK(contains(text(report(finished), "explanation"), "prohibits"));
}
