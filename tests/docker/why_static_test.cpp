#include "tests/docker/why_lab.hpp"

/// The same real fault with a probe and without one: both name the same rule, and what they suggest mends it
/// for curl(1), too.
using namespace netlab;
using namespace netlab::lab;
using namespace std::chrono_literals;

namespace {

/// A rule in the way, and what asks.
struct Fault {
    std::string name;
    std::function<void()> make;
    Words question;
    std::function<int()> referee;  ///< 0: it works
    std::string undo;              ///< on the host, whatever becomes of it
    /// The verdict with a probe and without one.
    std::string verdict = "dropped";
    std::function<void()> forget = [] {};  ///< what the kernels have learnt
};

Words without_probe(Words question) {
    question.emplace_back("--no-probe");
    return question;
}

void check_fault(const support::Daemon& daemon, const Fault& fault) {
    INFO(fault.name);
    const Undo undo(fault.undo);
    CHECK(fault.referee() == 0);
    fault.make();
    fault.forget();
    const auto unsent = ask_why(daemon, without_probe(fault.question));
    CHECK(fault.referee() != 0);
    const auto probed = ask_why(daemon, fault.question);
    INFO(unsent);
    INFO(probed);
    CHECK(verdict(unsent) == fault.verdict);
    CHECK(verdict(probed) == fault.verdict);
    for (const auto* key : {"target", "family", "table", "chain", "text"}) {
        INFO(key);
        CHECK(text(rule(unsent), key) == text(rule(probed), key));
    }
    CHECK(text(unsent, "suggestion") == text(probed, "suggestion"));
    follow(unsent);
    CHECK(support::eventually([&] { return fault.referee() == 0; }, 5s));
    check_delivered(daemon, fault.question);
    const auto after = ask_why(daemon, without_probe(fault.question));
    INFO(after);
    CHECK(verdict(after) == "unknown");
    CHECK(contains(text(after, "explanation"), "the way is there by the kernels' tables"));
}

std::string nft(const std::string& table, const std::string& chain) {
    return "nft 'table " + table + " { chain c { type filter hook " + chain + "; }; }'";
}

}  // namespace

TEST_CASE("why static: rules inside FROM and TO, and those that see frames, are read without a probe",
          "[docker][why_static]") {
    const support::Daemon daemon(settings());
    const Container client("why-client", {"--network", "net"});
    const Container server("why-static", {"--network", "net"});
    const auto http = start_in("why-static", {"busybox", "httpd", "-f", "-p", "80"});
    REQUIRE(support::eventually([] { return contains(in_container("why-static", "ss -ltn"), ":80"); }, 5s));
    const auto own = address_of("why-static", "net");
    const auto from = address_of("why-client", "net");
    const Words question{"why-client", own + ":80"};
    const Words outward{"why-client", "203.0.113.8:80"};
    const auto curl = [](const std::string& to) {
        return
            [=] { return status_in_container("why-client", "curl -s -o /dev/null -m 1 http://" + to + "/"); };
    };
    const auto inside = [](const std::string& container, const std::string& command) {
        return [=] { (void)in_container(container, command); };
    };
    const auto host = [](const std::string& command) { return [=] { (void)on_host(command); }; };
    const std::string none = "true";
    const auto port = host_end("why-client");
    const auto bridge = bridge_of("net");
    const std::vector<Fault> faults{
        {"FROM's OUTPUT", inside("why-client", "iptables -A OUTPUT -p tcp -d " + own + " --dport 80 -j DROP"),
         question, curl(own), none},
        {"TO's INPUT", inside("why-static", "iptables -A INPUT -p tcp --dport 80 -j DROP"), question,
         curl(own), none},
        {"TO's answer", inside("why-static", "iptables -A OUTPUT -p tcp --sport 80 -j DROP"), question,
         curl(own), none},
        {"FROM's INPUT", inside("why-client", "iptables -A INPUT -p tcp -s " + own + " --sport 80 -j DROP"),
         question, curl(own), none},
        {"TO's ingress",
         inside("why-static",
                nft("netdev t", "ingress device eth0 priority 0; ip saddr " + from + " tcp dport 80 drop")),
         question, curl(own), none},
        {"a bridge's answer",
         host(nft("bridge t", "prerouting priority 0; ip saddr " + own + " tcp sport 80 drop")), question,
         curl(own), "nft delete table bridge t"},
        {"a bridge's input, outward", host(nft("bridge t", "input priority 0; ip saddr " + from + " drop")),
         outward, curl("203.0.113.8"), "nft delete table bridge t"},
        {"the veth's ingress",
         host(nft("netdev t", "ingress device " + port + " priority 0; ip daddr " + own + " drop")), question,
         curl(own), "nft delete table netdev t"},
        {"the bridge's ingress, outward",
         host(nft("inet t", "ingress device " + bridge + " priority 0; ip daddr 203.0.113.8 drop")), outward,
         curl("203.0.113.8"), "nft delete table inet t"},
    };
    for (const auto& fault : faults)
        check_fault(daemon, fault);
    // One chain's policy for both directions takes one suggestion.
    check_fault(daemon, {"a bridge's policy",
                         host(nft("bridge t", "forward priority 0; policy drop; ether type arp accept")),
                         question, curl(own), "nft delete table bridge t"});
}

TEST_CASE("why static: who keeps a neighbour from being found is named without a probe",
          "[docker][why_static]") {
    const support::Daemon daemon(settings());
    const Container client("why-client", {"--network", "net"});
    const Container server("why-static", {"--network", "net"});
    const auto own = address_of("why-static", "net");
    const auto from = address_of("why-client", "net");
    const Words question{"why-client", own};
    const auto ping = [&] { return status_in_container("why-client", "ping -c 1 -W 1 " + own); };
    const auto forget = [] {
        in_container("why-client", "ip neigh flush all");
        in_container("why-static", "ip neigh flush all");
    };
    const auto inside = [](const std::string& container, const std::string& command) {
        return [=] { (void)in_container(container, command); };
    };
    // As arptables(8) writes it, and by the operation alone.
    check_fault(daemon, {"the question",
                         inside("why-static", "arptables -A INPUT --opcode Request -s " + from + " -j DROP"),
                         question, ping, "true", "unreachable", forget});
    check_fault(daemon, {"the answer",
                         inside("why-static", nft("arp t", "output priority 0; arp operation reply drop")),
                         question, ping, "true", "unreachable", forget});
}

TEST_CASE("why static: a private source that no rule translates is told without a probe",
          "[docker][why_static]") {
    const support::Daemon daemon(settings());
    const Words page{"co1", "203.0.113.8:80"};
    const Undo undo("iptables-restore < /tmp/why-static." + instance() + "; rm /tmp/why-static." +
                    instance());
    on_host("iptables-save > /tmp/why-static." + instance());
    const auto web = [] {
        return status_in_container("co1", "curl -s -o /dev/null -m 2 http://203.0.113.8/");
    };
    CHECK(web() == 0);
    on_host("iptables -w -t nat -F POSTROUTING");
    CHECK(web() != 0);
    const auto unsent = ask_why(daemon, without_probe(page));
    INFO(unsent);
    CHECK(verdict(unsent) != "delivered");
    CHECK(contains(text(unsent, "explanation"), "no MASQUERADE or SNAT rule is there for net"));
    CHECK(text(unsent, "suggestion") == text(ask_why(daemon, page), "suggestion"));
    follow(unsent);
    CHECK(web() == 0);
    check_delivered(daemon, page);
}

TEST_CASE("why static: behind a rule that drops it a translation to nobody is told", "[docker][why_static]") {
    const support::Daemon daemon(settings());
    const Undo undo(
        "iptables -w -t nat -D PREROUTING -p tcp --dport 18111 -j DNAT --to 172.17.0.77:80; "
        "iptables -w -D FORWARD -d 172.17.0.77 -j DROP");
    on_host(
        "iptables -w -t nat -I PREROUTING -p tcp --dport 18111 -j DNAT --to 172.17.0.77:80; "
        "iptables -w -I FORWARD -d 172.17.0.77 -j DROP");
    for (const auto* option : {"--wait=1", "--no-probe"}) {
        const auto report = ask_why(daemon, {outside_target(), "198.51.100.2:18111", option});
        INFO(report);
        CHECK(verdict(report) == "dropped");
        CHECK(contains(text(report, "explanation"), "behind it the packet finds nobody"));
        CHECK(contains(text(report, "explanation"), "172.17.0.77:80"));
    }
}

TEST_CASE("why static: TO's rules see its answer leave by the interface that its routes say",
          "[docker][why_static]") {
    const support::Daemon daemon(settings());
    const Container server("why-static", {"-p", "18112:80"});
    docker({"network", "connect", "net", "why-static"});
    const auto http = start_in("why-static", {"busybox", "httpd", "-f", "-p", "80"});
    REQUIRE(support::eventually([] { return contains(in_container("why-static", "ss -ltn"), ":80"); }, 5s));
    in_container("why-static",
                 "ip route replace default via $(ip -4 -o addr show dev eth1 | awk '{print $4}' | sed "
                 "'s/\\.[0-9]*\\/.*/.1/') dev eth1");
    const Words question{outside_target(), "198.51.100.2:18112", "--no-probe"};
    const auto curl = [] { return status_outside("curl -s -o /dev/null -m 2 http://198.51.100.2:18112/"); };
    in_container("why-static", "iptables -A OUTPUT -o eth0 -p tcp --sport 80 -j DROP");
    CHECK(curl() == 0);
    auto report = ask_why(daemon, question);
    INFO(report);
    CHECK(verdict(report) == "unknown");
    CHECK(contains(text(report, "explanation"), "why-static sends its answer by eth1"));
    in_container("why-static", "iptables -A OUTPUT -o eth1 -p tcp --sport 80 -j DROP");
    CHECK(curl() != 0);
    report = ask_why(daemon, question);
    CHECK(verdict(report) == "dropped");
    CHECK(contains(text(rule(report), "text"), "eth1"));
    follow(report);
    CHECK(curl() == 0);
}
