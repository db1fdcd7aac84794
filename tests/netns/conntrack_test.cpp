#include "common/api/conntrack.hpp"

#include "tests/netns/inspection.hpp"
#include "tests/netns/operation_stream.hpp"
#include "tests/netns/probe_servers.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/command.hpp"

#include <algorithm>
#include <map>
#include <set>
#include <sstream>

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <fcntl.h>
#include <sched.h>
#include <sys/socket.h>
#include <unistd.h>

using namespace netlab;
using namespace netlab::test;
using namespace std::chrono_literals;
using boost::json::object;

namespace {

std::string at(const object& row, const std::string& path) {
    boost::json::error_code error;
    const boost::json::value value(row);
    const auto* found = value.find_pointer(path, error);
    if (found == nullptr) return "";
    return found->is_string() ? std::string(found->as_string()) : boost::json::serialize(*found);
}

/// a -- r -- b: r forwards, translates a's source, and has b's ports 80 as 8080 and UDP 53 as 5353.
struct Nat {
    Nat() : network("arb") {
        network.veth('a', "eth0", "10.9.1.2/24", 'r', "left", "10.9.1.1/24");
        network.veth('b', "eth0", "10.9.2.2/24", 'r', "right", "10.9.2.1/24");
        network.ip('a', "-6 addr add fd00:9:1::2/64 dev eth0 nodad");
        network.ip('r', "-6 addr add fd00:9:1::1/64 dev left nodad");
        network.ip('a', "route add default via 10.9.1.1");
        run("echo 1 > /proc/sys/net/ipv4/ip_forward");
        // Counters and times are for what comes from now on.
        run("echo 1 > /proc/sys/net/netfilter/nf_conntrack_acct");
        run("echo 1 > /proc/sys/net/netfilter/nf_conntrack_timestamp");
        run("nft -f - <<'END'\n"
            "table ip t {\n"
            "  chain pre { type nat hook prerouting priority dstnat;\n"
            "    ip daddr 10.9.1.1 tcp dport 8080 dnat to 10.9.2.2:80\n"
            "    ip daddr 10.9.1.1 udp dport 5353 dnat to 10.9.2.2:53; }\n"
            "  chain post { type nat hook postrouting priority srcnat; oifname right masquerade; }\n"
            "}\n"
            "table ip6 t {\n"
            "  chain in { type filter hook input priority 0; ct state new counter; }\n"
            "}\n"
            "END");
        server.emplace(network.name('b'), [](int ready) { listen_only(ready, {}); });
    }
    /// In r.
    void run(const std::string& command) const {
        REQUIRE(shell("ip netns exec " + network.name('r') + " sh -c '" + quoted(command) + "'"));
    }
    void in_a(const std::string& command) const {
        REQUIRE(shell("ip netns exec " + network.name('a') + " bash -c '" + quoted(command) + "'"));
    }
    /// One connection, two datagrams, an echo each of IPv4 and IPv6.
    void traffic() const {
        in_a("exec 3<>/dev/tcp/10.9.1.1/8080");
        in_a("echo x > /dev/udp/10.9.1.1/5353");
        in_a("echo x > /dev/udp/10.9.2.2/7");
        in_a("ping -c1 -W1 10.9.2.2 > /dev/null");
        in_a("ping -c1 -W1 fd00:9:1::1 > /dev/null");
    }
    /// r is the host.
    [[nodiscard]] Asked asked(const std::string& targets = "r") const {
        auto out = ask(network, targets);
        if (targets == "r") out.context.targets.front().runtime = api::Runtime::host;
        out.context.roles = {api::Role::observe, api::Role::capture};
        return out;
    }
    /// a's entries in r.
    [[nodiscard]] Asked of_a() const {
        auto out = asked("ar");
        out.context.targets.resize(1);
        out.context.host_namespace = true;
        return out;
    }
    static std::string quoted(std::string text) {
        for (std::size_t i = text.find('\''); i != text.npos; i = text.find('\'', i + 4))
            text.replace(i, 1, "'\\''");
        return text;
    }
    TestNetwork network;
    std::optional<NamespaceProcess> server;
};

using Entry = std::map<std::string, std::string>;

/// "src=10.9.1.2 … src=… [ASSURED] id=7" of one line of `conntrack -L -o id`, as the row would have them.
/// What changes by itself (timeout) is left out, and so are the counters where the kernel has just begun.
Entry entry_of_line(const std::string& line) {
    Entry out;
    std::istringstream words(line);
    std::string protocol, number;
    words >> protocol >> number;
    out["protocol"] = protocol;
    std::string direction = "original";
    std::string first;
    for (std::string word; words >> word;) {
        const auto equals = word.find('=');
        if (equals == word.npos) {
            if (word == "[UNREPLIED]") out["unreplied"] = "yes";
            if (word == "[ASSURED]") out["assured"] = "yes";
            if (std::isupper(static_cast<unsigned char>(word[0])) != 0) out["state"] = word;
            continue;
        }
        const auto key = word.substr(0, equals);
        if (key == "src" && !first.empty()) direction = "reply";
        if (key == "src") first = word;
        const bool whole = key == "mark" || key == "use";
        out[whole || key == "delta-time" ? ""
            : key == "id" && protocol.starts_with("icmp") && !out.contains(direction + "/id")
                ? direction + "/id"
            : key == "id" ? "id"
                          : direction + "/" + key] = word.substr(equals + 1);
    }
    out.erase("");
    return out;
}

Entry entry_of_row(const object& row) {
    Entry out;
    out["protocol"] = at(row, "/protocol");
    out["id"] = at(row, "/id");
    if (row.contains("state")) out["state"] = at(row, "/state");
    if (at(row, "/replied") == "false") out["unreplied"] = "yes";
    for (const auto& word : row.at("status").as_array()) {
        if (word == "assured") out["assured"] = "yes";
    }
    for (const std::string direction : {"original", "reply"}) {
        const auto put = [&](const std::string& name, const std::string& path) {
            if (const auto text = at(row, "/" + direction + path); !text.empty())
                out[direction + "/" + name] = text;
        };
        put("src", "/source/address");
        put("dst", "/destination/address");
        put("sport", "/source/port");
        put("dport", "/destination/port");
        put("type", "/icmp/type");
        put("code", "/icmp/code");
        put("id", "/icmp/id");
        put("packets", "/packets");
        put("bytes", "/bytes");
    }
    return out;
}

std::set<Entry> by_conntrack(const Nat& nat, const std::string& options) {
    const auto said = support::run_well(
        {"sh", "-c", "ip netns exec " + nat.network.name('r') + " conntrack -L -o id " + options});
    std::set<Entry> out;
    for (const auto& line : said.lines())
        out.insert(entry_of_line(line));
    return out;
}

std::set<Entry> by_netlab(const Inspected& said) {
    std::set<Entry> out;
    for (const auto& row : said.of("entry"))
        out.insert(entry_of_row(row));
    return out;
}

Inspected conntrack(const api::ConntrackRequest& request, Asked asked) {
    auto said = inspect(request, std::move(asked));
    REQUIRE_FALSE(said.error);
    REQUIRE(said.ended);
    return said;
}

/// Of r, with what `set` changes.
template <class Set>
Inspected conntrack(Asked asked, Set set) {
    api::ConntrackRequest request;
    set(request);
    return conntrack(request, std::move(asked));
}

/// Sends this many datagrams, each from a port of its own.
void flood(const std::string& network_namespace, int count) {
    NamespaceProcess sender(network_namespace, [count](int ready) {
        constexpr int first_port = 20'000;
        sockaddr_storage to{};
        const auto length = IpAddress::parse("10.9.2.2")->to_sockaddr(to, 9);
        for (int i = 0; i < count; ++i) {
            const UniqueFd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
            sockaddr_storage from{};
            const auto from_length =
                IpAddress::parse("10.9.1.2")->to_sockaddr(from, static_cast<std::uint16_t>(first_port + i));
            if (::bind(socket.get(), reinterpret_cast<const sockaddr*>(&from), from_length) != 0)
                std::_Exit(1);
            static_cast<void>(
                ::sendto(socket.get(), "x", 1, 0, reinterpret_cast<const sockaddr*>(&to), length));
        }
        static_cast<void>(::write(ready, "x", 1));
    });
}

}  // namespace

TEST_CASE("conntrack: the table is as conntrack has it, with NAT, ICMP, counters and IPv6", "[netns]") {
    const Nat nat;
    nat.traffic();
    const auto said = conntrack(nat.asked(), [](auto& r) { r.target = "r"; });
    const auto rows = by_netlab(said);
    auto expected = by_conntrack(nat, "-f ipv4");
    expected.merge(by_conntrack(nat, "-f ipv6"));
    CHECK(rows.size() == 5);
    CHECK(rows == expected);
    const auto table = said.of("table").at(0);
    CHECK(at(table, "/entries") == "5");
    const auto maximum = support::run_well(
        {"ip", "netns", "exec", nat.network.name('r'), "cat", "/proc/sys/net/netfilter/nf_conntrack_max"});
    CHECK(at(table, "/maximum") + "\n" == maximum.out);
    CHECK(said.report.at("rows") == 5);
    for (const auto& row : said.of("entry"))
        CHECK(at(row, "/started").starts_with("20"));
}

TEST_CASE("conntrack: what was translated, in both directions", "[netns]") {
    const Nat nat;
    nat.traffic();
    const auto said = conntrack(nat.asked(), [](auto& r) {
        r.target = "r";
        r.port = 8080;
    });
    REQUIRE(said.of("entry").size() == 1);
    const auto row = said.of("entry")[0];
    CHECK(at(row, "/dnat/from/address") + ":" + at(row, "/dnat/from/port") == "10.9.1.1:8080");
    CHECK(at(row, "/dnat/to/address") + ":" + at(row, "/dnat/to/port") == "10.9.2.2:80");
    CHECK(at(row, "/snat/from/address") == "10.9.1.2");
    CHECK(at(row, "/snat/to/address") == "10.9.2.1");
}

TEST_CASE("conntrack: filters take what is wanted, before or after translation", "[netns]") {
    const Nat nat;
    nat.traffic();
    const auto count = [&](auto set) {
        api::ConntrackRequest request;
        set(request);
        return conntrack(request, nat.asked()).of("entry").size();
    };
    CHECK(count([](auto& r) { r.nat = true; }) == 4);
    CHECK(count([](auto& r) {
              r.nat = true;
              r.family = Family::ipv6;
          }) == 0);
    CHECK(count([](auto& r) { r.family = Family::ipv6; }) == 1);
    CHECK(count([](auto& r) { r.protocol = "icmpv6"; }) == 1);
    CHECK(count([](auto& r) { r.protocol = "udp"; }) == 2);
    CHECK(count([](auto& r) { r.destination = *IpPrefix::parse("10.9.1.1"); }) == 2);
    CHECK(count([](auto& r) { r.destination = *IpPrefix::parse("10.9.2.2"); }) == 4);
    CHECK(count([](auto& r) { r.source = *IpPrefix::parse("10.9.2.0/24"); }) == 4);
    CHECK(count([](auto& r) { r.source = *IpPrefix::parse("10.9.3.0/24"); }) == 0);
    CHECK(count([](auto& r) { r.port = 80; }) == 1);
    CHECK(count([](auto& r) { r.destination_port = 53; }) == 1);
    CHECK(count([](auto& r) { r.source_port = 53; }) == 0);
    CHECK(count([](auto& r) {
              r.protocol = "udp";
              r.states = {"unreplied"};
          }) == 2);
    CHECK(count([](auto& r) {
              r.states = {"established", "fin_wait", "time-wait", "close_wait", "close"};
          }) == 1);
}

TEST_CASE("conntrack: of a target only what has its addresses, from the host's table", "[netns]") {
    const Nat nat;
    nat.traffic();

    nat.run("bash -c \"echo x > /dev/udp/10.9.2.2/9\"");
    const auto all = conntrack(nat.asked(), [](auto& r) { r.target = "r"; }).of("entry").size();
    const auto its = conntrack(nat.of_a(), [](auto& r) { r.target = "a"; });
    CHECK(its.of("entry").size() == 5);
    CHECK(all > 5);
    CHECK(at(its.of("table").at(0), "/target") == "host");
    const auto inside = conntrack(nat.of_a(), [](auto& r) {
        r.target = "a";
        r.inside = true;
    });
    CHECK(inside.of("entry").empty());
    CHECK(at(inside.of("table").at(0), "/target") == "a");
    CHECK(at(inside.of("table").at(0), "/explanation").starts_with("nothing is tracked in a"));
}

TEST_CASE("conntrack: the host's table under another name takes the capture role, too", "[netns]") {
    const Nat nat;
    auto asked = nat.asked("rr");
    asked.context.targets.resize(1);
    asked.context.host_namespace = true;
    asked.context.roles = {api::Role::observe};
    const auto said = inspect(api::ConntrackRequest(), std::move(asked));
    CHECK(said.error == errc::permission_denied);
    auto of_a = nat.of_a();
    of_a.context.roles = {api::Role::observe};
    CHECK_FALSE(inspect(api::ConntrackRequest(), std::move(of_a)).error);
}

TEST_CASE("conntrack: names are beside the addresses", "[netns]") {
    const Nat nat;
    nat.traffic();
    auto asked = nat.asked();
    asked.context.names = {{*IpAddress::parse("10.9.2.2"), "web"}, {*IpAddress::parse("10.9.1.2"), "client"}};
    const auto said = conntrack(std::move(asked), [](auto& r) {
        r.target = "r";
        r.port = 80;
    });
    const auto row = said.of("entry").at(0);
    CHECK(at(row, "/original/source/name") == "client");
    CHECK(at(row, "/original/destination/name").empty());
    CHECK(at(row, "/dnat/to/name") == "web");
    CHECK(at(row, "/reply/source/name") == "web");
}

TEST_CASE("conntrack: events tell of a flow from its beginning to its end", "[netns]") {
    const Nat nat;
    api::ConntrackEventsRequest request;
    request.target = "r";
    request.protocol = "udp";
    // In the child, where the network's names would be others; the groups are joined by then.
    const auto from = nat.network.name('a');
    const auto host = nat.network.name('r');
    OperationProcess process(request, nat.asked().handles, nat.asked().context, [&] {
        static_cast<void>(shell("ip netns exec " + from + " bash -c 'echo x > /dev/udp/10.9.1.1/5353'"));
        static_cast<void>(
            shell("ip netns exec " + host + " conntrack -D -p udp --dport 5353 > /dev/null 2>&1"));
    });
    std::vector<object> rows;
    std::string text;
    while (rows.size() < 2) {
        const auto frame = process.next(5s);
        REQUIRE(frame);
        REQUIRE(frame->kind == frame::Kind::data);
        text.append(reinterpret_cast<const char*>(frame->payload.data()), frame->payload.size());
        for (auto end = text.find('\n'); end != text.npos; end = text.find('\n')) {
            auto row = boost::json::parse(text.substr(0, end)).as_object();
            text.erase(0, end + 1);
            if (row.at("type") == "entry") rows.push_back(std::move(row));
        }
    }
    process.finish();
    const auto told = listen_to(process, 5s);
    CHECK(told.ended);
    CHECK(told.text("end") == "finished");
    CHECK(told.number("events") == 2);
    CHECK(told.number("overruns") == 0);
    CHECK(at(rows[0], "/event") == "new");
    CHECK(at(rows[0], "/dnat/to/address") == "10.9.2.2");
    CHECK(at(rows[0], "/time").size() == std::string("2026-11-26T07:24:36.123456789Z").size());
    CHECK(at(rows[1], "/event") == "destroy");
    CHECK(at(rows[1], "/id") == at(rows[0], "/id"));
}

TEST_CASE("conntrack: events that did not fit into the buffer are told as lost", "[netns]") {
    const Nat nat;
    api::ConntrackEventsRequest request;
    request.target = "r";
    request.buffer_kib = 16;
    request.duration_ms = 500;
    // While nobody reads: between `prepare` and `run`.
    const auto from = nat.network.name('a');
    OperationProcess process(request, nat.asked().handles, nat.asked().context, [&] { flood(from, 2000); });
    const auto told = listen_to(process, 10s);
    REQUIRE(told.ended);
    CHECK(told.number("overruns") >= 1);
    CHECK(told.of("lost").size() == told.number("overruns"));
    CHECK(told.number("events") < 2000);
    CHECK(told.number("events") == told.of("entry").size());
}

TEST_CASE("conntrack: a whole flood is heard with the usual buffer, and ends after a count", "[netns]") {
    const Nat nat;
    api::ConntrackEventsRequest request;
    request.target = "r";
    request.count = 2000;
    const auto from = nat.network.name('a');
    OperationProcess process(request, nat.asked().handles, nat.asked().context, [&] { flood(from, 2000); });
    const auto told = listen_to(process, 10s);
    REQUIRE(told.ended);
    CHECK(told.number("events") == 2000);
    CHECK(told.number("new") == 2000);
    CHECK(told.number("overruns") == 0);
    CHECK(told.text("end") == "count");
}

TEST_CASE("conntrack: that the kernel tells of no events is said", "[netns]") {
    const Nat nat;
    nat.run("echo 0 > /proc/sys/net/netfilter/nf_conntrack_events");
    api::ConntrackEventsRequest request;
    request.target = "r";
    request.duration_ms = 1;
    OperationProcess process(request, nat.asked().handles, nat.asked().context);
    const auto told = listen_to(process, 5s);
    CHECK(at(told.of("start").at(0), "/warning").find("nf_conntrack_events is 0") != std::string::npos);
}
