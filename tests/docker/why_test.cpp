#include "common/json.hpp"
#include "tests/docker/why_lab.hpp"

#include <algorithm>
#include <csignal>
#include <map>
#include <memory>
#include <sstream>

#include <boost/json/serialize.hpp>

using namespace netlab;
using namespace netlab::lab;
using namespace std::chrono_literals;

namespace {

/// What nft(8) shows of that rule.
bool is_rule_of_host(const boost::json::object& rule) {
    const auto listing = on_host("nft -s -a list chain " + text(rule, "family") + " " + text(rule, "table") +
                                 " " + text(rule, "chain"));
    const auto handle = "# handle " + std::to_string(rule.at("handle").to_number<int>()) + "\n";
    const auto end = listing.find(handle);
    INFO(listing << rule);
    REQUIRE(end != listing.npos);
    const auto begin = listing.rfind('\n', end) + 1;
    auto line = listing.substr(begin, end - begin);
    if (const auto counter = line.find("counter "); counter != line.npos) line.erase(counter, 8);
    return contains(line, text(rule, "text"));
}

/// Every hop that could be seen was.
bool all_seen(const boost::json::object& report) {
    const auto& hops = report.at("hops").as_array();
    return std::ranges::all_of(hops, [](const auto& hop) {
        const auto* seen = hop.as_object().if_contains("seen");
        return seen == nullptr || seen->as_bool();
    });
}

}  // namespace

TEST_CASE("why: on one network it is delivered, and was seen at each point", "[docker]") {
    const support::Daemon daemon(settings());
    const auto report = ask_why(daemon, {"co1", "co2"});
    INFO(report);
    CHECK(verdict(report) == "delivered");
    CHECK(report.at("traced").as_bool());
    CHECK(all_seen(report));
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

TEST_CASE("why: another network's container has no name here, and its address is behind Docker's isolation",
          "[docker]") {
    const support::Daemon daemon(settings());
    auto report = ask_why(daemon, {"co1", "co3"});
    INFO(report);
    CHECK(verdict(report) == "unresolved");
    CHECK(text(report, "suggestion").starts_with("docker network connect net co3"));
    const auto address = address_of("co3", "bridge");
    report = ask_why(daemon, {"co1", address});
    INFO(report);
    CHECK(verdict(report) == "dropped");
    const auto stopped = rule(report);
    CHECK(contains(text(stopped, "chain"), "DOCKER-ISOLATION-STAGE-2"));
    CHECK(text(stopped, "text") == "oifname \"docker0\" drop");
    CHECK(text(stopped, "owner") == "docker");
    CHECK(text(stopped, "target") == "host");
    CHECK(is_rule_of_host(stopped));
    CHECK(contains(text(report, "explanation"), "Docker keeps its bridge networks apart"));
    const Undo undo("docker network disconnect net co3");
    follow(report);
    check_delivered(daemon, {"co1", "co3"});
}

TEST_CASE("why: the trace is what nft monitor trace shows of the same packet", "[docker]") {
    const support::Daemon daemon(settings());
    support::Process monitor(
        {"nsenter", "--net=/run/netns/" + host_namespace(), "stdbuf", "-oL", "nft", "monitor", "trace"});
    const auto address = address_of("co3", "bridge");
    // Until the monitor listens, and so shows this packet.
    boost::json::object report;
    REQUIRE(support::eventually(
        [&] {
            report = ask_why(daemon, {"co1", address});
            return contains(monitor.out_so_far(), "DOCKER-ISOLATION-STAGE-2");
        },
        10s));
    std::vector<std::string> mine;
    for (const auto& step : report.at("trace").as_array()) {
        if (step.at("target") != "host") continue;
        mine.push_back(text(step.as_object(), "family") + " " + text(step.as_object(), "table") + " " +
                       text(step.as_object(), "chain"));
    }
    std::istringstream lines(monitor.out_so_far());
    std::vector<std::vector<std::string>> all;
    for (std::string line; std::getline(lines, line);) {
        std::istringstream words(line);
        std::vector<std::string> found;
        for (std::string word; words >> word;)
            found.push_back(word);
        if (found.size() > 6 && found[0] == "trace") all.push_back(found);
    }
    REQUIRE(!all.empty());
    // The id of a packet is another one once conntrack knows it: the echo's identifier stays.
    const auto echo_of = [](const std::vector<std::string>& line) {
        const auto at = std::adjacent_find(
            line.begin(), line.end(), [](const auto& a, const auto& b) { return a == "icmp" && b == "id"; });
        return line.end() - at > 2 ? *(at + 2) : std::string();
    };
    std::map<std::string, std::string> echoes;  // by trace id
    for (const auto& line : all) {
        if (const auto echo = echo_of(line); !echo.empty()) echoes[line[2]] = echo;
    }
    const auto last = echoes[all.back()[2]];
    REQUIRE(!last.empty());
    std::vector<std::string> theirs;
    for (const auto& line : all) {
        // What decides: rules, returns and policies.
        const bool decides =
            line[6] == "rule" || line[6] == "policy" || (line[6] == "verdict" && line[7] != "continue");
        if (echoes[line[2]] != last || !decides || line[4].starts_with("netlab-trace")) continue;
        theirs.push_back(line[3] + " " + line[4] + " " + line[5]);
    }
    INFO(monitor.out_so_far());
    CHECK(mine == theirs);
    CHECK(mine.size() >= 5);
}

TEST_CASE("why: a container on both networks reaches both", "[docker]") {
    const support::Daemon daemon(settings());
    check_delivered(daemon, {"co4", "co1"});
    check_delivered(daemon, {"co4", "--address", "co3"});
}

TEST_CASE("why: a published port, from the host and from outside", "[docker]") {
    auto with_outside = settings();
    const support::Daemon daemon(with_outside);
    auto report = ask_why(daemon, {"host", "198.51.100.2:8080"});
    INFO(report);
    CHECK(verdict(report) == "delivered");
    CHECK(text(report, "translated") ==
          "198.51.100.2:8080 -> " + address_of("py-server1", "bridge") + ":8080");
    const auto& last = report.at("hops").as_array().back().as_object();
    CHECK(last.at("target") == "py-server1");
    CHECK(last.at("seen").as_bool());
    report = ask_why(daemon, {outside_target(), "198.51.100.2:8080"});
    INFO(report);
    CHECK(verdict(report) == "delivered");
    CHECK(report.at("hops").as_array().back().at("target") == "py-server1");
    const auto& trace = report.at("trace").as_array();
    CHECK(std::ranges::any_of(trace, [](const auto& step) {
        return contains(text(step.as_object(), "text"), "dnat to") && step.at("chain") == "DOCKER";
    }));
}

TEST_CASE("why: a published port behind which nothing listens, or on 127.0.0.1 alone", "[docker]") {
    const support::Daemon daemon(settings());
    const Container nothing("why-nothing", {"-p", "18081:80"});
    auto report = ask_why(daemon, {"host", "198.51.100.2:18081"});
    INFO(report);
    CHECK(verdict(report) == "refused");
    CHECK(contains(text(report, "explanation"), "nothing in why-nothing listens on TCP port 80"));
    const Container lonely("why-lonely", {"-p", "18082:80"});
    docker({"exec", "-d", "why-lonely", "httpd", "-f", "-p", "127.0.0.1:80"});
    REQUIRE(support::eventually(
        [] { return contains(in_container("why-lonely", "ss -ltn"), "127.0.0.1:80"); }, 5s));
    // By localhost the engine's own process takes it, and gives it up.
    report = ask_why(daemon, {"host", "127.0.0.1:18081"});
    INFO(report);
    CHECK(verdict(report) == "refused");
    CHECK(report.at("where").at("target") == "why-nothing");
    CHECK(contains(text(report, "explanation"), "nothing in why-nothing listens on TCP port 80"));
    CHECK(contains(json::write(report.at("notes")), "docker-proxy"));
    check_delivered(daemon, {"host", "host:8080"});
    report = ask_why(daemon, {"host", "198.51.100.2:18082"});
    INFO(report);
    CHECK(verdict(report) == "refused");
    CHECK(contains(text(report, "explanation"), "only 127.0.0.1:80 listens"));
    CHECK(contains(text(report, "explanation"), "0.0.0.0:80"));
}

TEST_CASE("why: to the outside through MASQUERADE", "[docker]") {
    const support::Daemon daemon(settings());
    auto report = ask_why(daemon, {"co1", "203.0.113.8:80"});
    INFO(report);
    CHECK(verdict(report) == "delivered");
    CHECK(text(report, "masqueraded") == address_of("co1", "net") + " -> 198.51.100.2");
    report = ask_why(daemon, {"co1", "www.example.com"});
    CHECK(verdict(report) == "delivered");
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

TEST_CASE("why: a rule's text has the conditions that libnftables leaves out", "[docker]") {
    const support::Daemon daemon(settings());
    const std::string rest = " DOCKER-USER -p tcp --dport 80 -m string --algo bm ! --string netlab -j DROP";
    const Undo undo("iptables -w -D" + rest);
    on_host("iptables -w -I" + rest);
    const auto report = ask_why(daemon, {"co1", "203.0.113.8:80"});
    INFO(report);
    CHECK(verdict(report) == "dropped");
    CHECK(text(rule(report), "chain") == "DOCKER-USER");
    CHECK(contains(text(rule(report), "text"), "xt match string"));
    check_delivered(daemon, {"co4", "co2"});
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
    CHECK(contains(text(report, "explanation"), "DOCKER-USER"));
    CHECK(text(report, "suggestion").starts_with("nft insert rule ip filter DOCKER-USER "));
    follow(report);
    check_delivered(daemon, {"co1", "203.0.113.8:80"});
}

TEST_CASE("why: what lets an answer through leaves iptables a chain that it can read", "[docker]") {
    const support::Daemon daemon(settings());
    const Undo undo("iptables -w -F DOCKER-USER; iptables -w -A DOCKER-USER -j RETURN");
    on_host("iptables -w -I DOCKER-USER -i eth0 -s 203.0.113.8 -j DROP");
    const auto report = ask_why(daemon, {"co1", "203.0.113.8:80"});
    INFO(report);
    CHECK(verdict(report) == "dropped");
    CHECK(text(report, "suggestion").starts_with("iptables-nft -t filter -I DOCKER-USER -i eth0 -o br-"));
    follow(report);
    check_delivered(daemon, {"co1", "203.0.113.8:80"});
    CHECK(contains(on_host("iptables -w -S DOCKER-USER"), "ESTABLISHED"));
}

TEST_CASE("why: a rule that rejects is told from one that drops, and from the port's own no", "[docker]") {
    const support::Daemon daemon(settings());
    for (const std::string with : {"tcp-reset", "icmp-port-unreachable", "icmp-admin-prohibited"}) {
        const auto rest = " DOCKER-USER -p tcp --dport 80 -d 203.0.113.8 -j REJECT --reject-with " + with;
        const Undo undo("iptables -w -D" + rest);
        on_host("iptables -w -I" + rest);
        const auto report = ask_why(daemon, {"co1", "203.0.113.8:80"});
        INFO(report);
        CHECK(verdict(report) == "rejected");
        CHECK(text(rule(report), "chain") == "DOCKER-USER");
        CHECK_FALSE(contains(text(report, "explanation"), "drop"));
    }
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

TEST_CASE("why: FORWARD drops where the engine's rules have been flushed", "[docker]") {
    const support::Daemon daemon(settings());
    on_host("iptables-save > /tmp/why-rules." + instance());
    const Undo undo("iptables-restore < /tmp/why-rules." + instance() + " && rm /tmp/why-rules." +
                    instance());
    on_host("iptables -w -F && iptables -w -X && iptables -w -P FORWARD DROP");
    const auto report = ask_why(daemon, {"co1", "203.0.113.8"});
    INFO(report);
    CHECK(verdict(report) == "dropped");
    CHECK(text(rule(report), "chain") == "FORWARD");
    CHECK(text(rule(report), "text") == "policy drop");
    CHECK(contains(text(report, "explanation"), "flushed"));
    // The lab's engine is no service of systemd's.
    CHECK(contains(text(report, "suggestion"), "restart docker"));
    on_host("iptables-restore < /tmp/why-rules." + instance());
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
    CHECK(contains(text(report, "explanation"), "has lost its address"));
    follow(report);
    check_delivered(daemon, {"co1", "203.0.113.8"});
}

TEST_CASE("why: a veth that was taken off its bridge", "[docker]") {
    const support::Daemon daemon(settings());
    const auto veth = host_end("co2");
    const Undo undo("ip link set " + veth + " master " + bridge_of("net"));
    on_host("ip link set " + veth + " nomaster");
    in_container("co1", "ip neigh flush all");
    for (const auto& words : {Words{"co1", "--address", "co2"}, Words{"co2", "203.0.113.8"}}) {
        const auto report = ask_why(daemon, words);
        INFO(report);
        CHECK(verdict(report) != "delivered");
        CHECK(contains(text(report, "explanation"), veth + " of host"));
        CHECK(contains(text(report, "explanation"), "is on no bridge"));
        CHECK(text(report, "suggestion") == "ip link set " + veth + " master " + bridge_of("net"));
    }
    on_host("ip link set " + veth + " master " + bridge_of("net"));
    check_delivered(daemon, {"co1", "--address", "co2"});
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
    CHECK(report.at("where").at("target") == "why-lost");
    CHECK(contains(text(report, "explanation"), "sends it to " + wrong));
    follow(report);
    check_delivered(daemon, {"why-lost", "203.0.113.8"});
}

TEST_CASE("why: a route of the host's that overlaps the network's subnet", "[docker]") {
    const support::Daemon daemon(settings());
    const auto address = address_of("co1", "net");
    const Undo undo("ip route del " + address + "/32 via 198.51.100.1");
    on_host("ip route add " + address + "/32 via 198.51.100.1");
    for (const auto& words : {Words{"host", "--address", "co1"}, Words{"co1", "203.0.113.8"}}) {
        const auto report = ask_why(daemon, words);
        INFO(report);
        CHECK(verdict(report) != "delivered");
        CHECK(contains(text(report, "explanation"), "is in the way"));
        CHECK(contains(text(report, "suggestion"), "ip route del " + address));
    }
    follow(ask_why(daemon, {"host", "--address", "co1"}));
    check_delivered(daemon, {"host", "--address", "co1"});
    check_delivered(daemon, {"co1", "203.0.113.8"});
}

TEST_CASE("why: an address that two containers have", "[docker]") {
    const support::Daemon daemon(settings());
    const Container thief("why-thief", {"--network", "net"});
    const auto address = address_of("co2", "net");
    in_container("why-thief", "ip addr add " + address + "/16 dev eth0");
    const auto mac = text(ip_json("why-thief", {"link", "show", "eth0"}).front().as_object(), "address");
    in_container("co1", "ip neigh replace " + address + " lladdr " + mac + " nud reachable dev eth0");
    const auto report = ask_why(daemon, {"co1", "--address", "co2"});
    in_container("co1", "ip neigh flush all");
    INFO(report);
    CHECK(verdict(report) == "lost");
    CHECK(contains(text(report, "explanation"), address + " is there more than once"));
    CHECK(contains(text(report, "explanation"), "why-thief"));
    follow(report);
    check_delivered(daemon, {"co1", "--address", "co2"});
}

TEST_CASE("why: large packets are lost and small ones pass", "[docker]") {
    const support::Daemon daemon(settings());
    const Undo undo("ip link set eth0 mtu 1500; iptables -w -D OUTPUT -p icmp --icmp-type 3/4 -j DROP");
    on_host("ip link set eth0 mtu 1300 && iptables -w -I OUTPUT -p icmp --icmp-type 3/4 -j DROP");
    check_delivered(daemon, {"co1", "203.0.113.8", "--size", "1300"});
    const auto report = ask_why(daemon, {"co1", "203.0.113.8", "--size", "1500"});
    INFO(report);
    CHECK(verdict(report) == "lost");
    CHECK(contains(text(report, "explanation"), "eth0 of host has an MTU of 1300"));
    CHECK(contains(report.at("where").at("point").as_string().c_str(), "eth0"));
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
    const Undo undo("conntrack -D -p udp --orig-dst 198.51.100.2");
    on_host(
        "conntrack -I -p udp -t 600 -s 198.51.100.1 -d 198.51.100.2 --sport 40000 --dport 15353 "
        "--dst-nat 172.17.0.99:53");
    const auto report = ask_why(daemon, question);
    INFO(report);
    CHECK(verdict(report) == "delivered");
    CHECK(contains(text(report, "explanation"), "no target has 172.17.0.99"));
    follow(report);
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

TEST_CASE("why: a rule of iptables-legacy, which no trace shows, is told from the table", "[docker]") {
    const support::Daemon daemon(settings());
    const std::string rest = " FORWARD -p tcp -d 203.0.113.8 --dport 80 -j DROP";
    const Undo undo("iptables-legacy -D" + rest + "; iptables-legacy -P FORWARD ACCEPT");
    on_host("iptables-legacy -A" + rest);
    auto report = ask_why(daemon, {"co1", "203.0.113.8:80"});
    INFO(report);
    CHECK(verdict(report) == "dropped");
    CHECK(text(rule(report), "family") == "ip (legacy)");
    CHECK(text(rule(report), "chain") == "FORWARD");
    CHECK(contains(json::write(report.at("notes")), "cannot be traced"));
    on_host("iptables-legacy -D" + rest);
    check_delivered(daemon, {"co1", "203.0.113.8:80"});
}

TEST_CASE("why: Podman's network, and its published port", "[docker]") {
    const support::Daemon daemon(settings());
    check_delivered(daemon, {"pod1", "--address", "pod2"});
    const auto report = ask_why(daemon, {"podman:pod1", "203.0.113.8"});
    INFO(report);
    CHECK(verdict(report) == "delivered");
}

TEST_CASE("why: without a probe it says what the tables say, and sends nothing", "[docker]") {
    const support::Daemon daemon(settings());
    auto report = ask_why(daemon, {"co1", "--address", "co2", "--no-probe"});
    INFO(report);
    CHECK(verdict(report) == "unknown");
    CHECK_FALSE(report.at("probed").as_bool());
    CHECK(report.at("hops").as_array().size() == 5);
    // By the rules, too.
    const auto apart = ask_why(daemon, {"co1", address_of("co3", "bridge"), "--no-probe"});
    INFO(apart);
    CHECK(verdict(apart) == "dropped");
    CHECK(contains(text(rule(apart), "chain"), "DOCKER-ISOLATION-STAGE-2"));
    CHECK(text(apart, "suggestion").starts_with("docker network connect "));
    const auto published = ask_why(daemon, {"host", "198.51.100.2:8080", "--no-probe"});
    INFO(published);
    CHECK(text(published, "translated") ==
          "198.51.100.2:8080 -> " + address_of("py-server1", "bridge") + ":8080");
    CHECK_FALSE(report.at("hops").as_array().front().as_object().contains("seen"));
    CHECK(contains(text(report, "explanation"), "only a probe tells"));
}

TEST_CASE("why: a rule behind a DNAT is told with the address that the packet has there", "[docker]") {
    const support::Daemon daemon(settings());
    const Words question{outside_target(), "198.51.100.2:8088"};
    const auto report = ask_why(daemon, question);
    INFO(report);
    // Podman's network behind the policy that Docker gives FORWARD.
    CHECK(verdict(report) == "dropped");
    CHECK(text(rule(report), "text") == "policy drop");
    CHECK(contains(text(report, "suggestion"), "ip daddr 10.89.0.2 tcp dport 80 accept"));
    CHECK(text(report, "translated") == "198.51.100.2:8088 -> 10.89.0.2:80");
    CHECK_FALSE(contains(json::write(report.at("notes")), "docker-proxy"));
    const auto& hops = report.at("hops").as_array();
    CHECK(hops.back().at("target") == "web");
    on_host("iptables-save > /tmp/why-rules." + instance());
    const Undo undo("iptables-restore < /tmp/why-rules." + instance() + " && rm /tmp/why-rules." +
                    instance());
    follow(report);
    check_delivered(daemon, question);
}

TEST_CASE("why: a drop before the DNAT is told with the address that was meant, and no process has it",
          "[docker]") {
    const support::Daemon daemon(settings());
    const Words question{outside_target(), "198.51.100.2:8080"};
    const Undo undo("iptables -w -t raw -F PREROUTING");
    on_host("iptables -w -t raw -I PREROUTING -p tcp --dport 8080 -j DROP");
    const auto report = ask_why(daemon, question);
    INFO(report);
    CHECK(verdict(report) == "dropped");
    CHECK(text(rule(report), "table") == "raw");
    CHECK(contains(text(report, "suggestion"), "ip daddr 198.51.100.2 tcp dport 8080 accept"));
    CHECK_FALSE(contains(json::write(report.at("notes")), "docker-proxy"));
    follow(report);
    check_delivered(daemon, question);
}

TEST_CASE("why: a redirection of bridged traffic leads to the host", "[docker]") {
    const support::Daemon daemon(settings());
    const auto rest =
        " PREROUTING -s " + address_of("co1", "net") + " -p tcp --dport 80 -j REDIRECT --to-ports 3128";
    const Undo undo("iptables -w -t nat -D" + rest);
    on_host("iptables -w -t nat -I" + rest);
    const auto report = ask_why(daemon, {"co1", "co2:80"});
    INFO(report);
    CHECK(verdict(report) == "refused");
    CHECK(report.at("where").at("target") == "host");
    CHECK(contains(text(report, "explanation"), "nothing in host listens on TCP port 3128"));
    CHECK(contains(text(report, "translated"), ":3128"));
}

TEST_CASE("why: a drop in TO's own namespace is found by whatever name TO has", "[docker]") {
    const support::Daemon daemon(settings());
    const Container alias("why-alias", {"--network", "net", "--network-alias", "service"});
    in_container("why-alias", "iptables -w -A INPUT -p tcp --dport 80 -j DROP");
    for (const auto* word : {"service", "SERVICE", "service.", "why-alias"}) {
        const auto report = ask_why(daemon, {"co1", std::string(word) + ":80"});
        INFO(report);
        CHECK(verdict(report) == "dropped");
        CHECK(report.at("where").at("target") == "why-alias");
        CHECK(report.at("hops").as_array().back().as_object().contains("seen"));
    }
    // Only its address is known, and that when it is too late to look into it.
    const auto rest = " OUTPUT -d 192.0.2.99 -j DNAT --to-destination " + address_of("why-alias", "net");
    const Undo undo("nsenter --net=/proc/" + std::to_string(pid_of("co1")) + "/ns/net iptables -w -t nat -D" +
                    rest);
    in_container("co1", "iptables -w -t nat -I" + rest);
    const auto report = ask_why(daemon, {"co1", "192.0.2.99:81"});
    INFO(report);
    CHECK(verdict(report) == "refused");
    CHECK(contains(text(report, "explanation"), "nothing in why-alias listens on TCP port 81"));
}

TEST_CASE("why: what docker-proxy has taken is not delivered before its own connection is", "[docker]") {
    const support::Daemon daemon(settings());
    const Container server("why-proxied", {"--network", "net", "-p", "18090:80"});
    docker({"exec", "-d", "why-proxied", "httpd", "-f", "-p", "80"});
    REQUIRE(support::eventually([] { return contains(in_container("why-proxied", "ss -ltn"), ":80"); }, 5s));
    const Words question{"host", "127.0.0.1:18090"};
    check_delivered(daemon, question);
    in_container("why-proxied", "iptables -w -A INPUT -p tcp --dport 80 -j DROP");
    auto report = ask_why(daemon, question);
    INFO(report);
    CHECK(verdict(report) == "lost");
    CHECK(contains(text(report, "explanation"), "gets no answer"));
    CHECK(text(report, "suggestion").starts_with("netlab why host "));
    in_container("why-proxied", "iptables -w -F INPUT");
    const std::string rest = " OUTPUT -d " + address_of("why-proxied", "net") + " -p tcp -j REJECT";
    {
        const Undo undo("iptables -w -D" + rest);
        on_host("iptables -w -I" + rest);
        report = ask_why(daemon, question);
        INFO(report);
        CHECK(verdict(report) != "delivered");
        CHECK(contains(text(report, "explanation"), "has not come about"));
    }
    docker({"pause", "why-proxied"});
    REQUIRE(support::eventually(
        [&] {
            report = ask_why(daemon, question);
            return contains(text(report, "explanation"), "is paused");
        },
        5s));
    INFO(report);
    CHECK(verdict(report) == "lost");
    CHECK(report.at("where").at("target") == "why-proxied");
    report = ask_why(daemon, {"host", "127.0.0.1:18090", "--no-probe"});
    INFO(report);
    CHECK(verdict(report) == "lost");
    CHECK(contains(text(report, "explanation"), "is paused"));
    follow(report);
    CHECK(support::eventually([&] { return verdict(ask_why(daemon, question)) == "delivered"; }, 5s));
    const Container silent("why-proxied-udp", {"-p", "18091:53/udp"});
    report = ask_why(daemon, {"host", "127.0.0.1:18091/udp"});
    INFO(report);
    CHECK(verdict(report) == "refused");
    CHECK(report.at("where").at("target") == "why-proxied-udp");
}

TEST_CASE("why: docker-proxy leads where its arguments say, by IPv6 too", "[docker]") {
    const support::Daemon daemon(settings());
    const Container server("why-six", {"--network", "net6", "-p", "18092:80"});
    docker({"exec", "-d", "why-six", "httpd", "-f", "-p", "0.0.0.0:80"});
    REQUIRE(support::eventually([] { return contains(in_container("why-six", "ss -ltn"), ":80"); }, 5s));
    const auto report = ask_why(daemon, {"host", "[::1]:18092"});
    INFO(report);
    CHECK(verdict(report) == "refused");
    CHECK(contains(text(report, "explanation"), "takes IPv4 alone"));
    CHECK_FALSE(contains(text(report, "suggestion"), "-4"));
}

TEST_CASE("why: routes of FROM's own that refuse, lead astray or are gone", "[docker]") {
    const support::Daemon daemon(settings());
    const Container lost("why-routes", {"--network", "net"});
    const Words question{"why-routes", "203.0.113.8"};
    for (const std::string kind : {"unreachable", "blackhole", "prohibit"}) {
        in_container("why-routes", "ip route add " + kind + " 203.0.113.0/24");
        const auto report = ask_why(daemon, question);
        INFO(report);
        CHECK(verdict(report) == "unreachable");
        CHECK(contains(text(report, "explanation"), kind + " 203.0.113.0/24"));
        follow(report);
        check_delivered(daemon, question);
    }
    const auto gateway =
        text(ip_json("why-routes", {"route", "show", "default"}).front().as_object(), "gateway");
    const auto wrong = gateway.substr(0, gateway.rfind('.')) + ".250";
    in_container("why-routes", "ip route add 203.0.113.0/24 via " + wrong);
    auto report = ask_why(daemon, question);
    INFO(report);
    CHECK(contains(text(report, "suggestion"), "ip route del 203.0.113.0/24 via " + wrong));
    follow(report);
    check_delivered(daemon, question);
    in_container("why-routes", "ip route del default");
    report = ask_why(daemon, question);
    INFO(report);
    CHECK(verdict(report) == "unreachable");
    CHECK(contains(text(report, "suggestion"), "ip route add default via " + gateway));
    follow(report);
    check_delivered(daemon, question);
}

TEST_CASE("why: a resolver that says nothing of a container's name is not waited for to the end",
          "[docker]") {
    const support::Daemon daemon(settings());
    const Container mute("why-mute", {"--network", "net"});
    in_container("why-mute", "iptables -w -A INPUT -i lo -s 127.0.0.11 -j DROP");
    const auto begin = std::chrono::steady_clock::now();
    const auto report = ask_why(daemon, {"why-mute", "co2"});
    INFO(report);
    CHECK(std::chrono::steady_clock::now() - begin < 6s);
    CHECK(verdict(report) == "unresolved");
    CHECK(contains(text(report, "explanation"), "127.0.0.11 gives no answer for 'co2'"));
    CHECK(contains(boost::json::serialize(report.at("notes")), "given 3 s"));
}

TEST_CASE(
    "why: a dead server before the one that answers is told, and dead ones alone are not waited for long",
    "[docker]") {
    const support::Daemon daemon(settings());
    const auto resolv_conf = [](const std::string& container, const std::string& lines) {
        docker({"exec", container, "sh", "-c", "printf '" + lines + "' >/etc/resolv.conf"});
    };
    const Container slow("why-slow", {"--network", "net"});
    resolv_conf("why-slow", "nameserver 198.51.100.77\\nnameserver 203.0.113.8\\noptions timeout:1\\n");
    auto report = ask_why(daemon, {"why-slow", "www.example.com"});
    INFO(report);
    CHECK(verdict(report) == "delivered");
    CHECK(contains(
        boost::json::serialize(report.at("notes")),
        "198.51.100.77 gave no answer in the time that resolv.conf allows, and 203.0.113.8 is asked"));
    const auto took = report.at("resolution").at("elapsed_ms").to_number<double>();
    CHECK(took > 500);
    CHECK(report.at("elapsed_ms").to_number<double>() >= took);
    // It ends by itself.
    resolv_conf("why-slow", "nameserver 198.51.100.77\\noptions timeout:1 attempts:1\\n");
    report = ask_why(daemon, {"why-slow", "www.example.com"});
    CHECK(verdict(report) == "unresolved");
    CHECK(report.at("resolution").at("elapsed_ms").to_number<double>() < 5000);
    CHECK_FALSE(contains(boost::json::serialize(report.at("notes")), "was given"));
    // Who waits for a name from outside waits here too, and not as long.
    resolv_conf("why-slow",
                "nameserver 198.51.100.77\\nnameserver 198.51.100.78\\nnameserver 198.51.100.79\\n");
    const auto begin = std::chrono::steady_clock::now();
    report = ask_why(daemon, {"why-slow", "www.example.com"});
    CHECK(std::chrono::steady_clock::now() - begin < 14s);
    CHECK(verdict(report) == "unresolved");
    CHECK(contains(boost::json::serialize(report.at("notes")), "given 10 s"));
    CHECK(text(report, "suggestion") == "netlab resolv why-slow");
}

TEST_CASE("why: a wrong neighbour entry on either side is named, and what is said helps", "[docker]") {
    const support::Daemon daemon(settings());
    check_delivered(daemon, {"co1", "co2"});
    const auto address = address_of("co2", "net");
    for (const auto& [container, of] : {std::pair("co1", "co2"), std::pair("co2", "co1")}) {
        const auto whose = address_of(of, "net");
        in_container(container,
                     "ip neigh replace " + whose + " lladdr 02:00:00:00:00:99 nud permanent dev eth0");
        const auto report = ask_why(daemon, {"co1", "co2"});
        INFO(report);
        CHECK(verdict(report) == "lost");
        CHECK(contains(text(report, "explanation"), std::string(container) + " sends what is for " + whose +
                                                        " to the MAC address 02:00:00:00:00:99 by eth0"));
        follow(report);
        check_delivered(daemon, {"co1", "co2"});
    }
}

TEST_CASE("why: IPv6's failures are not IPv4's gateway's", "[docker]") {
    const support::Daemon daemon(settings());
    auto report = ask_why(daemon, {"six1", "2001:db8:ffff::1"});
    INFO(report);
    CHECK(verdict(report) != "delivered");
    CHECK_FALSE(contains(text(report, "suggestion"), "ip route replace"));
    report = ask_why(daemon, {"co1", "2001:db8:51::1"});
    INFO(report);
    CHECK(contains(text(report, "explanation"), "no IPv6 address"));
    CHECK(text(report, "suggestion").empty());
}

TEST_CASE("why: 0.0.0.0 is the namespace itself, and nothing has translated it", "[docker]") {
    const support::Daemon daemon(settings());
    const auto report = ask_why(daemon, {"co1", "0.0.0.0"});
    INFO(report);
    CHECK(verdict(report) == "delivered");
    CHECK(text(report, "translated").empty());
    CHECK_FALSE(contains(text(report, "suggestion"), "conntrack"));
}

TEST_CASE("why: an answer that the host's ingress hook drops has come back to the host", "[docker]") {
    const support::Daemon daemon(settings());
    const Undo undo("nft delete table netdev own");
    on_host(
        "nft 'add table netdev own; add chain netdev own in { type filter hook ingress device eth0 priority "
        "0; "
        "}; add rule netdev own in ip saddr 203.0.113.8 drop'");
    const auto report = ask_why(daemon, {"co1", "203.0.113.8"});
    INFO(report);
    CHECK(verdict(report) == "lost");
    CHECK_FALSE(contains(text(report, "explanation"), "nothing has come back"));
    CHECK(contains(text(report, "explanation"), "no further than eth0 of host"));
    CHECK(contains(text(report, "explanation"), "netdev own in"));
}

TEST_CASE("why: a queue that no program reads", "[docker]") {
    const support::Daemon daemon(settings());
    const Undo undo("iptables -w -D FORWARD -d 203.0.113.8 -j NFQUEUE --queue-num 7");
    on_host("iptables -w -I FORWARD -d 203.0.113.8 -j NFQUEUE --queue-num 7");
    const auto report = ask_why(daemon, {"co1", "203.0.113.8"});
    INFO(report);
    CHECK(verdict(report) == "dropped");
    CHECK(text(rule(report), "chain") == "FORWARD");
    CHECK(contains(text(report, "explanation"), "NFQUEUE"));
}

TEST_CASE("why: a private address that leaves without MASQUERADE", "[docker]") {
    const support::Daemon daemon(settings());
    on_host("iptables-save -t nat > /tmp/why-nat." + instance());
    const Undo undo("iptables-restore < /tmp/why-nat." + instance() + " && rm /tmp/why-nat." + instance());
    on_host("iptables -w -t nat -F POSTROUTING");
    const auto report = ask_why(daemon, {"co1", "203.0.113.8"});
    INFO(report);
    CHECK(verdict(report) == "lost");
    CHECK(contains(text(report, "explanation"), "own private address " + address_of("co1", "net")));
    CHECK(contains(text(report, "suggestion"), "-j MASQUERADE"));
    follow(report);
    check_delivered(daemon, {"co1", "203.0.113.8"});
}

TEST_CASE("why: iptables-legacy drops what a bridge passes on, and is named", "[docker]") {
    const support::Daemon daemon(settings());
    const auto rest = " FORWARD -p tcp -d " + address_of("co2", "net") + " --dport 80 -j DROP";
    const Undo undo("iptables-legacy -D" + rest + "; iptables-legacy -P FORWARD ACCEPT");
    on_host("iptables-legacy -A" + rest);
    const auto report = ask_why(daemon, {"co1", "co2:80"});
    INFO(report);
    CHECK(verdict(report) == "dropped");
    CHECK(text(rule(report), "family") == "ip (legacy)");
}

TEST_CASE("why: a comment of iptables is in the rule's text", "[docker]") {
    const support::Daemon daemon(settings());
    const std::string rest = " DOCKER-USER -d 203.0.113.8 -m comment --comment 'until \"May\"' -j DROP";
    const Undo undo("iptables -w -D" + rest);
    on_host("iptables -w -I" + rest);
    const auto report = ask_why(daemon, {"co1", "203.0.113.8"});
    INFO(report);
    CHECK(contains(text(rule(report), "text"), R"(comment "until \"May\"")"));
}

TEST_CASE("why: no table is left, whatever ends it", "[docker]") {
    const support::Daemon daemon(settings());
    const auto tables = [] { return on_host("nft list tables") + in_container("co1", "nft list tables"); };
    const auto before = tables();
    for (int i = 0; i < 20; ++i) {
        auto process = daemon.start_netlab({"why", "co1", "--address", "co3", "-W", "5"});
        const bool worker = i % 2 == 0;
        std::vector<pid_t> found;
        (void)support::eventually(
            [&] {
                found = daemon.workers("nl:why");
                return !found.empty();
            },
            5s);
        if (worker) {
            for (const auto pid : found)
                ::kill(pid, SIGKILL);
        } else {
            ::kill(process.pid(), SIGKILL);
        }
    }
    CHECK(support::eventually([&] { return tables() == before; }, 5s));
    CHECK(support::eventually([&] { return daemon.workers("nl:why").empty(); }, 5s));
}
