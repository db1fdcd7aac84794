#include "tests/docker/lab.hpp"

#include <algorithm>

#include <boost/json/serialize.hpp>

using namespace netlab;
using namespace netlab::lab;

namespace {

using boost::json::object;
using Texts = std::vector<std::string>;

/// What one `netlab -j resolv` said.
struct Said {
    Said(const support::Daemon& daemon, const std::string& target, Words options = {}) {
        Words words{"-j", "resolv", target};
        words.insert(words.end(), options.begin(), options.end());
        finished = daemon.netlab(words);
        lines = finished.json_lines();
    }
    [[nodiscard]] std::vector<object> of(std::string_view type) const {
        std::vector<object> out;
        for (const auto& line : lines) {
            if (line.at("type").as_string() == type) out.push_back(line);
        }
        return out;
    }
    [[nodiscard]] object one(std::string_view type) const {
        const auto found = of(type);
        INFO("rows of type " << type);
        REQUIRE(found.size() == 1);
        return found.front();
    }
    [[nodiscard]] object server(std::string_view address) const {
        for (const auto& row : of("server")) {
            if (row.at("server").as_string() == address) return row;
        }
        FAIL("no server " << address);
        return {};
    }
    [[nodiscard]] object path(std::string_view protocol) const {
        const auto row = one("embedded");
        for (const auto& path : row.at("paths").as_array()) {
            if (path.at("protocol").as_string() == protocol) return path.as_object();
        }
        FAIL("no path of " << protocol);
        return {};
    }
    [[nodiscard]] Texts findings() const {
        Texts out;
        for (const auto& row : of("finding"))
            out.push_back(text(row, "code"));
        return out;
    }
    Finished finished;
    std::vector<object> lines;
};

std::string outcomes(const object& server) {
    return text(server.at("udp").as_object(), "outcome") + " " +
           text(server.at("tcp").as_object(), "outcome");
}

/// A program in the network namespace of a container: the referee, or the vandal.
Finished in(const std::string& container, const std::string& command) {
    return support::run({"nsenter", "-t", std::to_string(pid_of(container)), "-n", "sh", "-c", command});
}

void wait_for(const support::Daemon& daemon, const std::string& target) {
    REQUIRE(support::eventually(
        [&] {
            return daemon.netlab({"addrs", target}).status == 0;
        },
        std::chrono::seconds(3)));
}

std::string dockerd_pid() {
    auto text = support::run_well({"cat", "/run/netlab-lab/" + instance() + "/docker.pid"}).out;
    while (!text.empty() && text.back() == '\n')
        text.pop_back();
    return text;
}

/// "127.0.0.11:34567" of the DNAT rule that iptables-save shows, "" where it shows none.
std::string dnat_by_iptables(const std::string& container, const std::string& protocol) {
    const auto saved = in(container, "iptables-save -t nat").out;
    const std::string start = "-A DOCKER_OUTPUT -d 127.0.0.11/32 -p " + protocol;
    for (std::size_t at = saved.find(start); at != saved.npos; at = saved.find(start, at + 1)) {
        const auto line = saved.substr(at, saved.find('\n', at) - at);
        constexpr std::string_view to = "--to-destination ";
        if (const auto place = line.find(to); place != line.npos) return line.substr(place + to.size());
    }
    return {};
}

}  // namespace

TEST_CASE("resolv: co1's rules, sockets and their owner are as iptables-save, ss and Docker say",
          "[docker]") {
    const support::Daemon daemon(settings());
    const Said said(daemon, "co1");
    CHECK(said.finished.status == 0);
    CHECK(said.findings().empty());
    CHECK(said.one("resolv_conf").at("servers") == boost::json::array{"127.0.0.11"});
    const auto server = said.server("127.0.0.11");
    CHECK(server.at("kind") == "docker");
    CHECK(outcomes(server) == "answered answered");
    CHECK(server.at("udp").at("rcode") == "NOERROR");
    const auto embedded = said.one("embedded");
    CHECK(embedded.at("rules_known") == true);
    CHECK(embedded.at("uncertain") == false);
    CHECK(embedded.at("source_rules").as_array().size() == 2);
    for (const std::string protocol : {"udp", "tcp"}) {
        INFO(protocol);
        const auto path = said.path(protocol);
        CHECK(text(path, "to") == dnat_by_iptables("co1", protocol));
        const auto rule = path.at("rule").as_object();
        CHECK(text(rule, "chain") == "DOCKER_OUTPUT");
        CHECK(text(rule, "text") ==
              "ip daddr 127.0.0.11 " + protocol + " dport 53 dnat to " + text(path, "to"));
        const auto nft = in("co1", "nft -a list chain ip nat DOCKER_OUTPUT").out;
        const auto handle = " # handle " + std::to_string(rule.at("handle").to_number<int>()) + "\n";
        CHECK(nft.find("dnat to " + text(path, "to") + handle) != std::string::npos);
        // ss -p has no name for a process of another PID namespace's /proc; it shows the inode.
        const auto sockets = in("co1", "ss -Hlne --" + protocol).out;
        const auto line = sockets.substr(sockets.find(text(path, "to")));
        const auto inode = std::to_string(path.at("socket").at("inode").to_number<std::uint64_t>());
        CHECK(line.substr(0, line.find('\n')).find("ino:" + inode + " ") != std::string::npos);
        const auto owner = path.at("socket").at("owner").as_object();
        CHECK(text(owner, "name") == "dockerd");
        CHECK(std::to_string(owner.at("host_pid").to_number<int>()) == dockerd_pid());
        const auto link =
            support::run_well({"readlink", "/proc/" + dockerd_pid() + "/fd/" +
                                               std::to_string(owner.at("fd").to_number<int>())});
        CHECK(link.out == "socket:[" + inode + "]\n");
    }
}

TEST_CASE("resolv: the upstreams are the engine's, and a container's own --dns goes before", "[docker]") {
    const support::Daemon daemon(settings());
    const Said co1(daemon, "co1");
    CHECK(co1.one("embedded").at("upstreams_from") == "engine");  // the lab's daemon.json
    CHECK(co1.one("embedded").at("upstreams").at(0).at("server") == "203.0.113.8");
    CHECK(outcomes(co1.server("203.0.113.8")) == "answered answered");
    const Container own("dns1", {"--network", "net", "--dns", "203.0.113.8", "--dns", "198.51.100.77"});
    wait_for(daemon, "dns1");
    const Said said(daemon, "dns1", {"-W", "0.5"});
    CHECK(said.one("embedded").at("upstreams_from") == "container");
    CHECK(said.one("embedded").at("upstreams").as_array().size() == 2);
    CHECK(said.server("198.51.100.77").at("kind") == "upstream");
    CHECK(said.findings() == Texts{"upstream_silent"});
    CHECK(said.finished.status == 1);
}

TEST_CASE("resolv: flushed rules are explained, and the suggestion helps", "[docker]") {
    const support::Daemon daemon(settings());
    const Container container("flushed1", {"--network", "net"});
    wait_for(daemon, "flushed1");
    for (const char* what : {"", "OUTPUT", "DOCKER_OUTPUT"}) {
        INFO("iptables -t nat -F " << what);
        REQUIRE(in("flushed1", std::string("iptables -t nat -F ") + what).status == 0);
        const Said said(daemon, "flushed1", {"-W", "0.5"});
        CHECK(said.finished.status == 1);
        CHECK(outcomes(said.server("127.0.0.11")) == "refused refused");
        CHECK(said.findings() == Texts{"embedded_rules_gone"});
        CHECK_FALSE(said.path("udp").contains("to"));
        CHECK(said.path("udp").at("listening").as_array().size() == 1);
        const auto finding = said.one("finding");
        CHECK(text(finding, "suggestion") == "docker restart flushed1");
        docker({"restart", "-t", "0", "flushed1"});
        REQUIRE(support::eventually(
            [&] {
                return daemon.netlab({"resolv", "flushed1"}).status == 0;
            },
            std::chrono::seconds(3)));
    }
}

TEST_CASE("resolv: only UDP's rule is gone", "[docker]") {
    const support::Daemon daemon(settings());
    const Container container("flushed2", {"--network", "net"});
    wait_for(daemon, "flushed2");
    REQUIRE(in("flushed2",
               "iptables -t nat -D DOCKER_OUTPUT -d 127.0.0.11 -p udp --dport 53 -j DNAT "
               "--to-destination " +
                   dnat_by_iptables("flushed2", "udp"))
                .status == 0);
    const Said said(daemon, "flushed2", {"-W", "0.5"});
    CHECK(outcomes(said.server("127.0.0.11")) == "refused answered");
    CHECK(said.findings() == Texts{"embedded_rules_gone"});
    CHECK(text(said.one("finding"), "message").find("over UDP,") != std::string::npos);
}

TEST_CASE("resolv: rules that lead to where nobody listens", "[docker]") {
    const support::Daemon daemon(settings());
    const Container container("astray1", {"--network", "net"});
    wait_for(daemon, "astray1");
    REQUIRE(in("astray1",
               "iptables -t nat -F DOCKER_OUTPUT && for p in udp tcp; do iptables -t nat -A DOCKER_OUTPUT "
               "-d 127.0.0.11 -p $p --dport 53 -j DNAT --to-destination 127.0.0.11:1; done")
                .status == 0);
    const Said said(daemon, "astray1", {"-W", "0.5"});
    CHECK(said.findings() == Texts{"embedded_socket_gone"});
    CHECK(text(said.path("tcp"), "to") == "127.0.0.11:1");
    CHECK_FALSE(said.path("tcp").contains("socket"));
}

TEST_CASE("resolv: iptables-legacy's rules are read as well, and no table is made for the looking",
          "[docker]") {
    if (support::run({"sh", "-c", "command -v iptables-legacy"}).status != 0) {
        WARN("no iptables-legacy here");
        return;
    }
    const support::Daemon daemon(settings());
    const Container container("legacy1", {"--network", "net"});
    wait_for(daemon, "legacy1");
    const Said before(daemon, "legacy1");
    CHECK(in("legacy1", "cat /proc/net/ip_tables_names").out.empty());
    REQUIRE(in("legacy1",
               "iptables-save -t nat > /tmp/netlab-legacy1 && iptables -t nat -F && "
               "iptables-legacy-restore < /tmp/netlab-legacy1; rc=$?; rm /tmp/netlab-legacy1; exit $rc")
                .status == 0);
    const Said said(daemon, "legacy1");
    CHECK(said.finished.status == 0);
    const auto path = said.path("udp");
    CHECK(path.at("rule").at("backend") == "legacy");
    CHECK(path.at("rule").at("number") == 2);
    CHECK(text(path, "to") == text(before.path("udp"), "to"));
    CHECK(outcomes(said.server("127.0.0.11")) == "answered answered");
}

TEST_CASE("resolv: on the default bridge there is no embedded DNS, and that is said without alarm",
          "[docker]") {
    const support::Daemon daemon(settings());
    // Not co3: Docker leaves its resolver behind in what was once on a network of a user's.
    const Container bridged("bridged1", {});
    wait_for(daemon, "bridged1");
    const Said said(daemon, "bridged1");
    CHECK(said.finished.status == 0);
    CHECK(said.of("embedded").empty());
    CHECK(said.findings() == Texts{"no_embedded_dns"});
    CHECK(said.one("finding").at("problem") == false);
    CHECK(said.server("203.0.113.8").at("kind") == "plain");
    const auto words = daemon.netlab({"resolv", "bridged1"});
    CHECK(words.out.find("note: bridged1 is only on bridge") != std::string::npos);
}

TEST_CASE("resolv: a loopback server copied from the host", "[docker]") {
    const support::Daemon daemon(settings());
    const Container container("loop1", {"--dns", "127.0.0.53"});
    wait_for(daemon, "loop1");
    const Said said(daemon, "loop1", {"-W", "0.5"});
    CHECK(said.finished.status == 1);
    CHECK(outcomes(said.server("127.0.0.53")) == "refused refused");
    CHECK(said.findings() == Texts{"loopback_server", "no_embedded_dns"});
}

TEST_CASE("resolv: one that lives in another's namespace has that one's resolver", "[docker]") {
    const support::Daemon daemon(settings());
    const Container owner("owner2", {"--network", "net"});
    const Container guest("guest2", {"--network", "container:owner2"});
    wait_for(daemon, "guest2");
    const Said said(daemon, "guest2");
    CHECK(said.finished.status == 0);
    CHECK(said.server("127.0.0.11").at("udp").at("rcode") == "NOERROR");
    CHECK(said.one("embedded").at("upstreams_from") == "engine");
    CHECK(text(said.path("udp"), "to") == dnat_by_iptables("owner2", "udp"));
}

TEST_CASE("resolv: what a container puts in the place of its resolv.conf is told in half a second",
          "[docker]") {
    const support::Daemon daemon(settings());
    const Container container("badfile1", {"--network", "net"});
    wait_for(daemon, "badfile1");
    const auto put = [&](const std::string& command) {
        const auto pid = std::to_string(pid_of("badfile1"));
        REQUIRE(support::run({"nsenter", "-t", pid, "-m", "sh", "-c",
                              "cd /etc && (umount resolv.conf || true) && rm -rf resolv.conf && " + command})
                    .status == 0);
    };
    const auto state = [&] {
        const Said said(daemon, "badfile1");
        CHECK(said.finished.took < std::chrono::milliseconds(500));
        CHECK(said.finished.status == 1);
        CHECK_FALSE(said.findings().empty());
        return text(said.one("resolv_conf"), "state");
    };
    put("true");
    CHECK(state() == "missing");
    put("mkfifo resolv.conf");
    CHECK(state() == "not_a_file");
    put("mknod resolv.conf c 1 5");
    CHECK(state() == "not_a_file");
    put("mknod resolv.conf c 5 0");
    CHECK(state() == "not_a_file");
    put("mkdir resolv.conf");
    CHECK(state() == "not_a_file");
    put("ln -s /etc/resolv.conf resolv.conf");
    CHECK(state() == "loop");
    put("ln -s ../../../../../../../etc/machine-id resolv.conf");
    CHECK(state() == "dangling");
    put("echo nameserver 127.0.0.1 > resolv.conf && truncate -s 1G resolv.conf");
    CHECK(state() == "read");
    put("head -c 65536 /dev/urandom > resolv.conf");
    CHECK(state() == "read");
    put("touch resolv.conf && chmod 000 resolv.conf");
    CHECK(state() == "read");
}

TEST_CASE("resolv: wrong words are told in netlab's own", "[docker]") {
    const support::Daemon daemon(settings());
    CHECK(daemon.netlab({"resolv"}).status == 2);
    CHECK(daemon.netlab({"resolv", "nobody"}).status == 3);
    CHECK(daemon.netlab({"resolv", "co1", "-W", "0"}).status == 2);
    CHECK(daemon.netlab({"resolv", "co1", "-W", "31"}).err.find("30 seconds") != std::string::npos);
    CHECK(daemon.netlab({"resolv", "co1", "-W", "soon"}).status == 2);
}
