#include "common/json.hpp"
#include "tests/docker/why_lab.hpp"

using namespace netlab;
using namespace netlab::lab;
using namespace std::chrono_literals;

/// Routes, rules of routing, forwarding, neighbours: what a packet meets beneath the firewall.

namespace {

Words unprobed(Words question) {
    question.emplace_back("--no-probe");
    return question;
}

}  // namespace

TEST_CASE("why: without a probe, what is lost before the rules is not theirs", "[docker]") {
    const support::Daemon daemon(settings());
    const Words published{outside_target(), "198.51.100.2:8088", "--no-probe"};
    auto report = ask_why(daemon, published);
    INFO(report);
    CHECK(verdict(report) == "dropped");
    CHECK(text(rule(report), "text") == "policy drop");
    CHECK(contains(text(report, "suggestion"),
                   "FORWARD iifname eth0 oifname podman1 ip daddr 10.89.0.2 tcp dport 80 accept"));
    {
        const Undo undo("sysctl -qw net.ipv4.ip_forward=1");
        on_host("sysctl -qw net.ipv4.ip_forward=0");
        report = ask_why(daemon, published);
        INFO(report);
        CHECK(verdict(report) == "unreachable");
        CHECK(contains(text(report, "explanation"), "net.ipv4.ip_forward is 0"));
    }
    {
        const Undo undo(
            "ip route add default via 198.51.100.1; iptables -w -D FORWARD -d 203.0.113.8 -j DROP");
        on_host("ip route del default; iptables -w -I FORWARD -d 203.0.113.8 -j DROP");
        report = ask_why(daemon, {"co1", "203.0.113.8:80", "--no-probe"});
        INFO(report);
        CHECK(verdict(report) == "unreachable");
        CHECK(contains(text(report, "explanation"), "host has no route to 203.0.113.8"));
    }
    // Nobody has it: it does not come to any rule.
    report = ask_why(daemon, {"podman:pod1", "10.89.0.77:80", "--no-probe"});
    INFO(report);
    CHECK(verdict(report) != "dropped");
}

TEST_CASE("why: an interface that does not forward is told from a host that does not", "[docker]") {
    const support::Daemon daemon(settings());
    const Words question{outside_target(), "198.51.100.2:8080"};
    const Undo undo("sysctl -qw net.ipv4.conf.eth0.forwarding=1");
    on_host("sysctl -qw net.ipv4.conf.eth0.forwarding=0");
    const auto report = ask_why(daemon, question);
    INFO(report);
    CHECK(verdict(report) == "unreachable");
    CHECK(contains(text(report, "explanation"), "net.ipv4.conf.eth0.forwarding is 0"));
    CHECK(text(report, "suggestion") == "sysctl -w net.ipv4.conf.eth0.forwarding=1");
    follow(report);
    check_delivered(daemon, question);
}

TEST_CASE("why: a policy rule that refuses is named, and what is only EINVAL is no blackhole", "[docker]") {
    const support::Daemon daemon(settings());
    const Container lost("why-policy", {"--network", "net"});
    const auto own = address_of("why-policy", "net");
    const Words question{"why-policy", "203.0.113.8:80"};
    for (const auto& rule :
         {std::string("to 203.0.113.0/24 unreachable"), std::string("to 203.0.113.8 prohibit"),
          std::string("to 203.0.113.0/24 blackhole"), "from " + own + " prohibit",
          std::string("ipproto tcp dport 80 prohibit")}) {
        in_container("why-policy", "ip rule add " + rule + " priority 100");
        const auto report = ask_why(daemon, question);
        INFO(report);
        CHECK(verdict(report) == "unreachable");
        CHECK(contains(text(report, "explanation"), "why-policy has the policy rule 100: from "));
        CHECK(contains(text(report, "explanation"), rule.substr(rule.rfind(' ') + 1)));
        follow(report);
        check_delivered(daemon, question);
    }
    const auto gateway =
        text(ip_json("why-policy", {"route", "show", "default"}).front().as_object(), "gateway");
    in_container("why-policy", "ip route add 203.0.113.0/24 via " + gateway + " src 127.0.0.1");
    const auto report = ask_why(daemon, {"why-policy", "203.0.113.8"});
    INFO(report);
    CHECK(verdict(report) == "unreachable");
    CHECK(contains(text(report, "explanation"), "EINVAL"));
    CHECK_FALSE(contains(text(report, "explanation"), "which says that nothing goes there"));
}

TEST_CASE("why: what keeps TO from answering is found in TO", "[docker]") {
    const support::Daemon daemon(settings());
    const Container server("why-back", {"-p", "18095:80"});
    docker({"exec", "-d", "why-back", "httpd", "-f", "-p", "80"});
    REQUIRE(support::eventually([] { return contains(in_container("why-back", "ss -ltn"), ":80"); }, 5s));
    const Words question{outside_target(), "198.51.100.2:18095"};
    check_delivered(daemon, question);
    const auto try_it = [&](const std::string& fault, const std::string& cause) {
        INFO(fault);
        in_container("why-back", fault);
        CHECK(status_outside("curl -s -o /dev/null -m 2 http://198.51.100.2:18095/") != 0);
        const auto report = ask_why(daemon, question);
        INFO(report);
        CHECK(contains(text(report, "explanation"), cause));
        follow(report);
        check_delivered(daemon, question);
    };
    try_it("ip route del default", "why-back has no route to 198.51.100.1");
    try_it("ip route replace default via 172.17.0.77", "nobody answers for 172.17.0.77 on eth0 of why-back");
    // By another container, which forwards nothing and need not.
    const auto other = address_of("co3", "bridge");
    try_it("ip route replace default via " + other,
           "why-back sends it to " + other + ", and its networks' gateway is 172.17.0.1 of bridge");
    try_it("sysctl -qw net.ipv4.conf.all.rp_filter=1; ip route del default",
           "why-back has no route to 198.51.100.1");
    try_it("ip route add blackhole 198.51.100.0/24", "why-back has the route blackhole 198.51.100.0/24");
    try_it("ip rule add to 198.51.100.0/24 prohibit priority 77", "why-back has the policy rule 77");
    try_it("ip rule add ipproto tcp sport 80 prohibit priority 77", "why-back has the policy rule 77");
    try_it("ip neigh replace 172.17.0.1 lladdr 02:00:00:00:00:99 nud permanent dev eth0",
           "its permanent neighbour entry is wrong");
    in_container("why-back",
                 "ip link add away type veth peer name end; ip link set away up; ip link set end up; ip "
                 "route add 198.51.100.0/24 dev away");
    const auto report = ask_why(daemon, question);
    INFO(report);
    CHECK(verdict(report) == "unreachable");
    CHECK(contains(text(report, "explanation"), "reverse path filter"));
}

TEST_CASE("why: what loses the answer on the host is named, and what mends it", "[docker]") {
    const support::Daemon daemon(settings());
    const Words out{"co3", "203.0.113.8:80"};
    const Words in{outside_target(), "198.51.100.2:8080"};
    check_delivered(daemon, out);
    check_delivered(daemon, in);
    const auto try_it = [&](const Words& question, const std::string& fault, const std::string& cause) {
        INFO(fault);
        on_host(fault);
        const auto report = ask_why(daemon, question);
        INFO(report);
        CHECK(verdict(report) == "lost");
        CHECK(contains(text(report, "explanation"), cause));
        const auto unsent = ask_why(daemon, unprobed(question));
        INFO(unsent);
        // Whether conntrack was to translate the answer only the packet shows.
        if (!contains(fault, "NOTRACK")) {
            CHECK(verdict(unsent) == "lost");
            CHECK(text(unsent, "explanation") == text(report, "explanation"));
        }
        follow(report);
        check_delivered(daemon, question);
    };
    try_it(out, "sysctl -qw net.ipv4.conf.eth0.forwarding=0", "net.ipv4.conf.eth0.forwarding is 0");
    try_it(out, "ip rule add iif eth0 to 172.17.0.0/16 unreachable priority 77",
           "host, which has the policy rule 77");
    try_it(out, "ip rule add from 203.0.113.0/24 blackhole priority 77",
           "host, which has the policy rule 77");
    try_it(out, "ip rule add ipproto tcp sport 80 unreachable priority 77",
           "host, which has the policy rule 77");
    try_it(out, "iptables -w -t raw -I PREROUTING -i eth0 -p tcp --sport 80 -j NOTRACK",
           "takes it from conntrack");
    try_it(out, "iptables -w -t raw -I PREROUTING -i docker0 -j NOTRACK", "takes it from conntrack");
    try_it(in, "ip rule add ipproto tcp sport 8080 prohibit priority 77",
           "host, which has the policy rule 77");
    try_it(in, "ip rule add iif docker0 to 198.51.100.1 prohibit priority 77",
           "host, which has the policy rule 77");
    const Undo undo("ip rule del priority 77; ip route flush table 177");
    on_host(
        "ip route add default via 198.51.100.77 dev eth0 table 177; ip rule add iif docker0 lookup 177 "
        "priority 77");
    const auto report = ask_why(daemon, in);
    INFO(report);
    CHECK(verdict(report) == "lost");
    CHECK(contains(text(report, "explanation"), "nobody answers for 198.51.100.77 on eth0 of host"));
    CHECK(contains(text(report, "explanation"), "77: from all iif docker0 lookup 177"));
}

TEST_CASE("why: the host's route to a bridge is gone", "[docker]") {
    const support::Daemon daemon(settings());
    const std::string route = "172.17.0.0/16 dev docker0 proto kernel scope link src 172.17.0.1";
    const Undo undo("ip route replace " + route);
    for (const auto& question :
         {Words{outside_target(), "198.51.100.2:8080"}, Words{"co3", "203.0.113.8:80"}}) {
        on_host("ip route del 172.17.0.0/16 dev docker0");
        const auto report = ask_why(daemon, question);
        INFO(report);
        CHECK(verdict(report) != "delivered");
        for (const auto& one : {report, ask_why(daemon, unprobed(question))}) {
            INFO(one);
            CHECK(contains(text(one, "explanation"), "host has no route to 172.17.0.0/16"));
            CHECK(text(one, "suggestion") == "ip route add " + route);
        }
        follow(report);
        check_delivered(daemon, question);
    }
}

TEST_CASE("why: an address that its engine gave TO and it has lost", "[docker]") {
    const support::Daemon daemon(settings());
    const Container server("why-gone", {"--network", "net", "-p", "18096:80"});
    const auto address = address_of("why-gone", "net");
    in_container("why-gone", "ip addr flush dev eth0 scope global");
    for (const auto& question : {Words{"co1", "why-gone"}, Words{outside_target(), "198.51.100.2:18096"},
                                 Words{"why-gone", "203.0.113.8"}}) {
        const auto report = ask_why(daemon, question);
        INFO(report);
        CHECK(verdict(report) != "delivered");
        CHECK(contains(text(report, "explanation"),
                       "why-gone does not have " + address + ", which Docker gave it on net"));
        CHECK(text(report, "suggestion") == "docker restart why-gone");
    }
}

TEST_CASE("why: a bridge that is down, seen from outside", "[docker]") {
    const support::Daemon daemon(settings());
    const Words question{outside_target(), "198.51.100.2:8080"};
    const Undo undo("ip link set docker0 up");
    on_host("ip link set docker0 down");
    const auto report = ask_why(daemon, question);
    INFO(report);
    CHECK(verdict(report) != "delivered");
    CHECK(contains(text(report, "explanation"), "docker0 of host is down"));
    CHECK(text(report, "suggestion") == "ip link set docker0 up");
    follow(report);
    check_delivered(daemon, question);
}

TEST_CASE("why: a neighbour that was asked for in vain on another interface is not TO", "[docker]") {
    const support::Daemon daemon(settings());
    const auto address = address_of("co2", "net");
    const auto links = ip_json("co4", {"-4", "addr", "show"});
    std::string other;
    for (const auto& link : links) {
        const auto& own = link.at("addr_info").as_array().front().as_object();
        if (text(own, "local") == address_of("co4", "bridge")) other = text(link.as_object(), "ifname");
    }
    REQUIRE(!other.empty());
    check_delivered(daemon, {"co4", address});
    in_container("co4", "ip neigh add " + address + " dev " + other + " nud failed");
    const auto veth = host_end("co2");
    const Undo undo("nft delete table netdev own; nsenter --net=/proc/" + std::to_string(pid_of("co4")) +
                    "/ns/net ip neigh del " + address + " dev " + other);
    on_host("nft 'add table netdev own; add chain netdev own in { type filter hook ingress device " + veth +
            " priority 0; }; add rule netdev own in ip saddr " + address + " drop'");
    const auto report = ask_why(daemon, {"co4", address});
    INFO(report);
    CHECK(verdict(report) == "dropped");
    CHECK(text(rule(report), "table") == "own");
    CHECK_FALSE(contains(text(report, "explanation"), "nobody answers"));
}

TEST_CASE("why: a datagram for a namespace outside of the lab's host is not lost for want of an answer",
          "[docker]") {
    const support::Daemon daemon(settings());
    const support::Process listener(
        {"nsenter", "--net=/run/netns/" + outside_target().substr(6), "python3", "-c", R"(
import socket, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("198.51.100.1", 9998))
time.sleep(60)
)"});
    REQUIRE(support::eventually([] { return contains(outside("ss -lun"), ":9998"); }, 5s));
    // Of an address that several have it is not known whom to watch.
    const Undo undo("ip netns del why-twin");
    on_host(
        "ip netns add why-twin; ip -n why-twin link add twin type bridge; "
        "ip -n why-twin addr add 198.51.100.1/24 dev twin; ip -n why-twin link set twin up");
    CHECK(support::eventually(
        [&] {
            const auto report = ask_why(daemon, {"co1", "198.51.100.1:9998/udp"});
            INFO(report);
            return verdict(report) == "unknown" && report.at("where").is_object() &&
                   text(report.at("where").as_object(), "point") != "" &&
                   contains(text(report, "explanation"), "a socket there takes it");
        },
        5s));
}

TEST_CASE("why: the policy of iptables-legacy, and what lets both the packet and its answer pass",
          "[docker]") {
    const support::Daemon daemon(settings());
    const Undo undo("iptables-legacy -P FORWARD ACCEPT; iptables-legacy -F FORWARD");
    on_host("iptables-legacy -P FORWARD DROP");
    for (const auto& question : {Words{"co1", "203.0.113.8:80"}, Words{"co1", "203.0.113.8"}}) {
        const auto report = ask_why(daemon, question);
        INFO(report);
        CHECK(verdict(report) == "dropped");
        CHECK(text(rule(report), "family") == "ip (legacy)");
        CHECK(contains(text(report, "suggestion"), "ESTABLISHED,RELATED"));
        follow(report);
        check_delivered(daemon, question);
        on_host("iptables-legacy -F FORWARD");
    }
    on_host("iptables-legacy -P FORWARD ACCEPT; iptables-legacy -I FORWARD -s 203.0.113.8 -j DROP");
    const auto report = ask_why(daemon, {"co1", "203.0.113.8:80"});
    INFO(report);
    CHECK(verdict(report) == "dropped");
    CHECK(text(rule(report), "text") == "rule 1: ip saddr 203.0.113.8 drop");
    CHECK(contains(text(report, "explanation"), "the answer"));
    follow(report);
    check_delivered(daemon, {"co1", "203.0.113.8:80"});
}

TEST_CASE("why: who rejects is named with and without a trace, by IPv6, too", "[docker]") {
    const support::Daemon daemon(settings());
    const Undo undo("iptables -w -F INPUT; ip6tables -w -F INPUT");
    on_host(
        "iptables -w -I INPUT -p tcp --dport 7777 -j REJECT; "
        "ip6tables -w -I INPUT -p tcp --dport 7777 -j REJECT");
    for (const auto* to : {"198.51.100.2:7777", "[2001:db8:51::2]:7777"}) {
        for (const auto* option : {"--wait=1", "--no-trace", "--no-probe"}) {
            const auto report = ask_why(daemon, {outside_target(), to, option});
            INFO(report);
            CHECK(verdict(report) == "rejected");
            CHECK(contains(text(rule(report), "text"), "tcp dport 7777 reject"));
            CHECK_FALSE(contains(text(report, "explanation"), "drop"));
        }
    }
}

TEST_CASE("why: a policy that drops both ways takes one suggestion", "[docker]") {
    const support::Daemon daemon(settings());
    const Undo undo("nft delete table inet own");
    on_host(
        "nft 'add table inet own; add chain inet own fw { type filter hook forward priority 5; policy drop; "
        "}'");
    for (const auto& question : {Words{"co1", "203.0.113.8:80"}, Words{"co1", "203.0.113.8"}}) {
        const auto report = ask_why(daemon, question);
        INFO(report);
        CHECK(verdict(report) == "dropped");
        follow(report);
        check_delivered(daemon, question);
        on_host("nft flush chain inet own fw");
    }
}
