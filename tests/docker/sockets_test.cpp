#include "tests/docker/lab.hpp"

#include <algorithm>
#include <set>
#include <sstream>

using namespace netlab;
using namespace netlab::lab;

namespace {

std::string number(const boost::json::value& value) {
    return std::to_string(value.to_number<std::uint64_t>());
}

/// "state local remote" of each line of `nsenter … ss`.
std::multiset<std::string> by_ss(const std::string& container, const std::string& kind) {
    std::multiset<std::string> lines;
    for (const auto& line : support::run_well({"nsenter", "-t", std::to_string(pid_of(container)), "-n", "ss",
                                               "-H", "-O", "-n", "-a", kind})
                                .lines()) {
        std::istringstream words(line);
        std::string state, recv, send, local, remote;
        words >> state >> recv >> send >> local >> remote;
        lines.insert(state + " " + local + " " + remote);
    }
    return lines;
}

/// The same of netlab's table: it has the protocol in front.
std::multiset<std::string> by_netlab(const support::Daemon& daemon, const std::string& container,
                                     const std::string& kind) {
    const auto finished = daemon.netlab({"ss", container, "-a", kind});
    REQUIRE(finished.status == 0);
    std::multiset<std::string> lines;
    for (const auto& line : finished.lines()) {
        std::istringstream words(line);
        std::string protocol, state, recv, send, local, remote;
        words >> protocol >> state >> recv >> send >> local >> remote;
        if (protocol != "PROTO") lines.insert(state + " " + local + " " + remote);
    }
    return lines;
}

}  // namespace

TEST_CASE("sockets: of every container, TCP and UDP, the table is as nsenter ss has it", "[docker]") {
    const support::Daemon daemon(settings());
    for (const char* container : {"co1", "co4", "py-server1", "py-server2", "six1", "napt", "sidecar1"}) {
        for (const char* kind : {"-t", "-u"}) {
            INFO(container << " " << kind);
            CHECK(by_netlab(daemon, container, kind) == by_ss(container, kind));
        }
    }
}

TEST_CASE("sockets: a container's server has its own PID and the host's, its resolver is dockerd's",
          "[docker]") {
    const support::Daemon daemon(settings());
    const auto server = daemon.netlab({"-j", "ss", "py-server1", "-t", "-l"}).json_lines();
    bool found = false;
    for (const auto& row : server) {
        if (row.at("type") != "socket" || row.at("local").at("port") != 8080) continue;
        const auto& holders = row.at("processes").as_array();
        REQUIRE_FALSE(holders.empty());
        CHECK(holders[0].at("pid") == 1);
        CHECK(holders[0].at("host_pid") == pid_of("py-server1"));
        found = true;
    }
    CHECK(found);
    bool resolver = false;
    for (const auto& row : daemon.netlab({"-j", "ss", "co1", "-u", "-l"}).json_lines()) {
        if (row.at("type") != "socket" || row.at("local").at("address") != "127.0.0.11") continue;
        resolver = row.at("processes").as_array().at(0).at("name") == "dockerd";
    }
    CHECK(resolver);
}

TEST_CASE("sockets: --all -l lists the host's and every container's listeners, the target first",
          "[docker]") {
    const support::Daemon daemon(settings());
    // Podman's service may take its time for the first list of containers.
    CHECK(support::eventually([&] { return daemon.netlab({"ls"}).out.find("podman") != std::string::npos; },
                              std::chrono::seconds(10)));
    const auto said = daemon.netlab({"sockets", "--all", "-l", "-t"});
    INFO(said.out << said.err);
    const auto lines = said.lines();
    REQUIRE_FALSE(lines.empty());
    CHECK(lines[0].starts_with("TARGET"));
    const auto has = [&](const std::string& target, const std::string& local) {
        return std::ranges::any_of(lines, [&](const std::string& line) {
            return line.starts_with(target + " ") && line.find(" " + local + " ") != line.npos;
        });
    };
    CHECK(has("py-server1", "*:8080"));
    CHECK(has("host", "0.0.0.0:8080"));
    CHECK(has("web", "*:80"));
}

TEST_CASE("sockets: wrong words are told in netlab's own", "[docker]") {
    const support::Daemon daemon(settings());
    CHECK(daemon.netlab({"ss"}).status == 2);
    CHECK(daemon.netlab({"ss", "co1", "--state", "estb"}).err.find("estab") != std::string::npos);
    CHECK(daemon.netlab({"ss", "co1", "--sport", "http"}).err.find("numbers only") != std::string::npos);
    CHECK(daemon.netlab({"ss", "nobody"}).status == 3);
}

TEST_CASE("ps: the container's processes are those of docker top, with their ports", "[docker]") {
    const support::Daemon daemon(settings());
    for (const char* container : {"co1", "py-server1", "napt"}) {
        INFO(container);
        std::set<std::string> expected;
        for (const auto& line : docker({"top", container, "-o", "pid"}).lines()) {
            std::istringstream words(line);
            std::string pid;
            words >> pid;
            if (pid != "PID") expected.insert(pid);
        }
        std::set<std::string> listed;
        for (const auto& row : daemon.netlab({"-j", "ps", container}).json_lines()) {
            if (row.at("type") == "process") listed.insert(number(row.at("host_pid")));
        }
        // Who lives in the same namespace from outside, such as sidecar1, is there too.
        CHECK(std::ranges::includes(listed, expected));
    }
    CHECK(daemon.netlab({"ps", "py-server1"}).out.find("*:8080/tcp") != std::string::npos);
}

TEST_CASE("sysctls: a container's are as sysctl has them in its namespace", "[docker]") {
    const support::Daemon daemon(settings());
    std::size_t rows = 0;
    for (const auto& row : daemon.netlab({"-j", "sysctls", "co1"}).json_lines()) {
        if (row.at("type") != "sysctl") continue;
        ++rows;
        const auto name = text(row, "name");
        if (name.find(".conf.") != name.npos) continue;            // tests/netns holds those
        if (name == "net.netfilter.nf_conntrack_count") continue;  // changes from one moment to the next
        const auto said =
            support::run_well({"nsenter", "-t", std::to_string(pid_of("co1")), "-n", "sysctl", "-n", name});
        std::string value;
        std::istringstream words(said.out);
        for (std::string word; words >> word;)
            value += (value.empty() ? "" : " ") + word;
        INFO(name);
        CHECK(text(row, "value") == value);
    }
    CHECK(rows > 100);
}
