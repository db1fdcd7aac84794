#include "common/api/resolv.hpp"

#include "daemon/launcher/namespaces.hpp"
#include "daemon/launcher/protocol.hpp"
#include "tests/netns/dns_responder.hpp"
#include "tests/netns/inspection.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/command.hpp"

#include <chrono>
#include <filesystem>
#include <fstream>

#include <boost/json/serialize.hpp>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

using namespace netlab;
using namespace netlab::test;
using namespace std::chrono_literals;

namespace {

namespace fs = std::filesystem;
using boost::json::object;

Inspected resolv(const TestNetwork& network, const std::string& resolv_conf, double wait_ms = 400,
                 const std::string& hosts = {}) {
    auto asked = ask(network, "a");
    asked.handles[0] = network.handle('a', resolv_conf, hosts);
    return inspect(api::ResolvRequest{"a", wait_ms}, std::move(asked));
}

std::string word(const object& row, const char* member) {
    const auto* value = row.if_contains(member);
    return value ? std::string(value->as_string()) : std::string();
}

/// "10.77.0.2 udp=answered/NXDOMAIN tcp=refused/" of each server.
std::vector<std::string> servers(const Inspected& said) {
    std::vector<std::string> out;
    for (const auto& row : said.of("server")) {
        std::string text = word(row, "server");
        for (const char* transport : {"udp", "tcp"}) {
            const auto& answer = row.at(transport).as_object();
            text +=
                std::string(" ") + transport + "=" + word(answer, "outcome") + "/" + word(answer, "rcode");
        }
        out.push_back(text);
    }
    return out;
}

std::vector<std::string> findings(const Inspected& said) {
    std::vector<std::string> out;
    for (const auto& row : said.of("finding"))
        out.push_back(word(row, "code"));
    return out;
}

using Texts = std::vector<std::string>;

/// A FROM and a namespace with a DNS server at 10.77.0.2 on both transports.
struct Net {
    Net() : network("ab") {
        network.veth('a', "eth0", "10.77.0.1/24", 'b', "eth0", "10.77.0.2/24");
        server.emplace(network.name('b'), [](int ready) { serve_dns(ready, "10.77.0.2"); });
    }
    void nft(const std::string& rule) const {
        REQUIRE(shell("ip netns exec " + network.name('b') +
                      " nft 'add table ip t; add chain ip t c { type filter hook input priority 0; }; add "
                      "rule ip t c " +
                      rule + "'"));
    }
    TestNetwork network;
    std::optional<NamespaceProcess> server;
};

}  // namespace

TEST_CASE("resolv: a server that answers over both transports, with its time and rcode", "[netns]") {
    const Net net;
    const auto said = resolv(net.network, "nameserver 10.77.0.2\nsearch a.example\noptions ndots:2 rotate\n",
                             400, "10.0.0.1 one two\n");
    REQUIRE_FALSE(said.error);
    CHECK(servers(said) == Texts{"10.77.0.2 udp=answered/NXDOMAIN tcp=answered/NXDOMAIN"});
    const auto row = said.of("server").at(0);
    CHECK(row.at("question") == ". NS");
    for (const char* transport : {"udp", "tcp"}) {
        const auto elapsed = row.at(transport).at("elapsed_us").to_number<double>();
        CHECK(elapsed > 0);
        CHECK(elapsed < 400'000);
    }
    CHECK(findings(said).empty());
    CHECK(said.report.at("findings") == 0);
    const auto conf = said.of("resolv_conf").at(0);
    CHECK(conf.at("state") == "read");
    CHECK(conf.at("ndots") == 2);
    CHECK(conf.at("options") == boost::json::array{"ndots:2", "rotate"});
    const auto hosts = said.of("hosts").at(0);
    CHECK(hosts.at("entries").at(0).at("names") == boost::json::array{"one", "two"});
}

TEST_CASE("resolv: one that drops TCP, and one that drops UDP, are told apart", "[netns]") {
    const Net net;
    SECTION("TCP") {
        net.nft("tcp dport 53 drop");
        const auto said = resolv(net.network, "nameserver 10.77.0.2\n");
        CHECK(servers(said) == Texts{"10.77.0.2 udp=answered/NXDOMAIN tcp=timed_out/"});
        CHECK(findings(said) == Texts{"tcp_silent"});
    }
    SECTION("UDP") {
        net.nft("udp dport 53 drop");
        const auto said = resolv(net.network, "nameserver 10.77.0.2\n");
        CHECK(servers(said) == Texts{"10.77.0.2 udp=timed_out/ tcp=answered/NXDOMAIN"});
        CHECK(findings(said) == Texts{"udp_silent"});
    }
    SECTION("TCP, by an ICMP error") {
        net.nft("tcp dport 53 reject with icmp type admin-prohibited");
        // Over a veth the error may come while connect(2) is not done, and is lost: the SYN is sent again
        // after 1 s.
        const auto said = resolv(net.network, "nameserver 10.77.0.2\n", 1500);
        CHECK(servers(said) == Texts{"10.77.0.2 udp=answered/NXDOMAIN tcp=unreachable/"});
    }
    CHECK(true);
}

TEST_CASE("resolv: one lost datagram is no silent server", "[netns]") {
    const Net net;
    net.nft("udp dport 53 limit rate over 1/hour burst 1 packets accept");
    net.nft("udp dport 53 drop");
    // The first datagram is dropped, the second, over the limit, accepted.
    const auto start = std::chrono::steady_clock::now();
    const auto said = resolv(net.network, "nameserver 10.77.0.2\n", 300);
    CHECK(std::chrono::steady_clock::now() - start > 300ms);
    CHECK(servers(said) == Texts{"10.77.0.2 udp=answered/NXDOMAIN tcp=answered/NXDOMAIN"});
    CHECK(findings(said).empty());
}

TEST_CASE("resolv: three servers are asked at once, and one's silence costs no more than the wait",
          "[netns]") {
    const Net net;
    net.network.ip('b', "addr add 10.77.0.3/24 dev eth0");
    const auto start = std::chrono::steady_clock::now();
    // .3 is there and nobody listens; .9 is nobody; 192.0.2.1 has no route.
    const auto said =
        resolv(net.network, "nameserver 10.77.0.9\nnameserver 10.77.0.3\nnameserver 192.0.2.1\n", 500);
    const auto took = std::chrono::steady_clock::now() - start;
    CHECK(servers(said) == Texts{"10.77.0.9 udp=timed_out/ tcp=timed_out/",
                                 "10.77.0.3 udp=refused/ tcp=refused/",
                                 "192.0.2.1 udp=unreachable/ tcp=unreachable/"});
    CHECK(findings(said) == Texts{"server_silent", "server_silent", "server_silent"});
    CHECK(said.report.at("findings") == 3);
    CHECK(took >= 480ms);
    CHECK(took < 900ms);
}

TEST_CASE("resolv: no question leaves from any namespace but FROM's", "[netns]") {
    const Net net;
    TestNetwork other("c");
    const auto packets = [&](const std::string& name) {
        return support::run_well({"ip", "netns", "exec", name, "cat", "/proc/net/snmp"}).out;
    };
    (void)packets(other.name('c'));
    const auto before = packets(other.name('c'));
    const auto mine = packets(net.network.name('a'));
    const auto host =
        support::run_well({"sh", "-c", "grep Udp: /proc/net/snmp | tail -1 | cut -d' ' -f5"}).out;
    (void)resolv(net.network, "nameserver 10.77.0.2\nnameserver 10.77.0.9\n");
    CHECK(packets(other.name('c')) == before);
    CHECK(packets(net.network.name('a')) != mine);
    CHECK(support::run_well({"sh", "-c", "grep Udp: /proc/net/snmp | tail -1 | cut -d' ' -f5"}).out == host);
}

namespace {

/// A process in namespace a of a network whose root is a directory of the test's.
struct RootedTarget {
    RootedTarget() : network("a"), root("/tmp/netlab-test-resolv-" + std::to_string(::getpid())) {
        fs::create_directories(root + "/etc");
        process.emplace(network.name('a'), [this](int ready) {
            if (::chroot(root.c_str()) != 0 || ::chdir("/") != 0 || ::write(ready, "r", 1) != 1) ::_exit(1);
            for (;;)
                ::pause();
        });
    }
    ~RootedTarget() {
        process.reset();
        fs::remove_all(root);
    }
    RootedTarget(const RootedTarget&) = delete;
    RootedTarget& operator=(const RootedTarget&) = delete;

    [[nodiscard]] std::string file() const { return root + "/etc/resolv.conf"; }

    /// As the launcher opens it, then the operation.
    [[nodiscard]] Inspected resolv() {
        launcher::NamespaceReference reference;
        reference.way = launcher::Way::process;
        reference.pid = process->pid();
        const UniqueFd host(::open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC));
        const auto start = std::chrono::steady_clock::now();
        auto opened =
            launcher::open_namespaces(std::span(&reference, 1), {.resolver_files = true}, host.get());
        REQUIRE(opened);
        Asked asked;
        asked.context.targets.emplace_back().name = "a";
        asked.context.targets.back().runtime = api::Runtime::pid;
        asked.handles.push_back(std::move((*opened)[0]));
        auto said = inspect(api::ResolvRequest{"a", 300}, std::move(asked));
        took = std::chrono::steady_clock::now() - start;
        return said;
    }

    TestNetwork network;
    std::string root;
    std::optional<NamespaceProcess> process;
    std::chrono::steady_clock::duration took{};
};

}  // namespace

TEST_CASE("resolv: a resolv.conf that is no file is told with its kind, in half a second, and not opened",
          "[netns]") {
    RootedTarget target;
    const auto path = target.file();
    const auto look = [&](const std::string& state, const std::string& words, bool known) {
        INFO(state << ": " << words);
        const auto said = target.resolv();
        CHECK(target.took < 500ms);
        REQUIRE_FALSE(said.error);
        const auto row = said.of("resolv_conf").at(0);
        CHECK(word(row, "state") == state);
        INFO(word(row, "message"));
        CHECK(word(row, "message").find(words) != std::string::npos);
        CHECK(row.at("servers") == (known ? boost::json::array{"127.0.0.1"} : boost::json::array{}));
        CHECK(row.at("default_server") == known);
        CHECK(findings(said).at(0) == "no_resolv_conf");
        CHECK((word(said.of("finding").at(0), "message").find("is not known") == std::string::npos) == known);
        fs::remove_all(path);
    };
    look("missing", "there is no /etc/resolv.conf", true);
    REQUIRE(::mkfifo(path.c_str(), 0666) == 0);
    look("not_a_file", "a FIFO: netlab does not open it, a program in a would, and hang there", false);
    REQUIRE(::mknod(path.c_str(), S_IFCHR | 0666, makedev(1, 5)) == 0);  // /dev/zero
    look("not_a_file", "a device", false);
    REQUIRE(::mknod(path.c_str(), S_IFCHR | 0666, makedev(5, 0)) == 0);  // /dev/tty
    look("not_a_file", "a device", false);
    fs::create_directory(path);
    look("not_a_file", "a directory", false);
    fs::create_symlink("/etc/hostname-of-the-host", path);
    look("dangling", "leads to nothing inside a", true);
    fs::create_symlink("/etc/resolv.conf", path);
    look("loop", "in a circle", true);
}

TEST_CASE("resolv: a link out of the root reads nothing from outside it", "[netns]") {
    RootedTarget target;
    const std::string outside = "/tmp/netlab-test-resolv-outside";
    std::ofstream(outside) << "nameserver 192.0.2.77\n";
    for (const auto& to : {outside, "../../../../.." + outside}) {
        INFO(to);
        fs::remove(target.file());
        fs::create_symlink(to, target.file());
        const auto said = target.resolv();
        CHECK(word(said.of("resolv_conf").at(0), "state") == "dangling");
        for (const auto& row : said.rows)
            CHECK(boost::json::serialize(row).find("192.0.2.77") == std::string::npos);
    }
    fs::remove(outside);
}

TEST_CASE("resolv: 1 GiB, nonsense and a private mode are read as far as they go, and told", "[netns]") {
    RootedTarget target;
    std::ofstream(target.file()) << "nameserver 127.0.0.1\n";
    SECTION("1 GiB") {
        REQUIRE(::truncate(target.file().c_str(), 1 << 30) == 0);
        const auto said = target.resolv();
        CHECK(target.took < 500ms);
        const auto row = said.of("resolv_conf").at(0);
        CHECK(row.at("truncated") == true);
        CHECK(word(row, "message").find("longer than 64 KiB") != std::string::npos);
        CHECK(row.at("servers") == boost::json::array{"127.0.0.1"});
    }
    SECTION("a server behind 64 KiB of a comment") {
        std::ofstream(target.file()) << std::string(70'000, '#') << "\nnameserver 127.0.0.11\n";
        const auto said = target.resolv();
        const auto row = said.of("resolv_conf").at(0);
        CHECK(row.at("servers").as_array().empty());
        CHECK(row.at("default_server") == false);
        CHECK(word(said.of("finding").at(0), "message").find("whom its programs ask is not known") !=
              std::string::npos);
    }
    SECTION("nonsense") {
        std::ofstream file(target.file(), std::ios::binary);
        for (int i = 0; i < 60'000; ++i)
            file.put(static_cast<char>(i * 7919 >> 3));
        file.close();
        const auto said = target.resolv();
        CHECK(target.took < 500ms);
        const auto row = said.of("resolv_conf").at(0);
        CHECK(row.at("ignored").as_array().size() == 20);
        CHECK(row.at("more_ignored").to_number<int>() > 0);
        CHECK(row.at("default_server") == true);
    }
    SECTION("a private mode") {
        REQUIRE(::chmod(target.file().c_str(), 0600) == 0);
        const auto said = target.resolv();
        CHECK(word(said.of("resolv_conf").at(0), "message").find("0600") != std::string::npos);
        CHECK(findings(said).at(0) == "private_resolv_conf");
    }
    SECTION("nameserver lines that do not count") {
        std::ofstream(target.file()) << "nameserver 127.0.0.1\nnameserver dns.example\n";
        const auto said = target.resolv();
        const auto codes = findings(said);
        CHECK(std::ranges::count(codes, "nameserver_ignored") == 1);
        CHECK(said.of("resolv_conf").at(0).at("ignored").at(0).at("line") == 2);
    }
}
