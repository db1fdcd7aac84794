#include "common/json.hpp"
#include "tests/docker/why_lab.hpp"

using namespace netlab;
using namespace netlab::lab;
using namespace std::chrono_literals;

/// What `--no-probe` says of the kernels' tables, held against real packets; programs and kernels that do not
/// answer.

namespace {

/// One fault: what makes it, what real packets say, and what netlab says without sending any.
struct Fault {
    std::function<void()> make;
    Words question;
    std::function<int()> referee;  ///< 0: it works
    std::string verdict;
    std::string cause;  ///< in the explanation
};

Words without_probe(Words question) {
    question.emplace_back("--no-probe");
    return question;
}

void check_fault(const support::Daemon& daemon, const Fault& fault) {
    INFO(fault.cause);
    CHECK(fault.referee() == 0);
    fault.make();
    CHECK(fault.referee() != 0);
    const auto report = ask_why(daemon, without_probe(fault.question));
    INFO(report);
    CHECK(verdict(report) == fault.verdict);
    CHECK(contains(text(report, "explanation"), fault.cause));
    // The packet says the same.
    const auto probed = ask_why(daemon, fault.question);
    INFO(probed);
    CHECK(verdict(probed) != "delivered");
    CHECK(text(probed, "suggestion") == text(report, "suggestion"));
    follow(report);
    CHECK(support::eventually([&] { return fault.referee() == 0; }, 5s));
    CHECK(verdict(ask_why(daemon, without_probe(fault.question))) == "unknown");
}

const char* const nobody = "02:00:00:00:00:99";

}  // namespace

TEST_CASE("why: without a probe a neighbour entry, a route or a way back that is wrong is told", "[docker]") {
    const support::Daemon daemon(settings());
    const Container server("why-tables", {"--network", "net", "-p", "18097:80"});
    const auto http = start_in("why-tables", {"busybox", "httpd", "-f", "-p", "80"});
    REQUIRE(support::eventually([] { return contains(in_container("why-tables", "ss -ltn"), ":80"); }, 5s));
    const auto own = address_of("why-tables", "net");
    const auto co1 = address_of("co1", "net");
    const auto bridge = bridge_of("net");
    const auto gateway = text(ip_json("co1", {"route", "show", "default"}).front().as_object(), "gateway");
    const auto in = [](const std::string& container, const std::string& command) {
        return [=] { (void)in_container(container, command); };
    };
    const auto host = [](const std::string& command) { return [=] { (void)on_host(command); }; };
    const auto from_co1 = [&] {
        return status_in_container("co1", "curl -s -o /dev/null -m 1 http://" + own + "/");
    };
    const auto from_outside = [] {
        return status_outside("curl -s -o /dev/null -m 1 http://198.51.100.2:18097/");
    };
    const auto to_outside = [] {
        return status_in_container("co1", "curl -s -o /dev/null -m 1 http://203.0.113.8/");
    };
    const Words switched{"co1", own + ":80"};
    const Words published{outside_target(), "198.51.100.2:18097"};
    const Words masqueraded{"co1", "203.0.113.8:80"};
    const auto wrong = [](const std::string& address, const std::string& interface) {
        return "ip neigh replace " + address + " lladdr " + nobody + " nud permanent dev " + interface;
    };
    const Undo undo("ip neigh del " + own + " dev " + bridge + "; ip neigh del " + co1 + " dev " + bridge +
                    "; ip route del " + own + "/32 dev docker0");
    const std::string entry = "neighbour entry is wrong";
    check_fault(daemon, {in("co1", wrong(own, "eth0")), switched, from_co1, "lost", "co1 sends what"});
    check_fault(daemon,
                {in("why-tables", wrong(co1, "eth0")), switched, from_co1, "lost", "why-tables sends what"});
    check_fault(daemon, {in("why-tables", wrong(gateway, "eth0")), published, from_outside, "lost", entry});
    check_fault(daemon, {host(wrong(own, bridge)), published, from_outside, "lost", "host sends what"});
    check_fault(daemon, {host(wrong(co1, bridge)), masqueraded, to_outside, "lost", "host sends what"});
    check_fault(daemon, {in("why-tables", "ip route del default"), published, from_outside, "lost",
                         "why-tables has no route to 198.51.100.1"});
    // The rule is only met because of the route.
    check_fault(daemon, {host("ip route add " + own + "/32 dev docker0"), published, from_outside, "dropped",
                         "is in the way"});
}

TEST_CASE("why: without a probe a link that is too small ends the packet where its kernel would",
          "[docker]") {
    const support::Daemon daemon(settings());
    // What it learns of the way's MTU goes with it.
    const Container client("why-narrow", {"--network", "net"});
    const auto ping = [](const std::string& address, int size) {
        return status_in_container("why-narrow",
                                   "ping -M do -c 1 -W 1 -s " + std::to_string(size - 28) + " " + address);
    };
    const auto ask = [&](const std::string& address, const std::string& size) {
        return ask_why(daemon, {"why-narrow", address, "--size", size, "--no-probe"});
    };
    const std::string outside_server = "203.0.113.8";
    const auto co2 = address_of("co2", "net");
    const auto veth = host_end("co2");
    const Undo undo("ip link set eth0 mtu 1500; ip link set " + veth + " mtu 1500");
    auto report = ask(outside_server, "1600");
    INFO(report);
    CHECK(ping(outside_server, 1600) != 0);
    CHECK(verdict(report) == "unreachable");
    CHECK(report.at("where").at("target") == "why-narrow");
    CHECK(contains(text(report, "explanation"), "eth0 of why-narrow has an MTU of 1500"));
    on_host("ip link set eth0 mtu 1300");
    report = ask(outside_server, "1400");
    INFO(report);
    CHECK(ping(outside_server, 1400) != 0);
    CHECK(verdict(report) == "unreachable");
    CHECK(report.at("where").at("target") == "host");
    CHECK(contains(text(report, "explanation"), "host sends the ICMP error back that says so"));
    CHECK(verdict(ask(outside_server, "1300")) == "unknown");
    CHECK(ping(co2, 1400) == 0);
    on_host("ip link set " + veth + " mtu 1300");
    CHECK(ping(co2, 1400) != 0);
    report = ask(co2, "1400");
    INFO(report);
    CHECK(verdict(report) == "lost");
    CHECK(verdict(ask_why(daemon, {"why-narrow", co2, "--size", "1400"})) == "lost");
    follow(report);
    CHECK(ping(co2, 1400) == 0);
}

TEST_CASE("why: a kernel that answers no echo is told so, in TO and on the host", "[docker]") {
    const support::Daemon daemon(settings());
    const Container silent("why-silent-echo", {"--network", "net6"});
    const auto own = address_of("why-silent-echo", "net6");
    const auto gateway = text(ip_json("six1", {"route", "show", "default"}).front().as_object(), "gateway");
    const auto try_it = [&](const std::string& address, const std::string& setting) {
        CHECK(status_in_container("six1", "ping -c 1 -W 1 " + address) != 0);
        for (const auto& question : {Words{"six1", address}, Words{"six1", address, "--no-probe"}}) {
            const auto report = ask_why(daemon, question);
            INFO(report);
            CHECK(verdict(report) == "lost");
            CHECK(contains(text(report, "explanation"), setting + " is 1"));
        }
        follow(ask_why(daemon, {"six1", address}));
        CHECK(status_in_container("six1", "ping -c 1 -W 1 " + address) == 0);
        check_delivered(daemon, {"six1", address});
    };
    in_container("why-silent-echo", "sysctl -qw net.ipv4.icmp_echo_ignore_all=1");
    try_it(own, "net.ipv4.icmp_echo_ignore_all");
    const auto six = ip_json("why-silent-echo", {"-6", "addr", "show", "eth0", "scope", "global"});
    in_container("why-silent-echo", "sysctl -qw net.ipv6.icmp.echo_ignore_all=1");
    try_it(text(six.front().at("addr_info").as_array().front().as_object(), "local"),
           "net.ipv6.icmp.echo_ignore_all");
    const Undo undo("sysctl -qw net.ipv4.icmp_echo_ignore_all=0");
    on_host("sysctl -qw net.ipv4.icmp_echo_ignore_all=1");
    try_it(gateway, "net.ipv4.icmp_echo_ignore_all");
}

TEST_CASE("why: a policy rule that asks for a mark which a rule sets is told, and never as certain",
          "[docker]") {
    const support::Daemon daemon(settings());
    const Undo undo("ip rule del fwmark 5; nft delete table inet own");
    on_host(
        "ip rule add fwmark 5 unreachable; nft 'add table inet own; add chain inet own pre { type filter "
        "hook "
        "prerouting priority mangle; }; add rule inet own pre ip daddr 203.0.113.8 meta mark set 5'");
    CHECK(status_in_container("co1", "curl -s -o /dev/null -m 1 http://203.0.113.8/") != 0);
    for (const auto& [option, expected] : {std::pair("--wait=1", "unreachable"), {"--no-probe", "unknown"}}) {
        const auto report = ask_why(daemon, {"co1", "203.0.113.8:80", option});
        INFO(report);
        CHECK(verdict(report) == expected);
        CHECK(
            contains(text(report, "explanation"), "from all fwmark 0x5 unreachable, which asks for a mark"));
        CHECK(text(report, "suggestion") == "netlab rules host");
    }  // Of the answer as well.
    on_host("nft flush chain inet own pre; nft add rule inet own pre ip saddr 203.0.113.8 meta mark set 5");
    CHECK(status_in_container("co1", "curl -s -o /dev/null -m 1 http://203.0.113.8/") != 0);
    for (const auto& [option, expected] : {std::pair("--wait=1", "lost"), {"--no-probe", "unknown"}}) {
        const auto report = ask_why(daemon, {"co1", "203.0.113.8:80", option});
        INFO(report);
        CHECK(verdict(report) == expected);
        CHECK(contains(text(report, "explanation"), "the answer's mark, and the policy rule"));
    }
}
