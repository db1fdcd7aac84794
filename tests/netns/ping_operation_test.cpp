#include "common/api/ping.hpp"
#include "daemon/kernel/namespace.hpp"
#include "tests/netns/dns_responder.hpp"
#include "tests/netns/operation_stream.hpp"
#include "tests/netns/strange_responder.hpp"
#include "tests/netns/test_network.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/command.hpp"

#include <cerrno>
#include <csignal>

#include <sys/stat.h>

using namespace netlab;
using namespace netlab::test;
using namespace std::chrono_literals;

namespace {

using api::PingRequest;

PingRequest request(std::string to, std::uint32_t count = 2) {
    PingRequest request;
    request.from = "a";
    request.to = std::move(to);
    request.count = count;
    request.interval_ms = 50;
    request.wait_ms = 300;
    return request;
}

api::Target target(std::string name, api::Runtime runtime = api::Runtime::docker) {
    api::Target target;
    target.name = std::move(name);
    target.runtime = runtime;
    target.state = api::State::running;
    return target;
}

api::Context from_a() {
    api::Context context;
    context.targets.push_back(target("a"));
    return context;
}

std::vector<operations::TargetHandle> handles(operations::TargetHandle first) {
    std::vector<operations::TargetHandle> all;
    all.push_back(std::move(first));
    return all;
}

Told ping(const PingRequest& request, operations::TargetHandle from, const api::Context& context = from_a()) {
    OperationProcess process(request, handles(std::move(from)), context);
    return listen_to(process);
}

/// a (10.1.0.1) -- b (10.1.0.2), with IPv6 beside.
struct Neighbours {
    TestNetwork network{"ab"};
    Neighbours() {
        network.veth('a', "eth0", "10.1.0.1/24", 'b', "eth0", "10.1.0.2/24");
        network.ip('a', "addr add fd01::1/64 dev eth0 nodad");
        network.ip('b', "addr add fd01::2/64 dev eth0 nodad");
    }
};

/// A namespace whose tun0 answers as strange_responder.hpp says.
struct Strange {
    TestNetwork network{"a"};
    NamespaceProcess responder{network.name('a'), [](int ready) { respond_strangely(ready); }};
};

}  // namespace

TEST_CASE("ping: echoes are answered, and ping(8) sees the same", "[netns]") {
    const Neighbours net;
    const auto said = ping(request("10.1.0.2", 3), net.network.handle('a'));
    CHECK(said.ended);
    CHECK(said.events.front().at("type") == "start");
    CHECK(said.events.front().at("address") == "10.1.0.2");
    const auto replies = said.of("reply");
    REQUIRE(replies.size() == 3);
    CHECK(replies[0].at("seq") == 1);
    CHECK(replies[0].at("from") == "10.1.0.2");
    CHECK(replies[0].at("bytes") == 64);
    CHECK(replies[0].at("ttl") == 64);
    CHECK(replies[2].at("rtt_us").to_number<double>() > 0);
    CHECK(replies[2].at("rtt_us").to_number<double>() < 20'000);
    CHECK(said.text("outcome") == "answered");
    CHECK(said.text("resolved_by") == "numeric");
    CHECK(said.number("transmitted") == 3);
    CHECK(said.number("received") == 3);
    CHECK(said.report().at("loss_percent").to_number<double>() == 0);
    // Two intervals, not three and no wait.
    CHECK(said.took > 100ms);
    CHECK(said.took < 280ms);
    const auto referee =
        support::run({"ip", "netns", "exec", net.network.name('a'), "ping", "-c3", "-i0.05", "10.1.0.2"});
    CHECK(referee.out.find("3 packets transmitted, 3 received") != std::string::npos);
    CHECK(referee.out.find("ttl=64") != std::string::npos);
}

TEST_CASE("ping: the last reply ends a ping at once", "[netns]") {
    const Neighbours net;
    auto one = request("10.1.0.2", 1);
    one.interval_ms = 5000;
    one.wait_ms = 5000;
    const auto said = ping(one, net.network.handle('a'));
    CHECK(said.number("received") == 1);
    CHECK(said.took < 1s);
}

TEST_CASE("ping: IPv6, with a payload of each size that there is", "[netns]") {
    const Neighbours net;
    for (const std::uint32_t payload : {0U, 1U, 15U, 16U, 1473U, 65'507U}) {
        for (const auto* to : {"fd01::2", "10.1.0.2"}) {
            INFO(to << " " << payload);
            auto sized = request(to, 1);
            sized.payload = payload;
            const auto said = ping(sized, net.network.handle('a'));
            CHECK(said.text("outcome") == "answered");
            REQUIRE(said.of("reply").size() == 1);
            CHECK(said.of("reply")[0].at("bytes") == payload + 8);
            CHECK(said.of("reply")[0].at("ttl") == 64);
        }
    }
}

TEST_CASE("ping: a link-local address needs its zone", "[netns]") {
    const Neighbours net;
    net.network.ip('b', "addr add fe80::b/64 dev eth0 nodad");
    net.network.ip('a', "addr add fe80::a/64 dev eth0 nodad");
    CHECK(ping(request("fe80::b%eth0", 1), net.network.handle('a')).text("outcome") == "answered");
    auto by_interface = request("fe80::b", 1);
    by_interface.interface = "eth0";
    CHECK(ping(by_interface, net.network.handle('a')).text("outcome") == "answered");
    const auto without = ping(request("fe80::b", 1), net.network.handle('a'));
    CHECK(without.error == errc::bad_request);
    CHECK(without.error_text.find("fe80::b%eth0") != std::string::npos);
    CHECK(ping(request("fe80::b%eth7", 1), net.network.handle('a')).error == errc::no_such_interface);
}

TEST_CASE("ping: lost echoes are told after the wait, each once", "[netns]") {
    const Strange net;
    const auto said = ping(request("10.77.0.200"), net.network.handle('a'));
    const auto lost = said.of("lost");
    REQUIRE(lost.size() == 2);
    CHECK(lost[0].at("seq") == 1);
    CHECK(lost[1].at("seq") == 2);
    CHECK(said.text("outcome") == "lost");
    CHECK(said.report().at("loss_percent").to_number<double>() == 100);
    CHECK(!said.report().contains("rtt_us"));
    CHECK(said.took > 340ms);
    CHECK(said.took < 600ms);
}

TEST_CASE("ping: nobody answers ARP: host unreachable from the own address, as ping says", "[netns]") {
    const Neighbours net;
    auto patient = request("10.1.0.77", 1);
    patient.wait_ms = 8000;
    const auto said = ping(patient, net.network.handle('a'));
    REQUIRE(said.of("icmp_error").size() == 1);
    CHECK(said.of("icmp_error")[0].at("message") == "host unreachable");
    CHECK(said.of("icmp_error")[0].at("from") == "10.1.0.1");
    CHECK(said.text("outcome") == "unreachable");
    CHECK(said.text("explanation").find("has answered ARP for 10.1.0.77") != std::string::npos);

    SECTION("with an interface too, where ping(8) hears nothing") {
        patient.interface = "eth0";
        patient.to = "10.1.0.78";
        CHECK(ping(patient, net.network.handle('a')).of("icmp_error").size() == 1);
    }
    SECTION("IPv6") {
        patient.to = "fd01::77";
        const auto v6 = ping(patient, net.network.handle('a'));
        REQUIRE(v6.of("icmp_error").size() == 1);
        CHECK(v6.of("icmp_error")[0].at("message") == "address unreachable");
        CHECK(v6.of("icmp_error")[0].at("from") == "fd01::1");
    }
}

TEST_CASE("ping: nobody answers ARP, and the ping ends before the kernel gives up", "[netns]") {
    const Neighbours net;
    for (const auto* to : {"10.1.0.77", "fd01::77"}) {
        const auto said = ping(request(to, 1), net.network.handle('a'));
        CHECK(said.text("outcome") == "lost");
        CHECK(said.text("explanation").find("nobody has answered ") == 0);
    }
}

TEST_CASE("ping: no route: every echo says that it could not be sent", "[netns]") {
    const Neighbours net;
    const auto said = ping(request("192.0.2.1"), net.network.handle('a'));
    REQUIRE(said.of("icmp_error").size() == 2);
    CHECK(said.of("icmp_error")[0].at("message") == "cannot send: network is unreachable");
    CHECK(said.text("outcome") == "unreachable");
    CHECK(said.number("transmitted") == 2);
    CHECK(said.text("explanation") == "a has no route to 192.0.2.1");
}

TEST_CASE("ping: --df meets the own interface's MTU, and that of a hop behind", "[netns]") {
    TestNetwork net("abc");
    net.veth('a', "eth0", "10.1.0.1/24", 'b', "eth0", "10.1.0.2/24");
    net.veth('b', "eth1", "10.2.0.1/24", 'c', "eth0", "10.2.0.2/24");
    net.ip('a', "route add default via 10.1.0.2");
    net.ip('c', "route add default via 10.2.0.1");
    net.ip('b', "link set eth1 mtu 1300");
    net.ip('c', "link set eth0 mtu 1300");
    REQUIRE(shell("ip netns exec " + net.name('b') + " sysctl -qw net.ipv4.ip_forward=1"));
    auto big = request("10.2.0.2", 2);
    big.payload = 1400;
    big.dont_fragment = true;
    const auto said = ping(big, net.handle('a'));
    REQUIRE(said.of("icmp_error").size() == 2);
    CHECK(said.of("icmp_error")[0].at("message") == "fragmentation needed, mtu 1300");
    CHECK(said.of("icmp_error")[0].at("from") == "10.1.0.2");
    CHECK(said.of("icmp_error")[0].at("mtu") == 1300);
    // By now the own kernel knows.
    CHECK(said.of("icmp_error")[1].at("message") == "message too long, mtu 1300");
    CHECK(said.text("suggestion") == "netlab ping a 10.2.0.2 -s 1272");

    big.payload = 1272;
    CHECK(ping(big, net.handle('a')).text("outcome") == "answered");
    big.payload = 1473;
    big.to = "10.1.0.2";
    const auto own = ping(big, net.handle('a'));
    CHECK(own.of("icmp_error").at(0).at("message") == "message too long, mtu 1500");
    big.dont_fragment = false;
    big.payload = 4000;
    big.to = "10.2.0.2";
    CHECK(ping(big, net.handle('a')).text("outcome") == "answered");
}

TEST_CASE("ping: an interface is taken, or its name is set right", "[netns]") {
    TestNetwork net("ab");
    net.veth('a', "eth0", "10.1.0.1/24", 'b', "eth0", "10.1.0.2/24");
    net.veth('a', "eth1", "10.2.0.1/24", 'b', "eth1", "10.2.0.2/24");
    auto by_eth1 = request("10.2.0.2", 1);
    by_eth1.interface = "eth1";
    CHECK(ping(by_eth1, net.handle('a')).text("outcome") == "answered");
    // Without a route the kernel asks for the address on that link.
    auto no_route = request("192.0.2.1", 1);
    no_route.interface = "eth0";
    CHECK(ping(no_route, net.handle('a')).of("icmp_error").empty());
    by_eth1.interface = "eht1";
    const auto wrong = ping(by_eth1, net.handle('a'));
    CHECK(wrong.error == errc::no_such_interface);
    CHECK(wrong.error_text.find("did you mean eth1") != std::string::npos);
}

TEST_CASE("ping: broadcast, multicast and a wrong family are refused", "[netns]") {
    const Neighbours net;
    for (const auto* to : {"10.1.0.255", "255.255.255.255", "224.0.0.1", "ff02::1%eth0"}) {
        INFO(to);
        const auto said = ping(request(to), net.network.handle('a'));
        CHECK(said.error == errc::bad_request);
        CHECK(said.events.empty());
    }
    auto family = request("10.1.0.2");
    family.family = Family::ipv6;
    CHECK(ping(family, net.network.handle('a')).error == errc::bad_request);
}

TEST_CASE("ping: duplicates do not count as received", "[netns]") {
    const Strange net;
    auto slow = request("10.77.0.2", 2);
    const auto said = ping(slow, net.network.handle('a'));
    const auto replies = said.of("reply");
    REQUIRE(replies.size() >= 3);
    CHECK(!replies[0].contains("duplicate"));
    CHECK(replies[1].at("duplicate") == true);
    CHECK(said.number("received") == 2);
    CHECK(said.number("duplicates") >= 1);
    CHECK(said.text("outcome") == "answered");
}

TEST_CASE("ping: late replies count as lost", "[netns]") {
    const Strange net;
    auto hasty = request("10.77.0.3", 10);
    hasty.interval_ms = 100;
    hasty.wait_ms = 150;
    const auto said = ping(hasty, net.network.handle('a'));
    CHECK(said.of("lost").size() == 10);
    REQUIRE(!said.of("reply").empty());
    CHECK(said.of("reply")[0].at("late") == true);
    CHECK(said.of("reply")[0].at("rtt_us").to_number<double>() > 390'000);
    CHECK(said.number("received") == 0);
    CHECK(said.number("late") == said.of("reply").size());
    CHECK(said.text("explanation").find("later than the wait of 150 ms") != std::string::npos);
}

TEST_CASE("ping: reordered replies are told apart", "[netns]") {
    const Strange net;
    const auto said = ping(request("10.77.0.4", 4), net.network.handle('a'));
    const auto replies = said.of("reply");
    REQUIRE(replies.size() == 4);
    CHECK(replies[0].at("seq") == 2);
    CHECK(replies[1].at("seq") == 1);
    CHECK(replies[1].at("reordered") == true);
    CHECK(said.number("reordered") == 2);
    CHECK(said.number("received") == 4);
}

TEST_CASE("ping: corrupt replies count as lost, whatever is wrong with them", "[netns]") {
    const Strange net;
    for (const auto* to : {"10.77.0.5", "10.77.0.6", "10.77.0.7"}) {
        INFO(to);
        const auto said = ping(request(to), net.network.handle('a'));
        REQUIRE(said.of("reply").size() == 2);
        CHECK(said.of("reply")[0].at("corrupt") == true);
        CHECK(said.number("corrupt") == 2);
        CHECK(said.number("received") == 0);
        CHECK(said.text("outcome") == "lost");
        CHECK(said.text("explanation").find("other bytes") != std::string::npos);
    }
}

TEST_CASE("ping: another program's echoes with our identifier are not ours", "[netns]") {
    const Strange net;
    const auto said = ping(request("10.77.0.9"), net.network.handle('a'));
    CHECK(said.of("reply").empty());
    CHECK(said.of("lost").size() == 2);
}

TEST_CASE("ping: ICMP errors are shown with their source", "[netns]") {
    const Strange net;
    const auto said = ping(request("10.77.0.8"), net.network.handle('a'));
    REQUIRE(said.of("icmp_error").size() == 2);
    const auto error = said.of("icmp_error")[0];
    CHECK(error.at("message") == "administratively prohibited");
    CHECK(error.at("from") == "10.77.0.8");
    CHECK(error.at("icmp_type") == 3);
    CHECK(error.at("icmp_code") == 13);
    CHECK(error.at("seq") == 1);
    CHECK(said.text("outcome") == "unreachable");
    CHECK(said.of("lost").empty());
}

TEST_CASE("ping: a flood goes as fast as replies come, and tells of losses only", "[netns]") {
    const Neighbours net;
    auto flood = request("10.1.0.2", 3000);
    flood.flood = true;
    const auto said = ping(flood, net.network.handle('a'));
    CHECK(said.of("reply").empty());
    CHECK(said.number("received") == 3000);
    CHECK(said.took < 10s);
}

TEST_CASE("ping: a name from the target's hosts file", "[netns]") {
    const Neighbours net;
    const auto said =
        ping(request("Web"), net.network.handle('a', "nameserver 127.0.0.1\n", "10.1.0.2 co2 web # x\n"));
    CHECK(said.text("outcome") == "answered");
    CHECK(said.text("resolved_by") == "/etc/hosts");
    CHECK(said.text("address") == "10.1.0.2");
    const auto local = ping(request("localhost", 1), net.network.handle('a'));
    CHECK(local.text("outcome") == "answered");
}

TEST_CASE("ping: names are resolved by the target's server, in the target's namespace", "[netns]") {
    const Strange net;
    net.network.ip('a', "addr add fd77::10/128 dev lo");
    const NamespaceProcess dns(net.network.name('a'), [](int ready) { serve_dns(ready, "127.0.0.11"); });
    const std::string conf = "nameserver 127.0.0.11\nsearch test\noptions ndots:0 timeout:1 attempts:1\n";
    const auto resolve = [&](const std::string& name, std::optional<Family> family = {}) {
        auto one = request(name, 1);
        one.family = family;
        return ping(one, net.network.handle('a', conf));
    };
    SECTION("an address") {
        const auto said = resolve("good");
        CHECK(said.text("outcome") == "answered");
        CHECK(said.text("address") == "10.77.0.10");
        CHECK(said.text("resolved_by") == "127.0.0.11");
    }
    SECTION("a truncated answer is asked for again over TCP") {
        CHECK(resolve("big").text("address") == "10.77.0.10");
    }
    SECTION("IPv6 is preferred where it is reachable") {
        CHECK(resolve("both").text("address") == "fd77::10");
        CHECK(resolve("both", Family::ipv4).text("address") == "10.77.0.10");
        CHECK(resolve("six").text("address") == "fd77::10");
        net.network.ip('a', "addr del fd77::10/128 dev lo");
        CHECK(resolve("both").text("address") == "10.77.0.10");
    }
    SECTION("no such name") {
        const auto said = resolve("nobody");
        CHECK(said.events.size() == 1);
        CHECK(said.text("outcome") == "unresolved");
        CHECK(said.text("explanation") ==
              "127.0.0.11 says that there is no 'nobody' or 'nobody.test' (NXDOMAIN)");
        CHECK(said.number("transmitted") == 0);
        CHECK(!said.report().contains("loss_percent"));
    }
    SECTION("no address of that family") {
        CHECK(resolve("good", Family::ipv6).text("explanation").find("no IPv6 address") != std::string::npos);
    }
    SECTION("failures") {
        CHECK(resolve("fail").text("explanation").find("SERVFAIL") != std::string::npos);
        CHECK(resolve("refused").text("explanation").find("refuses") != std::string::npos);
        CHECK(resolve("a..b").text("explanation").find("is no name") != std::string::npos);
    }
    SECTION("silence takes as long as resolv.conf says") {
        const auto said = resolve("silent");
        CHECK(said.text("explanation").find("127.0.0.11 gives no answer") != std::string::npos);
        CHECK(said.took > 1900ms);  // the name as it is and in the search list
        CHECK(said.took < 4s);
    }
}

TEST_CASE("ping: of a resolv.conf that cannot be read no server is claimed", "[netns]") {
    const Strange net;
    const auto resolve = [&](kernel::FileLook look, const std::string& conf = {}) {
        auto handle = net.network.handle('a', conf);
        handle.resolv_conf_file = {"/etc/resolv.conf", look};
        const auto said = ping(request("good", 1), std::move(handle));
        CHECK(said.error == errc::operation_failed);
        CHECK(said.error_text.find("127.0.0.1") == std::string::npos);
        CHECK(said.error_text.find("whom its programs would ask is not known") != std::string::npos);
        return said.error_text;
    };
    using kernel::FileState;
    CHECK(resolve({FileState::special, S_IFIFO | 0644, 0}).find("is a FIFO") != std::string::npos);
    CHECK(resolve({FileState::refused, 0, EACCES}).find("cannot be opened: Permission denied") !=
          std::string::npos);
    CHECK(resolve({FileState::silent, 0, 0}).find("does not answer") != std::string::npos);
    CHECK(resolve({FileState::regular, S_IFREG | 0644, 0},
                  std::string(70'000, '#') + "\nnameserver 10.77.0.9\n")
              .find("longer than 64 KiB") != std::string::npos);
    // To glibc one that is not there is an empty one.
    auto missing = net.network.handle('a');
    missing.resolv_conf_file = {"/etc/resolv.conf", {FileState::missing, 0, 0}};
    CHECK(
        ping(request("good", 1), std::move(missing)).text("explanation").find("127.0.0.1 cannot be asked") !=
        std::string::npos);
}

TEST_CASE("ping: a server that is not there is passed over", "[netns]") {
    const Strange net;
    const NamespaceProcess dns(net.network.name('a'), [](int ready) { serve_dns(ready, "127.0.0.11"); });
    const auto said =
        ping(request("good", 1),
             net.network.handle('a', "nameserver 127.0.0.5\nnameserver 192.0.2.1\nnameserver 127.0.0.11\n"));
    CHECK(said.text("resolved_by") == "127.0.0.11");
    const auto nobody = ping(request("good", 1), net.network.handle('a', "nameserver 127.0.0.5\n"));
    CHECK(nobody.text("outcome") == "unresolved");
    INFO(nobody.text("explanation"));
    CHECK(nobody.text("explanation").find("127.0.0.5 cannot be asked") != std::string::npos);
}

TEST_CASE("ping: host is the gateway on a network of FROM", "[netns]") {
    const Neighbours net;
    net.network.ip('b', "addr add 10.9.9.9/24 dev lo");
    net.network.ip('a', "route add default via 10.1.0.2");
    api::Context context = from_a();
    context.peer = target("host", api::Runtime::host);
    context.peer_match = api::PeerMatch::host;
    context.peer_namespace = true;
    const auto go = [&](const PingRequest& wanted, char peer) {
        auto both = handles(net.network.handle('a'));
        both.push_back(net.network.handle(peer));
        OperationProcess process(wanted, std::move(both), context);
        return listen_to(process);
    };
    auto said = go(request("host", 1), 'b');
    CHECK(said.text("address") == "10.1.0.2");
    CHECK(said.text("resolved_by") == "target");
    CHECK(said.text("outcome") == "answered");
    CHECK(said.text("explanation").find("10.1.0.2 is the address of host") != std::string::npos);
    auto six = request("host", 1);
    six.family = Family::ipv6;
    CHECK(go(six, 'b').text("address") == "fd01::2");
    said = go(request("host", 1), 'a');
    CHECK(said.text("address") == "127.0.0.1");
    CHECK(said.text("outcome") == "answered");
}

TEST_CASE("ping: the end of the target's process ends the stream with an error", "[netns]") {
    const Neighbours net;
    NamespaceProcess process(net.network.name('a'), [](int ready) {
        if (::write(ready, "r", 1) == 1) ::pause();
    });
    auto context = from_a();
    context.targets[0].pid = process.pid();
    // As the launcher hands it over: reached by this very process.
    const auto reached = [&, start = kernel::open_process_namespace(process.pid())->start_time] {
        auto handle = net.network.handle('a');
        handle.start_time = start;
        return handle;
    };
    auto endless = request("10.1.0.2", 0);
    OperationProcess operation(endless, handles(reached()), context);
    for (int i = 0; i < 4; ++i)
        CHECK(operation.next());
    process.kill();
    const auto said = listen_to(operation, 1s);
    CHECK(said.error == errc::target_gone);
    CHECK(said.ended);
    CHECK(said.took < 1s);
    const auto again = ping(endless, reached(), context);
    CHECK(again.error == errc::target_gone);
}

TEST_CASE("ping: a client that goes away ends the worker", "[netns]") {
    const Strange net;
    pid_t pid = 0;
    {
        OperationProcess operation(request("10.77.0.10", 0), handles(net.network.handle('a')), from_a());
        CHECK(operation.next());
        pid = operation.pid();
    }
    CHECK(::kill(pid, 0) != 0);
}

TEST_CASE("ping: two at once in one namespace do not hear each other", "[netns]") {
    const Neighbours net;
    auto quick = request("10.1.0.2", 50);
    quick.interval_ms = 2;
    OperationProcess one(quick, handles(net.network.handle('a')), from_a());
    OperationProcess two(quick, handles(net.network.handle('a')), from_a());
    const auto first = listen_to(one);
    const auto second = listen_to(two);
    for (const auto* said : {&first, &second}) {
        CHECK(said->number("received") == 50);
        CHECK(said->number("duplicates") == 0);
        CHECK(said->number("corrupt") == 0);
    }
}
