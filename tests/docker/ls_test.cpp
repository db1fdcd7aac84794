#include "tests/docker/lab.hpp"

#include <algorithm>

#include <sys/stat.h>
#include <unistd.h>

using namespace netlab;
using namespace netlab::lab;

namespace {

std::uint64_t namespace_inode(pid_t pid) {
    struct stat status {};
    if (::stat(("/proc/" + std::to_string(pid) + "/ns/net").c_str(), &status) != 0) return 0;
    return status.st_ino;
}

boost::json::array listed(const support::Daemon& daemon) {
    const auto finished = daemon.netlab({"ls", "-o", "json"});
    REQUIRE(finished.status == 0);
    return finished.json().as_array();
}

std::vector<std::string> strings(const boost::json::value& array) {
    std::vector<std::string> all;
    for (const auto& element : array.as_array())
        all.emplace_back(element.as_string());
    return all;
}

bool contains(const std::vector<std::string>& all, const std::string& one) {
    return std::find(all.begin(), all.end(), one) != all.end();
}

}  // namespace

TEST_CASE("ls: every container is as docker inspect has it", "[docker]") {
    const support::Daemon daemon(settings());
    const auto targets = listed(daemon);
    const auto names = docker({"ps", "-a", "--format", "{{.Names}}"}).lines();
    REQUIRE(names.size() >= 10);
    for (const auto& name : names) {
        INFO(name);
        const auto target = named(targets, name);
        const auto inspected = inspect(name);
        CHECK(text(target, "runtime") == "docker");
        CHECK(target.at("id") == inspected.at("Id"));
        CHECK(target.at("state") == inspected.at("State").at("Status"));
        CHECK(target.at("pid") == inspected.at("State").at("Pid"));
        const auto& engine = inspected.at("NetworkSettings").at("Networks").as_object();
        // A container that lives in another's namespace is on that one's networks, whatever the engine says
        // of it.
        if (!text(target, "network_mode").starts_with("container:")) {
            CHECK(target.at("networks").as_array().size() == engine.size());
        }
        for (const auto& [network, settings] : engine) {
            const auto membership = named(target.at("networks").as_array(), network);
            const auto address = text(settings.as_object(), "IPAddress");
            if (address.empty()) continue;
            const auto prefix = address + "/" + std::to_string(settings.at("IPPrefixLen").as_int64());
            CHECK(contains(strings(membership.at("addresses")), prefix));
            if (!text(settings.as_object(), "Gateway").empty())
                CHECK(membership.at("gateway") == settings.at("Gateway"));
        }
        if (target.at("pid").as_int64() > 0) {
            const auto inode = namespace_inode(static_cast<pid_t>(target.at("pid").as_int64()));
            CHECK(target.at("namespace").at("inode").to_number<std::uint64_t>() == inode);
        } else {
            CHECK_FALSE(target.contains("namespace"));
        }
    }
}

TEST_CASE("ls: an interface has the name that ip gives it in the container", "[docker]") {
    const support::Daemon daemon(settings());
    const auto targets = listed(daemon);
    for (const char* name : {"co1", "co4", "six1", "bare1"}) {
        INFO(name);
        const auto links = ip_json(name, {"addr"});
        const auto target = named(targets, name);
        for (const auto& membership : target.at("networks").as_array()) {
            bool found = false;
            for (const auto& link : links) {
                if (link.at("ifname") != membership.at("interface")) continue;
                for (const auto& address : link.at("addr_info").as_array()) {
                    const auto prefix = std::string(address.at("local").as_string()) + "/" +
                                        std::to_string(address.at("prefixlen").as_int64());
                    found = found || contains(strings(membership.at("addresses")), prefix);
                }
            }
            CHECK(found);
        }
    }
}

TEST_CASE("ls: published and exposed ports are as docker port has them", "[docker]") {
    const support::Daemon daemon(settings());
    const auto targets = listed(daemon);
    const auto server = named(targets, "py-server1");
    bool published = false;
    for (const auto& port : server.at("ports").as_array()) {
        published =
            published || (port.at("container_port") == 8080 && port.as_object().contains("host_port") &&
                          port.at("host_port") == 8080 && port.at("protocol") == "tcp");
    }
    CHECK(published);
    const auto line = docker({"port", "py-server2", "8081/tcp"}).lines().at(0);
    const auto port = std::stoi(line.substr(line.rfind(':') + 1));
    bool chosen = false;
    const auto chooser = named(targets, "py-server2");
    for (const auto& entry : chooser.at("ports").as_array()) {
        chosen = chosen || (entry.as_object().contains("host_port") && entry.at("host_port") == port);
    }
    CHECK(chosen);
    const auto table = daemon.netlab({"ls"});
    CHECK(table.out.find("0.0.0.0:8080->8080/tcp") != std::string::npos);
}

TEST_CASE("ls: who shares a namespace is told as such", "[docker]") {
    const support::Daemon daemon(settings());
    const auto targets = listed(daemon);
    const auto shared = [&](const char* name) {
        return strings(named(targets, name).at("namespace").at("shared_with"));
    };
    CHECK(shared("sidecar1") == std::vector<std::string>{"co1"});
    CHECK(contains(shared("co1"), "sidecar1"));
    CHECK(contains(shared("hostnet1"), "host"));
    CHECK(contains(shared("host"), "hostnet1"));
    CHECK(shared("co2").empty());
    CHECK(daemon.netlab({"ls"}).out.find("shared with") != std::string::npos);
}

TEST_CASE("ls: named namespaces, Podman's containers and the host are targets", "[docker]") {
    const support::Daemon daemon(settings());
    const auto targets = listed(daemon);
    const auto blue = named(targets, netns("blue"));
    CHECK(text(blue, "runtime") == "netns");
    CHECK_FALSE(blue.at("networks").as_array().empty());
    CHECK(text(named(targets, "pod1"), "runtime") == "podman");
    CHECK(text(named(targets, "pod1"), "state") == "running");
    CHECK(text(named(targets, "host"), "runtime") == "host");
}

TEST_CASE("ls: what happens to a container shows within 200 ms of the engine's answer", "[docker]") {
    const support::Daemon daemon(settings());
    (void)listed(daemon);
    const std::chrono::milliseconds promised(200);
    const auto shows = [&](const char* what, auto condition) {
        INFO(what);
        const auto before = std::chrono::steady_clock::now();
        bool held = false;
        // The listing itself takes some of the time, so this is the stricter side.
        while (!held && std::chrono::steady_clock::now() - before < promised)
            held = condition(listed(daemon));
        CHECK(held);
    };
    {
        const Container container("fresh1", {"--network", "net"});
        shows("run", [](const auto& all) {
            return has_name(all, "fresh1") && named(all, "fresh1").at("state") == "running" &&
                   named(all, "fresh1").contains("namespace");
        });
        docker({"network", "connect", "bridge", "fresh1"});
        shows("connect",
              [](const auto& all) { return named(all, "fresh1").at("networks").as_array().size() == 2; });
        docker({"network", "disconnect", "net", "fresh1"});
        shows("disconnect", [](const auto& all) {
            const auto networks = named(all, "fresh1").at("networks").as_array();
            return networks.size() == 1 && networks.at(0).at("name") == "bridge";
        });
        docker({"pause", "fresh1"});
        shows("pause", [](const auto& all) { return named(all, "fresh1").at("state") == "paused"; });
        docker({"unpause", "fresh1"});
        docker({"rename", "fresh1", "fresh2"});
        shows("rename", [](const auto& all) { return has_name(all, "fresh2") && !has_name(all, "fresh1"); });
        docker({"rename", "fresh2", "fresh1"});
        docker({"restart", "-t", "0", "fresh1"});
        const auto pid = pid_of("fresh1");
        shows("restart", [&](const auto& all) {
            return named(all, "fresh1").at("pid") == pid && named(all, "fresh1").contains("namespace");
        });
        docker({"stop", "-t", "0", "fresh1"});
        shows("stop", [](const auto& all) {
            return named(all, "fresh1").at("state") == "exited" &&
                   !named(all, "fresh1").contains("namespace");
        });
    }
    shows("remove", [](const auto& all) { return !has_name(all, "fresh1"); });
    const auto fresh = "netlab-test-" + std::to_string(::getpid()) + "-new";
    support::run_well({"ip", "netns", "add", fresh});
    shows("ip netns add", [&](const auto& all) { return has_name(all, fresh); });
    support::run_well({"ip", "netns", "del", fresh});
    shows("ip netns del", [&](const auto& all) { return !has_name(all, fresh); });
}

TEST_CASE(
    "ls: a container left behind in a namespace that its owner has no more shows no address, and what to do",
    "[docker]") {
    const support::Daemon daemon(settings());
    const Container owner("owner1", {"--network", "net"});
    const Container guest("guest1", {"--network", "container:owner1"});
    const auto target = [&] { return named(listed(daemon), "guest1"); };
    REQUIRE(support::eventually(
        [&] { return has_name(listed(daemon), "guest1") && target().contains("namespace"); },
        std::chrono::seconds(2)));
    CHECK_FALSE(target().contains("warning"));
    CHECK(target().at("networks").as_array().size() == 1);
    docker({"restart", "-t", "0", "owner1"});
    CHECK(support::eventually([&] { return target().contains("warning"); }, std::chrono::seconds(2)));
    CHECK(target().at("networks").as_array().empty());
    CHECK(text(target(), "warning").find("docker restart guest1") != std::string::npos);
    const auto ping = daemon.netlab({"ping", "-c1", "guest1", "co1"});
    CHECK(ping.status == 1);
    CHECK(ping.err.find("docker restart guest1") != std::string::npos);
    docker({"restart", "-t", "0", "guest1"});
    CHECK(support::eventually([&] { return !target().contains("warning"); }, std::chrono::seconds(2)));
    CHECK(daemon.netlab({"ping", "-c1", "guest1", "co1"}).status == 0);
}

TEST_CASE("ls: an engine that does not answer is told, and a closed standard output fails", "[docker]") {
    auto without = settings();
    without.docker_socket = "/run/netlab-test-no-engine.sock";
    without.podman_socket.clear();
    const support::Daemon daemon(without);
    const auto ls = daemon.netlab({"ls"});
    CHECK(ls.status == 0);
    CHECK(ls.err.find("docker does not answer") != std::string::npos);
    const auto closed =
        support::run({"sh", "-c", std::string(NETLAB_PATH) + " ls >&-"}, daemon.environment());
    CHECK(closed.status == 5);
    CHECK(closed.err.find("standard output") != std::string::npos);
}
