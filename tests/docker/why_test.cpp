#include "common/json.hpp"
#include "tests/docker/why_lab.hpp"

#include <algorithm>
#include <csignal>
#include <memory>
#include <regex>
#include <sstream>
#include <thread>
#include <utility>

#include <boost/json/serialize.hpp>

using namespace netlab;
using namespace netlab::lab;
using namespace std::chrono_literals;

namespace {

/// "ip filter FORWARD 57 jump DOCKER-USER: jump DOCKER-USER", "ip raw PREROUTING policy accept". Of what a
/// match of x_tables' says nft(8) prints a part alone: its comments are left out.
std::string step_text(const std::string& place, const std::string& handle, const std::string& verdict,
                      std::string text) {
    if (handle.empty()) return place + " policy " + verdict;
    static const std::regex aside(R"re(counter packets \d+ bytes \d+ ?| ?comment "[^"]*")re");
    text = std::regex_replace(text, aside, "");
    const auto begin = text.find_first_not_of(' ');
    const auto end = text.find_last_not_of(' ');
    return place + " " + handle + " " + verdict + ": " +
           (begin == text.npos ? "" : text.substr(begin, end - begin + 1));
}

/// The host's, as `netlab why` tells them.
std::vector<std::string> steps_of_host(const boost::json::object& report) {
    std::vector<std::string> out;
    for (const auto& value : report.at("trace").as_array()) {
        const auto& step = value.as_object();
        if (step.at("target") != "host") continue;
        const auto* handle = step.if_contains("handle");
        out.push_back(step_text(text(step, "family") + " " + text(step, "table") + " " + text(step, "chain"),
                                handle == nullptr ? "" : std::to_string(handle->to_number<int>()),
                                text(step, "verdict"), text(step, "text")));
    }
    return out;
}

/// The same of `nft --handle monitor trace`: rules and policies, but those of netlab's own tables.
std::vector<std::string> steps_by_nft(const std::string& shown) {
    static const std::regex of_rule(
        R"(trace id \w+ (\w+ (\S+) \S+) rule (.*)# handle (\d+) \(verdict (.*)\))");
    static const std::regex of_policy(R"(trace id \w+ (\w+ (\S+) \S+) policy (\w+) ?)");
    std::vector<std::string> out;
    std::istringstream lines(shown);
    std::smatch found;
    for (std::string line; std::getline(lines, line);) {
        const bool rule = std::regex_match(line, found, of_rule);
        if (!rule && !std::regex_match(line, found, of_policy)) continue;
        if (found[2].str().starts_with("netlab-trace")) continue;
        out.push_back(rule ? step_text(found[1], found[4], found[5], found[3])
                           : step_text(found[1], "", found[3], ""));
    }
    return out;
}

/// Until it has nothing more to say.
void settle(const support::Process& monitor) {
    std::string seen;
    REQUIRE(support::eventually(
        [&] {
            std::this_thread::sleep_for(200ms);
            return std::exchange(seen, monitor.out_so_far()) == seen;
        },
        10s));
}

}  // namespace

TEST_CASE("why: the trace is what nft monitor trace shows of the same packets", "[docker]") {
    const support::Daemon daemon(settings());
    // One that is dropped; one that is translated, and its answer.
    const std::pair<Words, std::string> questions[] = {
        {{"co1", address_of("co3", "bridge")}, "DOCKER-ISOLATION-STAGE-2"},
        {{outside_target(), "198.51.100.2:8080"}, "dnat to"}};
    for (const auto& [question, sign] : questions) {
        support::Process monitor({"nsenter", "--net=/run/netns/" + host_namespace(), "stdbuf", "-oL", "nft",
                                  "--handle", "monitor", "trace"});
        REQUIRE(support::eventually(
            [&, &of = sign] {
                (void)ask_why(daemon, question);
                return contains(monitor.out_so_far(), of);
            },
            10s));
        settle(monitor);
        const auto before = monitor.out_so_far().size();
        const auto report = ask_why(daemon, question);
        settle(monitor);
        const auto shown = monitor.out_so_far().substr(before);
        INFO(report << "\n" << shown);
        const auto mine = steps_of_host(report);
        auto theirs = steps_by_nft(shown);
        REQUIRE(mine.size() >= 5);
        if (verdict(report) == "delivered") {
            // What netlab's own end of the connection sends comes after.
            REQUIRE(theirs.size() >= mine.size());
            theirs.resize(mine.size());
            const auto& trace = report.at("trace").as_array();
            CHECK(std::ranges::any_of(trace, [](const auto& step) { return step.at("answer").as_bool(); }));
        }
        CHECK(mine == theirs);
    }
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
        CHECK(verdict(report) == "rejected");
        CHECK(text(rule(report), "chain") == "OUTPUT");
        CHECK(contains(text(report, "explanation"), "it is docker-proxy's own connection to "));
        follow(report);
        check_delivered(daemon, question);
        on_host(
            "nft delete rule ip filter OUTPUT handle $(nft -a list chain ip filter OUTPUT | sed -n "
            "'s/.*tcp dport 80 .*accept # handle //p')");
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

TEST_CASE("why: what an interface's ingress hook drops of an answer no trace shows, and its rule is named",
          "[docker]") {
    const support::Daemon daemon(settings());
    const Undo undo("nft delete table netdev own");
    on_host(
        "nft 'add table netdev own; add chain netdev own in { type filter hook ingress device eth0 priority "
        "0; "
        "}; add rule netdev own in ip saddr 203.0.113.8 drop'");
    const auto report = ask_why(daemon, {"co1", "203.0.113.8"});
    INFO(report);
    CHECK(verdict(report) == "dropped");
    CHECK(text(rule(report), "table") == "own");
    CHECK(contains(text(report, "explanation"), "netdev own in"));
    CHECK(contains(text(report, "explanation"), "it is the answer"));
    follow(report);
    check_delivered(daemon, {"co1", "203.0.113.8"});
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

TEST_CASE("why: that nothing was traced is said, whatever became of the packet", "[docker]") {
    const support::Daemon daemon(settings());
    for (const auto& to : {address_of("co2", "net"), address_of("co3", "bridge")}) {
        const auto report = ask_why(daemon, {"co1", to, "--no-trace"});
        INFO(report);
        CHECK_FALSE(report.at("traced").as_bool());
        CHECK(report.at("trace").as_array().empty());
        CHECK(contains(json::write(report.at("notes")), "was not traced"));
    }
}
