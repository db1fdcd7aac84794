#include "common/json.hpp"
#include "tests/docker/why_lab.hpp"

#include <algorithm>
#include <thread>

using namespace netlab;
using namespace netlab::lab;
using namespace std::chrono_literals;

/// What `netlab why` has to show, one case for each fault: made for real, told with its rule or place, and
/// mended by what the report suggests.

namespace {

/// Of every hop that was watched: it was seen there, as `member` has it ("seen", "back").
bool all_seen(const boost::json::object& report, std::string_view member) {
    const auto& hops = report.at("hops").as_array();
    return std::ranges::all_of(hops, [&](const auto& hop) {
        const auto* seen = hop.as_object().if_contains(member);
        return seen == nullptr || seen->as_bool();
    });
}

void check_where(const boost::json::object& report, std::string_view target, std::string_view point) {
    REQUIRE(report.at("where").is_object());
    CHECK(text(report.at("where").as_object(), "target") == target);
    CHECK(text(report.at("where").as_object(), "point") == point);
}

/// The first one of the host's whose text has that.
boost::json::object step_with(const boost::json::object& report, std::string_view part) {
    for (const auto& step : report.at("trace").as_array()) {
        if (step.at("target") == "host" && contains(text(step.as_object(), "text"), part))
            return step.as_object();
    }
    FAIL("no step has " << part);
    return {};
}

void listens(const std::string& container, const std::string& where) {
    REQUIRE(support::eventually([&] { return contains(in_container(container, "ss -ltn"), where); }, 5s));
}

/// Answers HTTP in a container until it is ended.
support::Process serve(const std::string& container, const std::string& address,
                       const std::string& port = "80") {
    auto server = start_in(
        container, {"python3", "-m", "http.server", "--directory", "/var/empty", "--bind", address, port});
    listens(container, address + ":" + port);
    return server;
}

}  // namespace

TEST_CASE("why: on one network it is delivered, and was seen at each point", "[docker]") {
    const support::Daemon daemon(settings());
    const auto report = ask_why(daemon, {"co1", "co2"});
    INFO(report);
    CHECK(verdict(report) == "delivered");
    CHECK(report.at("traced").as_bool());
    CHECK(all_seen(report, "seen"));
    CHECK(all_seen(report, "back"));
    const auto& name = report.at("resolution").as_object();
    CHECK(text(name, "name") == "co2");
    CHECK(text(name, "address") == address_of("co2", "net"));
    CHECK(text(name, "resolved_by") == "127.0.0.11");
    CHECK(text(name, "target") == "co2");
    const auto& hops = report.at("hops").as_array();
    REQUIRE(hops.size() == 5);
    CHECK(hops[0].at("target") == "co1");
    CHECK(hops[1].at("interface").as_string() == host_end("co1"));
    CHECK(hops[2].at("kind") == "bridge");
    CHECK(hops[2].at("interface").as_string() == bridge_of("net"));
    CHECK(hops[3].at("interface").as_string() == host_end("co2"));
    CHECK(hops[4].at("target") == "co2");
    CHECK(report.at("explanation") == "");
}

TEST_CASE("why: another network's container has no name here", "[docker]") {
    const support::Daemon daemon(settings());
    const auto report = ask_why(daemon, {"co1", "co3"});
    INFO(report);
    CHECK(verdict(report) == "unresolved");
    CHECK_FALSE(report.at("resolution").as_object().contains("address"));
    CHECK(contains(text(report, "explanation"), "co3 is on bridge"));
    const Undo undo("docker network disconnect net co3");
    follow(report);
    check_delivered(daemon, {"co1", "co3"});
}

TEST_CASE("why: another network's container is behind Docker's isolation", "[docker]") {
    const support::Daemon daemon(settings());
    const Words question{"co1", address_of("co3", "bridge")};
    auto report = ask_why(daemon, question);
    INFO(report);
    CHECK(verdict(report) == "dropped");
    check_where(report, "host", "ip filter DOCKER-ISOLATION-STAGE-2");
    const auto stopped = rule(report);
    CHECK(contains(text(stopped, "chain"), "DOCKER-ISOLATION-STAGE-2"));
    CHECK(text(stopped, "text") == "oifname \"docker0\" drop");
    CHECK(text(stopped, "owner") == "docker");
    CHECK(text(stopped, "target") == "host");
    CHECK(is_rule_of_host(stopped));
    CHECK(contains(text(report, "explanation"), "Docker keeps its bridge networks apart"));
    CHECK(contains(text(report, "explanation"), "co3 has another address"));
    const Undo undo("docker network disconnect net co3");
    follow(report);
    check_delivered(daemon, {"co1", "co3"});
    // That address stays behind the isolation; what is said now is the one that is not.
    REQUIRE(support::eventually(
        [&] {
            report = ask_why(daemon, question);
            return text(report, "suggestion") == "netlab why co1 " + address_of("co3", "net");
        },
        5s));
    CHECK(verdict(report) == "dropped");
    CHECK(contains(text(report, "explanation"), "on net, where both are, it is " + address_of("co3", "net")));
    check_delivered(daemon, {"co1", address_of("co3", "net")});
}

TEST_CASE("why: a container on both networks reaches both", "[docker]") {
    const support::Daemon daemon(settings());
    check_delivered(daemon, {"co4", "co1"});
    check_delivered(daemon, {"co4", "--address", "co3"});
}

TEST_CASE("why: a network whose containers Docker keeps apart", "[docker]") {
    const support::Daemon daemon(settings());
    const Undo undo("docker network rm why-apart");
    docker({"network", "create", "-o", "com.docker.network.bridge.enable_icc=false", "why-apart"});
    const Container one("why-apart1", {"--network", "why-apart"});
    const Container other("why-apart2", {"--network", "why-apart"});
    const Words question{"why-apart1", "why-apart2"};
    const auto report = ask_why(daemon, question);
    INFO(report);
    CHECK(verdict(report) == "dropped");
    CHECK(text(rule(report), "owner") == "docker");
    CHECK(text(rule(report), "chain") == "FORWARD");
    CHECK(is_rule_of_host(rule(report)));
    CHECK(contains(text(report, "explanation"), "containers of why-apart not reach each other"));
    follow(report);
    check_delivered(daemon, question);
}

TEST_CASE("why: FROM's own rules stop it, and none of TO's", "[docker]") {
    const support::Daemon daemon(settings());
    const Container source("why-source", {"--network", "net"});
    const Container target("why-target", {"--network", "net"});
    const Words question{"why-source", "why-target"};
    in_container("why-target", "iptables -w -A INPUT -p icmp -j ACCEPT");
    in_container("why-source", "iptables -w -A OUTPUT -p icmp -j ACCEPT");
    auto report = ask_why(daemon, question);
    INFO(report);
    CHECK(verdict(report) == "delivered");
    for (const std::string who : {"why-source", "why-target"}) {
        CHECK(std::ranges::any_of(report.at("trace").as_array(), [&](const auto& step) {
            return text(step.as_object(), "target") == who &&
                   contains(text(step.as_object(), "text"), "accept");
        }));
    }
    in_container("why-source", "iptables -w -I OUTPUT -d " + address_of("why-target", "net") + " -j DROP");
    report = ask_why(daemon, question);
    INFO(report);
    CHECK(verdict(report) == "dropped");
    CHECK(text(rule(report), "target") == "why-source");
    CHECK(text(rule(report), "chain") == "OUTPUT");
    CHECK(contains(text(rule(report), "text"), "ip daddr " + address_of("why-target", "net")));
    follow(report);
    check_delivered(daemon, question);
}

TEST_CASE("why: an answer that is dropped has not been seen behind", "[docker]") {
    const support::Daemon daemon(settings());
    const Undo undo("iptables -w -D DOCKER-USER -s 203.0.113.8 -j DROP");
    on_host("iptables -w -I DOCKER-USER -s 203.0.113.8 -j DROP");
    const auto report = ask_why(daemon, {"co1", "203.0.113.8"});
    INFO(report);
    CHECK(verdict(report) == "dropped");
    CHECK(contains(text(report, "explanation"), "it is the answer"));
    for (const auto& hop : report.at("hops").as_array()) {
        const auto& one = hop.as_object();
        if (!one.contains("back")) continue;
        INFO(hop);
        CHECK(one.at("seen").as_bool());
        CHECK(one.at("back").as_bool() == (text(one, "kind") == "route"));
    }
}

TEST_CASE("why: a published port, from the host and from outside", "[docker]") {
    const support::Daemon daemon(settings());
    const auto server = address_of("py-server1", "bridge");
    for (const auto& [from, source] :
         {std::pair<std::string, std::string>{"host", "198.51.100.2"}, {outside_target(), "198.51.100.1"}}) {
        INFO(from);
        (void)shell_on_host("conntrack -D -p tcp -s " + source + " -d 198.51.100.2 --dport 8080");
        const auto report = ask_why(daemon, {from, "198.51.100.2:8080"});
        INFO(report);
        CHECK(verdict(report) == "delivered");
        CHECK(text(report, "translated") == "198.51.100.2:8080 -> " + server + ":8080");
        check_where(report, "py-server1", "eth0");
        CHECK(all_seen(report, "seen"));
        const auto dnat = step_with(report, "dnat to");
        CHECK(dnat.at("chain") == "DOCKER");
        CHECK(is_rule_of_host(dnat));
        // Conntrack's own account of that packet.
        const auto entry = on_host("conntrack -L -p tcp -s " + source + " -d 198.51.100.2 --dport 8080");
        INFO(entry);
        CHECK(std::ranges::count(entry, '\n') == 1);
        CHECK(contains(entry, "src=" + server + " dst=" + source + " sport=8080 "));
    }
}

TEST_CASE("why: a published port behind which nothing listens", "[docker]") {
    const support::Daemon daemon(settings());
    const Container nothing("why-nothing", {"-p", "18081:80"});
    const Words direct{"host", "198.51.100.2:18081"};
    // By localhost the engine's own process takes it, and gives it up.
    const Words by_proxy{"host", "127.0.0.1:18081"};
    for (const auto& question : {direct, by_proxy}) {
        const auto report = ask_why(daemon, question);
        INFO(report);
        CHECK(verdict(report) == "refused");
        const auto address = address_of("why-nothing", "bridge");
        check_where(report, "why-nothing", question == direct ? "eth0" : address + ":80");
        CHECK(contains(text(report, "explanation"), "nothing in why-nothing listens on TCP port 80"));
        CHECK(text(report, "suggestion") == "let a program in why-nothing listen on 0.0.0.0:80");
        CHECK(contains(json::write(report.at("notes")), "docker-proxy") == (question == by_proxy));
    }
    const auto server = serve("why-nothing", "0.0.0.0");
    check_delivered(daemon, direct);
    check_delivered(daemon, by_proxy);
}

TEST_CASE("why: a published port behind which only 127.0.0.1 listens", "[docker]") {
    const support::Daemon daemon(settings());
    const Container lonely("why-lonely", {"-p", "18082:80"});
    const Words question{"host", "198.51.100.2:18082"};
    {
        const auto server = serve("why-lonely", "127.0.0.1");
        const auto report = ask_why(daemon, question);
        INFO(report);
        CHECK(verdict(report) == "refused");
        check_where(report, "why-lonely", "eth0");
        CHECK(contains(text(report, "explanation"), "only 127.0.0.1:80 listens"));
        CHECK(text(report, "suggestion") == "let it bind to 0.0.0.0:80");
    }
    const auto server = serve("why-lonely", "0.0.0.0");
    check_delivered(daemon, question);
}

TEST_CASE("why: to the outside through MASQUERADE", "[docker]") {
    const support::Daemon daemon(settings());
    const auto own = address_of("co1", "net");
    (void)shell_on_host("conntrack -D -p tcp -s " + own + " -d 203.0.113.8");
    const auto report = ask_why(daemon, {"co1", "203.0.113.8:80"});
    INFO(report);
    CHECK(verdict(report) == "delivered");
    CHECK(text(report, "masqueraded") == own + " -> 198.51.100.2");
    const auto masquerade = step_with(report, "masquerade");
    CHECK(masquerade.at("table") == "nat");
    CHECK(masquerade.at("chain") == "POSTROUTING");
    CHECK(masquerade.at("owner") == "docker");
    CHECK(is_rule_of_host(masquerade));
    const auto entry = on_host("conntrack -L -p tcp -s " + own + " -d 203.0.113.8 --dport 80");
    INFO(entry);
    CHECK(std::ranges::count(entry, '\n') == 1);
    CHECK(contains(entry, "src=203.0.113.8 dst=198.51.100.2 sport=80 "));
    CHECK(verdict(ask_why(daemon, {"co1", "www.example.com"})) == "delivered");
}

TEST_CASE("why: a host that does not forward", "[docker]") {
    const support::Daemon daemon(settings());
    const Undo undo("sysctl -qw net.ipv4.ip_forward=1");
    on_host("sysctl -qw net.ipv4.ip_forward=0");
    const auto report = ask_why(daemon, {"co1", "203.0.113.8"});
    INFO(report);
    CHECK(verdict(report) == "unreachable");
    CHECK(report.at("where").at("target") == "host");
    CHECK(contains(text(report, "explanation"), "net.ipv4.ip_forward is 0"));
    follow(report);
    check_delivered(daemon, {"co1", "203.0.113.8"});
}

TEST_CASE("why: a rule in DOCKER-USER", "[docker]") {
    const support::Daemon daemon(settings());
    const Undo undo("iptables -w -F DOCKER-USER; iptables -w -A DOCKER-USER -j RETURN");
    on_host("iptables -w -I DOCKER-USER -p tcp --dport 80 -d 203.0.113.8 -j DROP");
    const auto report = ask_why(daemon, {"co1", "203.0.113.8:80"});
    INFO(report);
    CHECK(verdict(report) == "dropped");
    const auto stopped = rule(report);
    CHECK(text(stopped, "chain") == "DOCKER-USER");
    CHECK(is_rule_of_host(stopped));
    // Its counter is that of the probe's packet.
    CHECK(on_host("iptables-save -c -t filter | grep -c '^\\[1:.*-A DOCKER-USER -d 203.0.113.8/32 -p tcp'") ==
          "1\n");
    CHECK(contains(text(report, "explanation"), "DOCKER-USER"));
    CHECK(text(report, "suggestion").starts_with("nft insert rule ip filter DOCKER-USER "));
    follow(report);
    check_delivered(daemon, {"co1", "203.0.113.8:80"});
}

TEST_CASE("why: the host's own firewall drops what containers send to the host", "[docker]") {
    const support::Daemon daemon(settings());
    const auto gateway =
        docker({"network", "inspect", "-f", "{{(index .IPAM.Config 0).Gateway}}", "net"}).out;
    const auto address = gateway.substr(0, gateway.find('\n'));
    const Undo undo("iptables -w -F INPUT");
    on_host(
        "iptables -w -A INPUT -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT && "
        "iptables -w -A INPUT -i lo -j ACCEPT && iptables -w -A INPUT -j DROP");
    const auto report = ask_why(daemon, {"co1", address});
    INFO(report);
    CHECK(verdict(report) == "dropped");
    CHECK(text(rule(report), "chain") == "INPUT");
    CHECK(text(rule(report), "text") == "drop");
    CHECK(is_rule_of_host(rule(report)));
    CHECK(contains(text(report, "explanation"), "input chain"));
    follow(report);
    check_delivered(daemon, {"co1", address});
}

TEST_CASE("why: another base chain drops what Docker's has accepted", "[docker]") {
    const support::Daemon daemon(settings());
    const Undo undo("nft delete table inet own");
    on_host(
        "nft 'add table inet own; add chain inet own forward { type filter hook forward priority 10; }; "
        "add rule inet own forward ip daddr 203.0.113.8 drop'");
    const auto report = ask_why(daemon, {"co1", "203.0.113.8"});
    INFO(report);
    CHECK(verdict(report) == "dropped");
    CHECK(text(rule(report), "table") == "own");
    CHECK(text(rule(report), "text") == "ip daddr 203.0.113.8 drop");
    CHECK(contains(text(report, "explanation"), "an accept ends its own chain only"));
    follow(report);
    check_delivered(daemon, {"co1", "203.0.113.8"});
}

TEST_CASE("why: an internal network does not lead outside", "[docker]") {
    const support::Daemon daemon(settings());
    const auto report = ask_why(daemon, {"priv1", "203.0.113.8"});
    INFO(report);
    // Docker 20.10 gives its members a default route all the same, and drops on the host.
    CHECK(verdict(report) == "dropped");
    CHECK(text(rule(report), "chain") == "DOCKER-ISOLATION-STAGE-1");
    CHECK(is_rule_of_host(rule(report)));
    CHECK(contains(text(report, "explanation"), "priv is an internal network"));
    // That is what it is for.
    CHECK(text(report, "suggestion").empty());
}

TEST_CASE("why: an internal network is joined by who is to reach it", "[docker]") {
    const support::Daemon daemon(settings());
    const Words question{"co1", address_of("priv1", "priv")};
    const auto report = ask_why(daemon, question);
    INFO(report);
    CHECK(verdict(report) == "dropped");
    CHECK(text(rule(report), "chain") == "DOCKER-ISOLATION-STAGE-1");
    CHECK(is_rule_of_host(rule(report)));
    CHECK(text(report, "suggestion") == "docker network connect priv co1");
    const Undo undo("docker network disconnect priv co1");
    follow(report);
    check_delivered(daemon, question);
}

TEST_CASE("why: a bridge that lost its address", "[docker]") {
    const support::Daemon daemon(settings());
    const auto bridge = bridge_of("net");
    const auto line = on_host("ip -o -4 addr show dev " + bridge + " | awk '{print $4}'");
    const auto prefix = line.substr(0, line.find('\n'));
    const Undo undo("ip addr replace " + prefix + " dev " + bridge);
    on_host("ip addr del " + prefix + " dev " + bridge);
    in_container("co1", "ip neigh flush all");
    const auto report = ask_why(daemon, {"co1", "203.0.113.8"});
    INFO(report);
    CHECK(verdict(report) == "unreachable");
    check_where(report, "co1", "eth0");
    CHECK(
        contains(text(report, "explanation"), bridge + " of host, the bridge of net, has lost its address"));
    CHECK(text(report, "suggestion") == "ip addr add " + prefix + " dev " + bridge);
    follow(report);
    check_delivered(daemon, {"co1", "203.0.113.8"});
}

TEST_CASE("why: a veth that was taken off its bridge", "[docker]") {
    const support::Daemon daemon(settings());
    const auto veth = host_end("co2");
    const Undo undo("ip link set " + veth + " master " + bridge_of("net"));
    on_host("ip link set " + veth + " nomaster");
    in_container("co1", "ip neigh flush all");
    in_container("co2", "ip neigh flush all");
    const Words there{"co1", "--address", "co2"};
    const Words out{"co2", "203.0.113.8"};
    // The host answers for its addresses by whatever interface, takes what comes by the veth, and lets it
    // pass by no rule.
    for (const auto& question : {there, out}) {
        const auto report = ask_why(daemon, question);
        INFO(report);
        CHECK(verdict(report) == (question == there ? "unreachable" : "dropped"));
        if (question == there)
            check_where(report, "co1", "eth0");
        else
            check_where(report, "host", "ip filter FORWARD");
        CHECK(contains(text(report, "explanation"), veth + " of host"));
        CHECK(contains(text(report, "explanation"), "is on no bridge"));
        CHECK(text(report, "suggestion") == "ip link set " + veth + " master " + bridge_of("net"));
    }
    follow(ask_why(daemon, out));
    check_delivered(daemon, there);
    check_delivered(daemon, out);
}

TEST_CASE("why: a wrong route in the container", "[docker]") {
    const support::Daemon daemon(settings());
    const Container lost("why-lost", {"--network", "net"});
    const auto gateway =
        text(ip_json("why-lost", {"route", "show", "default"}).front().as_object(), "gateway");
    const auto wrong = gateway.substr(0, gateway.rfind('.')) + ".250";
    in_container("why-lost", "ip route replace default via " + wrong);
    const auto report = ask_why(daemon, {"why-lost", "203.0.113.8"});
    INFO(report);
    CHECK(verdict(report) == "unreachable");
    check_where(report, "why-lost", "eth0");
    CHECK(contains(text(report, "explanation"), "sends it to " + wrong));
    follow(report);
    check_delivered(daemon, {"why-lost", "203.0.113.8"});
}

TEST_CASE("why: a route of the host's that overlaps the network's subnet", "[docker]") {
    const support::Daemon daemon(settings());
    const auto address = address_of("co1", "net");
    // One address of it, and the half of it that Docker gives its addresses from first.
    for (const auto& overlap : {address + "/32", address.substr(0, address.rfind('.')) + ".0/24"}) {
        INFO(overlap);
        const Undo undo("ip route del " + overlap + " via 198.51.100.1");
        on_host("ip route add " + overlap + " via 198.51.100.1");
        const Words in{"host", "--address", "co1"};
        const Words out{"co1", "203.0.113.8"};
        boost::json::object report;
        for (const auto& question : {in, out}) {
            report = ask_why(daemon, question);
            INFO(report);
            // Who is outside has no way to that address, and says so; the answer would leave as it came.
            CHECK(verdict(report) == (question == in ? "unreachable" : "dropped"));
            if (question == in)
                check_where(report, outside_target().substr(6), "isp0");
            else
                check_where(report, "host", "ip filter FORWARD");
            CHECK(contains(text(report, "explanation"), "is in the way"));
            CHECK(contains(text(report, "suggestion"),
                           "ip route del " + address.substr(0, address.rfind('.'))));
        }
        follow(report);
        check_delivered(daemon, in);
        check_delivered(daemon, out);
    }
}

TEST_CASE("why: an address that two containers have", "[docker]") {
    const support::Daemon daemon(settings());
    const Container thief("why-thief", {"--network", "net"});
    const auto address = address_of("co2", "net");
    const Words question{"co1", "--address", "co2"};
    check_delivered(daemon, question);
    // Who takes an address announces it (RFC 5227), and its neighbours believe him a second after they last
    // learnt.
    std::this_thread::sleep_for(1200ms);
    const auto mac = text(ip_json("why-thief", {"link", "show", "eth0"}).front().as_object(), "address");
    in_container("why-thief", "sysctl -qw net.ipv4.conf.eth0.arp_notify=1; ip addr add " + address +
                                  "/16 dev eth0; ip link set eth0 address " + mac);
    REQUIRE(support::eventually(
        [&] { return contains(in_container("co1", "ip neigh show " + address), mac); }, 5s));
    CHECK(status_in_container("co1", "ping -c1 -W1 " + address) == 0);
    // Twice: nothing but what is suggested ends it.
    for (int i = 0; i < 2; ++i) {
        const auto report = ask_why(daemon, question);
        INFO(report);
        CHECK(verdict(report) == "lost");
        CHECK(contains(text(report, "explanation"), address + " is there more than once"));
        CHECK(contains(text(report, "explanation"), "why-thief"));
        CHECK(contains(text(report, "suggestion"), "/ns/net ip addr del " + address + "/16 dev eth0"));
        if (i == 1) follow(report);
    }
    // Until co1's kernel has asked the thief in vain (DELAY and PROBE, ten seconds by its settings).
    REQUIRE(support::eventually([&] { return why(daemon, question).status == 0; }, 20s));
    check_delivered(daemon, question);
    // Others have heard the announcement, too.
    in_container("co4", "ip neigh flush all");
    on_host("ip neigh flush all");
}

TEST_CASE("why: large packets are lost and small ones pass", "[docker]") {
    const support::Daemon daemon(settings());
    const Container large("why-large", {"--network", "net"});
    const Undo undo("ip link set eth0 mtu 1500; iptables -w -D OUTPUT -p icmp --icmp-type 3/4 -j DROP");
    on_host("ip link set eth0 mtu 1300 && iptables -w -I OUTPUT -p icmp --icmp-type 3/4 -j DROP");
    // What users see: a connection that hangs as soon as it carries something.
    const support::Process server({"nsenter", "--net=/run/netns/" + instance() + "inet", "python3", "-c", R"(
import socket, threading
s = socket.create_server(("203.0.113.8", 8899))
def take(c):
    left = 20000
    while left > 0:
        data = c.recv(left)
        if not data: return
        left -= len(data)
    c.sendall(b"whole")
while True:
    threading.Thread(target=take, args=(s.accept()[0],), daemon=True).start()
)"});
    const std::string upload =
        "timeout 3 python3 -c 'import socket; s = socket.create_connection((\"203.0.113.8\", 8899)); "
        "s.sendall(bytes(20000)); assert s.recv(9) == b\"whole\"'";
    const Words question{"why-large", "203.0.113.8", "--size", "1500"};
    const Words fitting{"why-large", "203.0.113.8", "--size", "1300"};
    check_delivered(daemon, fitting);
    check_delivered(daemon, {"why-large", "203.0.113.8:8899"});
    CHECK(status_in_container("why-large", upload) != 0);
    auto report = ask_why(daemon, question);
    INFO(report);
    CHECK(verdict(report) == "lost");
    CHECK(report.at("where").at("target") == "host");
    CHECK(contains(text(report.at("where").as_object(), "point"), "eth0"));
    CHECK(contains(text(report, "explanation"), "eth0 of host has an MTU of 1300"));
    follow(report);
    CHECK(status_in_container("why-large", upload) == 0);
    check_delivered(daemon, fitting);
    // Its own kernel says so now, and nothing is lost in silence.
    report = ask_why(daemon, question);
    INFO(report);
    CHECK(verdict(report) == "unreachable");
    check_where(report, "why-large", "eth0");
    CHECK(text(report, "explanation") == "message too long; eth0 of why-large has an MTU of 1300");
}

TEST_CASE("why: a UDP service behind which an old conntrack entry leads to nobody", "[docker]") {
    const support::Daemon daemon(settings());
    const Words question{outside_target(), "198.51.100.2:15353/udp"};
    const Container server("why-udp", {"-p", "15353:53/udp"});
    const auto echo = start_in("why-udp", {"python3", "-c", R"(
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("0.0.0.0", 53))
while True:
    s.sendto(b"x", s.recvfrom(9)[1])
)"});
    REQUIRE(support::eventually([] { return contains(in_container("why-udp", "ss -lun"), ":53 "); }, 5s));
    check_delivered(daemon, question);
    // One who goes on asking from one port, as resolvers and SIP phones do.
    const std::string client =
        "python3 -c 'import socket; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); "
        "s.bind((\"198.51.100.1\", 40000)); s.settimeout(1); "
        "s.sendto(b\"y\", (\"198.51.100.2\", 15353)); s.recv(9)'";
    CHECK(status_outside(client) == 0);
    const Undo undo("conntrack -D -p udp --orig-dst 198.51.100.2");
    on_host(
        "conntrack -D -p udp --orig-dst 198.51.100.2 && "
        "conntrack -I -p udp -t 600 -s 198.51.100.1 -d 198.51.100.2 --sport 40000 --dport 15353 "
        "--dst-nat 172.17.0.99:53");
    CHECK(status_outside(client) != 0);
    const auto report = ask_why(daemon, question);
    INFO(report);
    // A new flow's packet is; that old ones are not is what is said of it.
    CHECK(verdict(report) == "delivered");
    CHECK(contains(text(report, "explanation"), "no target has 172.17.0.99"));
    follow(report);
    CHECK(status_outside(client) == 0);
    CHECK(text(ask_why(daemon, question), "explanation").empty());
}

TEST_CASE("why: a paused container's kernel answers, and nobody behind it", "[docker]") {
    const support::Daemon daemon(settings());
    const Container sleeper("why-paused", {"--network", "net"});
    docker({"exec", "-d", "why-paused", "httpd", "-f", "-p", "80"});
    REQUIRE(support::eventually([] { return contains(in_container("why-paused", "ss -ltn"), ":80"); }, 5s));
    docker({"pause", "why-paused"});
    const Words question{"co1", "--address", "why-paused:80"};
    REQUIRE(support::eventually(
        [&] { return contains(text(ask_why(daemon, question), "explanation"), "is paused"); }, 5s));
    CHECK(status_in_container(
              "co1", "curl -s -o /dev/null -m 1 http://" + address_of("why-paused", "net") + "/") != 0);
    for (const auto& asked : {question, Words{"co1", "--address", "why-paused:80", "--no-probe"}}) {
        const auto report = ask_why(daemon, asked);
        INFO(report);
        CHECK(verdict(report) == "lost");
        CHECK(report.at("where").at("target") == "why-paused");
        CHECK(report.at("where").at("point") == "eth0 and its programs");
        CHECK(contains(text(report, "explanation"), "why-paused is paused"));
    }
    // An echo is the kernel's own business.
    auto report = ask_why(daemon, {"co1", "--address", "why-paused"});
    INFO(report);
    CHECK(verdict(report) == "delivered");
    CHECK(contains(text(report, "explanation"), "why-paused is paused"));
    report = ask_why(daemon, {"why-paused", "--address", "co1"});
    INFO(report);
    CHECK(verdict(report) == "delivered");
    CHECK(contains(json::write(report.at("notes")), "why-paused is paused"));
    follow(ask_why(daemon, question));
    REQUIRE(support::eventually([&] { return text(ask_why(daemon, question), "explanation").empty(); }, 5s));
    check_delivered(daemon, {"co1", "why-paused:80"});
}

TEST_CASE("why: Podman's network, and its published port", "[docker]") {
    const support::Daemon daemon(settings());
    check_delivered(daemon, {"pod1", "--address", "pod2"});
    const auto report = ask_why(daemon, {"podman:pod1", "203.0.113.8"});
    INFO(report);
    CHECK(verdict(report) == "delivered");
    CHECK(step_with(report, "masquerade").at("owner") == "podman");
    const auto published = ask_why(daemon, {"host", "198.51.100.2:8088"});
    INFO(published);
    CHECK(verdict(published) == "delivered");
    CHECK(text(published, "translated").starts_with("198.51.100.2:8088 -> 10.89.0."));
    // Where its rule is gone conmon has the port still, and its kernel takes what nobody accepts.
    on_host("iptables-save -t nat > /tmp/why-podman." + instance());
    const Undo undo("iptables-restore -T nat < /tmp/why-podman." + instance() + " && rm /tmp/why-podman." +
                    instance());
    on_host("iptables -w -t nat -F NETAVARK-HOSTPORT-DNAT");
    CHECK(shell_on_host("curl -s -o /dev/null -m 1 http://198.51.100.2:8088/").status != 0);
    const auto reserved = ask_why(daemon, {"host", "198.51.100.2:8088"});
    INFO(reserved);
    CHECK(verdict(reserved) == "unknown");
    CHECK(contains(text(reserved, "explanation"), "no rule leads it to "));
    CHECK(text(reserved, "suggestion") == "podman network reload web");
}
