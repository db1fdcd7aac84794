#include "tests/docker/lab.hpp"

#include <algorithm>
#include <csignal>
#include <regex>

#include <boost/json/serialize.hpp>
#include <sys/stat.h>

using namespace netlab;
using namespace netlab::lab;
using namespace std::chrono_literals;

namespace {

using boost::json::object;
using support::eventually;

constexpr const char* host_address = "198.51.100.2";
constexpr const char* web_outside = "http://203.0.113.8/";

Words in_namespace(const std::string& name, const Words& words) {
    Words all{"ip", "netns", "exec", name};
    all.insert(all.end(), words.begin(), words.end());
    return all;
}
Finished outside(const Words& words) {
    return support::run(in_namespace(instance() + "inet", words));
}
Finished on_host(const Words& words) {
    return support::run(in_namespace(host_namespace(), words));
}

/// A datagram from the outside world to a port of the host; no answer is waited for.
void send_datagram(int port) {
    const auto to = "/dev/udp/" + std::string(host_address) + "/" + std::to_string(port);
    REQUIRE(outside({"bash", "-c", "echo hello > " + to}).status == 0);
}

/// What `netlab -j conntrack …` said.
struct Said {
    Said(const support::Daemon& daemon, const Words& words) {
        Words all{"-j", "conntrack"};
        all.insert(all.end(), words.begin(), words.end());
        finished = daemon.netlab(all);
        INFO(finished.err);
        REQUIRE((finished.status == 0 || finished.status == 1));
        for (const auto& line : finished.json_lines()) {
            if (line.at("type") == "entry") entries.push_back(line);
            if (line.at("type") == "table") table = line;
        }
    }
    [[nodiscard]] object one() const {
        INFO(finished.out);
        REQUIRE(entries.size() == 1);
        return entries.front();
    }
    Finished finished;
    std::vector<object> entries;
    object table;
};

std::string at(const object& row, const std::string& path) {
    boost::json::error_code error;
    const boost::json::value value(row);
    const auto* found = value.find_pointer(path, error);
    if (found == nullptr) return "";
    return found->is_string() ? std::string(found->as_string()) : boost::json::serialize(*found);
}

/// As conntrack(8) writes one.
std::string by_conntrack(const object& row) {
    const auto direction = [&](const std::string& which) {
        return "src=" + at(row, which + "/source/address") +
               " dst=" + at(row, which + "/destination/address") +
               " sport=" + at(row, which + "/source/port") + " dport=" + at(row, which + "/destination/port");
    };
    const std::string unreplied = at(row, "/replied") == "true" ? "" : "[UNREPLIED] ";
    return direction("/original") + " " + unreplied + direction("/reply");
}

std::string conntrack_list(const Words& filter) {
    Words words{"conntrack", "-L"};
    words.insert(words.end(), filter.begin(), filter.end());
    return on_host(words).out;
}

bool has(const std::string& text, const std::string& part) {
    return text.find(part) != text.npos;
}

constexpr int udp_port = 9953;
const std::string udp_port_word = std::to_string(udp_port);

struct UdpServer : Container {
    UdpServer()
        : Container("conntrack-udp", {"-p", udp_port_word + ":" + udp_port_word + "/udp", "lab/busybox", "sh",
                                      "-c", "while :; do nc -u -l -p " + udp_port_word + "; done"}) {}
};

/// Other cases leave entries behind.
void forget_udp() {
    static_cast<void>(on_host({"conntrack", "-D", "-p", "udp", "--dport", udp_port_word}));
}

}  // namespace

TEST_CASE("conntrack: a published port from outside is a DNAT row with the container's name", "[docker]") {
    const support::Daemon daemon(settings());
    static_cast<void>(on_host({"conntrack", "-D", "-p", "tcp", "--dport", "8080"}));
    REQUIRE(outside({"busybox", "wget", "-qO-", "http://" + std::string(host_address) + ":8080/"}).status ==
            0);
    const auto server = address_of("py-server1", "bridge");
    const auto row = Said(daemon, {"py-server1", "--nat", "--dport", "8080"}).one();
    CHECK(at(row, "/protocol") == "tcp");
    CHECK(at(row, "/dnat/from/address") == host_address);
    CHECK(at(row, "/dnat/from/name") == "host");
    CHECK(at(row, "/dnat/to/address") == server);
    CHECK(at(row, "/dnat/to/port") == "8080");
    CHECK(at(row, "/dnat/to/name") == "py-server1");
    CHECK(at(row, "/snat").empty());
    CHECK(at(row, "/replied") == "true");
    const auto listed = conntrack_list({"-p", "tcp", "--orig-port-dst", "8080"});
    INFO(listed);
    CHECK(has(listed, by_conntrack(row)));
    CHECK(has(listed, " " + at(row, "/state") + " "));
    const auto text = daemon.netlab({"conntrack", "py-server1"});
    INFO(text.out);
    CHECK(text.status == 0);
    CHECK(has(text.out, "dnat " + std::string(host_address) + ":8080 -> py-server1 " + server + ":8080"));
    CHECK(has(text.err, "1 entry shown of "));
    CHECK(Said(daemon, {"co1", "--dport", "8080"}).entries.empty());
}

TEST_CASE("conntrack: co1's way outside is a MASQUERADE row, and --nat leaves the host's own out",
          "[docker]") {
    const support::Daemon daemon(settings());
    static_cast<void>(on_host({"conntrack", "-D", "-d", "203.0.113.8"}));
    static_cast<void>(docker({"exec", "co1", "wget", "-qO-", web_outside}));
    REQUIRE(on_host({"busybox", "wget", "-qO-", web_outside}).status == 0);
    const Words to_outside{"--dst", "203.0.113.8", "-p", "tcp"};
    auto nat = to_outside;
    nat.emplace_back("--nat");
    CHECK(Said(daemon, to_outside).entries.size() == 2);
    const auto row = Said(daemon, nat).one();
    CHECK(at(row, "/original/source/name") == "co1");
    CHECK(at(row, "/snat/from/address") == address_of("co1", "net"));
    CHECK(at(row, "/snat/to/address") == host_address);
    CHECK(at(row, "/snat/to/name") == "host");
    CHECK(at(row, "/dnat").empty());
    CHECK(has(conntrack_list({"-d", "203.0.113.8"}), by_conntrack(row)));
    // Only co1's, by its name; co2 has none of it.
    CHECK(by_conntrack(Said(daemon, {"co1", "--dst", "203.0.113.0/24"}).one()) == by_conntrack(row));
    CHECK(Said(daemon, {"co2", "--dst", "203.0.113.0/24"}).entries.empty());
    const auto text = daemon.netlab({"conntrack", "co1", "--dst", "203.0.113.8"});
    INFO(text.out);
    CHECK(has(text.out, "snat " + address_of("co1", "net") + " -> host " + host_address));
    CHECK(has(text.out, "co1 " + address_of("co1", "net") + ":"));
}

TEST_CASE("conntrack: a UDP entry older than its port's rule is stale, and the line that is told removes it",
          "[docker]") {
    const support::Daemon daemon(settings());
    forget_udp();
    send_datagram(udp_port);
    CHECK(Said(daemon, {"--dport", udp_port_word}).finished.status == 0);
    const UdpServer server;
    const auto address = address_of(server.name(), "bridge");
    REQUIRE(eventually([&] { return daemon.netlab({"addrs", server.name()}).status == 0; }, 3s));
    send_datagram(udp_port);  // another flow, which the rule sees
    const Said said(daemon, {"--src", "198.51.100.1", "--dport", udp_port_word});
    CHECK(said.finished.status == 1);
    CHECK(at(said.table, "/stale_checked") == "true");
    REQUIRE(said.entries.size() == 2);
    std::vector<object> stale;
    for (const auto& row : said.entries) {
        if (row.contains("stale")) stale.push_back(row);
    }
    REQUIRE(stale.size() == 1);
    CHECK(at(stale[0], "/original/destination/address") == host_address);
    CHECK(at(stale[0], "/dnat").empty());
    CHECK(has(at(stale[0], "/stale/explanation"), "those of a new flow to " + address + ":" + udp_port_word));
    const auto command = at(stale[0], "/stale/suggestion");
    INFO(command);
    CHECK(on_host({"sh", "-c", command}).status == 0);
    const Said after(daemon, {"--src", "198.51.100.1", "--dport", udp_port_word});
    CHECK(after.finished.status == 0);
    CHECK(at(after.one(), "/dnat/to/name") == server.name());
    forget_udp();
}

TEST_CASE("conntrack: a UDP entry behind a removed container is stale", "[docker]") {
    const support::Daemon daemon(settings());
    forget_udp();
    std::string address;
    {
        const UdpServer server;
        address = address_of(server.name(), "bridge");
        REQUIRE(eventually([&] { return daemon.netlab({"addrs", server.name()}).status == 0; }, 3s));
        send_datagram(udp_port);
        CHECK_FALSE(Said(daemon, {"--dport", udp_port_word, "--nat"}).entries.empty());
    }
    // Docker deletes them with the container; a packet that was on its way then makes one again.
    REQUIRE(
        on_host({"conntrack", "-I", "-p", "udp", "-s", "198.51.100.1", "-d", host_address, "--sport", "40113",
                 "--dport", udp_port_word, "--dst-nat", address + ":" + udp_port_word, "-t", "100"})
            .status == 0);
    REQUIRE(eventually([&] { return daemon.netlab({"addrs", "conntrack-udp"}).status == 3; }, 5s));
    const Said said(daemon, {"--sport", "40113", "-p", "udp"});
    CHECK(said.finished.status == 1);
    const auto row = said.one();
    CHECK(at(row, "/dnat/to/address") == address);
    CHECK(at(row, "/dnat/to/name").empty());
    CHECK(has(at(row, "/stale/explanation"), "no target has " + address));
    const auto text = daemon.netlab({"conntrack", "--sport", "40113"});
    CHECK(text.status == 1);
    CHECK(has(text.out, "STALE UNREPLIED"));
    CHECK(has(text.err, at(row, "/stale/suggestion")));
    CHECK(on_host({"sh", "-c", at(row, "/stale/suggestion")}).status == 0);
    CHECK(Said(daemon, {"--sport", "40113", "-p", "udp"}).entries.empty());
}

TEST_CASE("conntrack: --watch shows a flow of co1 as it begins, and Ctrl-C ends it with a count",
          "[docker]") {
    const support::Daemon daemon(settings());
    auto watching = daemon.start_netlab({"-j", "conntrack", "co1", "--watch", "--dst", "203.0.113.8"});
    REQUIRE(eventually([&] { return has(watching.out_so_far(), R"({"type":"start")"); }, 5s));
    static_cast<void>(docker({"exec", "co1", "wget", "-qO-", web_outside}));
    REQUIRE(eventually([&] { return has(watching.out_so_far(), R"("state":"TIME_WAIT")"); }, 5s));
    watching.signal(SIGINT);
    const auto finished = watching.wait();
    CHECK(finished.status == 0);
    const auto lines = finished.json_lines();
    REQUIRE(lines.size() > 3);
    const auto& first = lines.at(1);
    CHECK(at(first, "/event") == "new");
    CHECK(at(first, "/original/source/name") == "co1");
    CHECK(at(first, "/snat/to/address") == host_address);
    CHECK(at(lines.back(), "/end") == "finished");
    CHECK(at(lines.back(), "/events") == std::to_string(lines.size() - 2));
    CHECK(at(lines.back(), "/overruns") == "0");

    auto text = daemon.start_netlab({"conntrack", "co1", "--watch", "-c", "1"});
    // It is sent until it is heard: when the worker listens is not to be seen from here.
    REQUIRE(eventually(
        [&] {
            static_cast<void>(docker({"exec", "co1", "wget", "-qO-", web_outside}));
            return !text.running();
        },
        10s));
    const auto shown = text.wait();
    CHECK(shown.status == 0);
    INFO(shown.out);
    CHECK(std::regex_search(shown.out, std::regex(R"(^\d\d:\d\d:\d\d\.\d{6} [A-Z]+ +tcp )")));
    CHECK(has(shown.err, "1 event: "));
}

TEST_CASE("conntrack: --watch ends with its container, within a second", "[docker]") {
    const support::Daemon daemon(settings());
    const Container container("mortal2", {"--network", "net"});
    REQUIRE(eventually([&] { return daemon.netlab({"conntrack", "mortal2"}).status == 0; }, 5s));
    auto watching = daemon.start_netlab({"-j", "conntrack", "mortal2", "--watch"});
    REQUIRE(eventually([&] { return has(watching.out_so_far(), R"({"type":"start")"); }, 5s));
    docker({"kill", "mortal2"});
    const auto before = std::chrono::steady_clock::now();
    const auto finished = watching.wait(10s);
    CHECK(std::chrono::steady_clock::now() - before < 1s);
    CHECK(finished.status == 5);
    CHECK(has(finished.err, "'mortal2' has ended"));
    CHECK(at(report(finished), "/error/code") == "target_gone");
}

TEST_CASE("conntrack: --inside shows a container's own table, which says that it has nothing", "[docker]") {
    const support::Daemon daemon(settings());
    const auto text = daemon.netlab({"conntrack", "co3", "--inside"});
    CHECK(text.status == 0);
    CHECK(has(text.err, "0 entries shown of 0 in the table of co3"));
    CHECK(has(text.err, "nothing is tracked in co3"));
}

TEST_CASE("conntrack: the whole host's table is for the capture role, one target's for observe", "[docker]") {
    auto with_roles = settings();
    with_roles.extra_config = "[access]\nobserve = [\"nogroup\"]\n";
    const support::Daemon daemon(with_roles);
    ::chmod(daemon.folder().c_str(), 0755);
    ::chmod(daemon.socket().c_str(), 0666);
    const auto as_nobody = [&](Words words) {
        Words all{"setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", NETLAB_PATH};
        all.insert(all.end(), words.begin(), words.end());
        return support::run(all, daemon.environment());
    };
    CHECK(as_nobody({"conntrack", "co1"}).status == 0);
    for (const char* host : {"host", "hostnet1"}) {
        const auto refused = as_nobody({"conntrack", host});
        INFO(host << refused.err);
        CHECK(refused.status == 4);
        CHECK(has(refused.err, "capture role"));
    }
    CHECK(as_nobody({"conntrack"}).status == 4);
    CHECK(as_nobody({"conntrack", "--watch"}).status == 4);
}
