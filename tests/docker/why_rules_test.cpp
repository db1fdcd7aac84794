#include "tests/docker/why_lab.hpp"

/// What `netlab why` suggests where a rule is in the way, tried with the packets of curl(1) and ping(8).
using namespace netlab;
using namespace netlab::lab;
using namespace std::chrono_literals;

namespace {

const std::string web_page = "curl -sf -m 2 -o /dev/null http://203.0.113.8/";
const std::string published = "curl -sf -m 2 -o /dev/null http://198.51.100.2:8080/";

/// A table of nft's on the host, removed at the end.
class Table {
  public:
    Table(const std::string& name, const std::string& content) : undo_("nft delete table " + name) {
        on_host("nft 'table " + name + " { " + content + "; }'");
    }

  private:
    Undo undo_;
};

/// The host's rules of iptables, put back at the end.
class SavedRules {
  public:
    SavedRules() : undo_("iptables-restore < " + file() + " && rm " + file()) {
        on_host("iptables-save > " + file());
    }

  private:
    static std::string file() { return "/tmp/why-rules." + instance(); }
    Undo undo_;
};

std::string suggestion(const boost::json::object& report) {
    return text(report, "suggestion");
}

/// The host's address on a network.
std::string gateway_of(const std::string& network) {
    const auto out = docker({"network", "inspect", "-f", "{{(index .IPAM.Config 0).Gateway}}", network}).out;
    return out.substr(0, out.find('\n'));
}

}  // namespace

TEST_CASE("why rules: before conntrack an answer is let in by whence it comes", "[docker][why_rules]") {
    const support::Daemon daemon(settings());
    {
        const Table early(
            "inet early",
            "chain pre { type filter hook prerouting priority -300; ip saddr 203.0.113.8 drop; }");
        CHECK(status_in_container("co1", web_page) != 0);
        const Words page{"co1", "203.0.113.8:80"};
        auto report = ask_why(daemon, page);
        INFO(report);
        CHECK(verdict(report) == "dropped");
        CHECK(text(rule(report), "table") == "early");
        CHECK(suggestion(report) ==
              "nft insert rule inet early pre iifname eth0 ip saddr 203.0.113.8 tcp sport 80 accept");
        follow(report);
        check_delivered(daemon, page);
        CHECK(status_in_container("co1", web_page) == 0);
        report = ask_why(daemon, {"co1", "203.0.113.8"});
        CHECK(verdict(report) == "dropped");
        follow(report);
        check_delivered(daemon, {"co1", "203.0.113.8"});
    }
    // The container's own address, not the one that it is published by.
    const Table early("inet early",
                      "chain pre { type filter hook prerouting priority raw; jump drops; }; "
                      "chain drops { iifname docker0 tcp sport 8080 drop; }");
    const Words question{outside_target(), "198.51.100.2:8080"};
    CHECK(status_outside(published) != 0);
    const auto report = ask_why(daemon, question);
    INFO(report);
    CHECK(contains(suggestion(report),
                   "inet early drops iifname docker0 ip saddr " + address_of("py-server1", "bridge")));
    follow(report);
    check_delivered(daemon, question);
    CHECK(status_outside(published) == 0);
}

TEST_CASE("why rules: what a bridge's chains drop is let through them", "[docker][why_rules]") {
    const support::Daemon daemon(settings());
    {
        const Table frames("bridge b",
                           "chain in { type filter hook input priority 0; ip daddr 203.0.113.8 drop; }");
        CHECK(status_in_container("co1", web_page) != 0);
        const auto report = ask_why(daemon, {"co1", "203.0.113.8:80"});
        INFO(report);
        CHECK(verdict(report) == "dropped");
        CHECK(contains(text(report, "explanation"), "or to be routed on by IP"));
        CHECK_FALSE(contains(text(report, "explanation"), "what is for host itself"));
        follow(report);
        check_delivered(daemon, {"co1", "203.0.113.8:80"});
        CHECK(status_in_container("co1", web_page) == 0);
    }
    const Table frames("bridge b", "chain passes { type filter hook forward priority 0; ip saddr " +
                                       address_of("co2", "net") + " icmp type echo-reply drop; }");
    const auto report = ask_why(daemon, {"co1", "co2"});
    INFO(report);
    CHECK(verdict(report) == "dropped");
    CHECK(contains(suggestion(report),
                   "ip saddr " + address_of("co2", "net") + " icmp type echo-reply accept"));
    follow(report);
    check_delivered(daemon, {"co1", "co2"});
    CHECK(status_in_container("co1", "ping -c 1 -W 2 " + address_of("co2", "net")) == 0);
}

TEST_CASE("why rules: whose an owned table is is said, and no command that fails", "[docker][why_rules]") {
    const support::Daemon daemon(settings());
    // As long as the program is there.
    const std::string script =
        "f=$(mktemp -u); mkfifo $f; exec 3<>$f; rm $f; "
        "echo 'add table inet owned { flags owner; }' >&3; "
        "echo 'add chain inet owned f { type filter hook forward priority 7; }' >&3; "
        "echo 'add rule inet owned f ip daddr 203.0.113.8 drop' >&3; exec nft -i <&3";
    const support::Process owner({"nsenter", "--net=/run/netns/" + host_namespace(), "sh", "-ec", script});
    REQUIRE(
        support::eventually([] { return contains(on_host("nft list ruleset"), "203.0.113.8 drop"); }, 5s));
    for (const Words& question : {Words{"co1", "203.0.113.8"}, Words{"co1", "203.0.113.8", "--no-probe"}}) {
        const auto report = ask_why(daemon, question);
        INFO(report);
        CHECK(verdict(report) == "dropped");
        const auto stopped = rule(report);
        CHECK(text(stopped, "table") == "owned");
        CHECK(stopped.at("owner_port").to_number<pid_t>() == owner.pid());
        CHECK(suggestion(report).starts_with("ps -p " + std::to_string(owner.pid()) + " "));
        CHECK(contains(text(report, "explanation"), "nobody else can change it"));
        follow(report);
    }
}

TEST_CASE("why rules: a policy of ufw's is told with a probe and without", "[docker][why_rules]") {
    const support::Daemon daemon(settings());
    const SavedRules saved;
    // Its chains alone: ufw itself is not there.
    on_host(
        "iptables -w -N ufw-before-input && iptables -w -A INPUT -i lo -j ACCEPT && "
        "iptables -w -A INPUT -j ufw-before-input && iptables -w -P INPUT DROP");
    const auto to = gateway_of("net") + ":80";
    const auto wanted = "ufw prepend allow in on " + bridge_of("net") + " to any port 80 proto tcp";
    for (const Words& question : {Words{"co1", to}, Words{"co1", to, "--no-probe"}}) {
        const auto report = ask_why(daemon, question);
        INFO(report);
        CHECK(verdict(report) == "dropped");
        CHECK(suggestion(report) == wanted);
        CHECK(contains(text(report, "explanation"), "which ufw has set"));
    }
}

TEST_CASE("why rules: a jump to Docker's chain that is gone is made anew", "[docker][why_rules]") {
    const support::Daemon daemon(settings());
    const SavedRules saved;
    on_host("iptables -w -D FORWARD -o docker0 -j DOCKER");
    CHECK(status_outside(published) != 0);
    const auto wanted = "iptables-nft -t filter -A FORWARD -o docker0 -j DOCKER";
    const auto row = daemon.netlab({"ports", "-o", "json", "py-server1"});
    INFO(row.out);
    CHECK(contains(row.out, wanted));
    const Words question{outside_target(), "198.51.100.2:8080"};
    const auto unsent = ask_why(daemon, {outside_target(), "198.51.100.2:8080", "--no-probe"});
    INFO(unsent);
    CHECK(suggestion(unsent) == wanted);
    const auto report = ask_why(daemon, question);
    INFO(report);
    CHECK(verdict(report) == "dropped");
    CHECK(suggestion(report) == wanted);
    CHECK(contains(text(report, "explanation"), "the jump to that chain is gone"));
    follow(report);
    check_delivered(daemon, question);
    CHECK(status_outside(published) == 0);
    // Without the one to the chain that translates docker-proxy takes it.
    on_host("iptables -w -t nat -D PREROUTING -m addrtype --dst-type LOCAL -j DOCKER");
    const auto proxied = daemon.netlab({"ports", "-o", "json", "py-server1"});
    INFO(proxied.out);
    CHECK(contains(proxied.out, "no rule leads what comes in to that chain"));
    CHECK_FALSE(contains(proxied.out, "a rule before it"));
    on_host("iptables-nft -t nat -A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER");
    CHECK_FALSE(contains(daemon.netlab({"ports", "-o", "json", "py-server1"}).out,
                         "no rule leads what comes in to that chain"));
}

TEST_CASE("why rules: a rule that drops IPv6's neighbour discovery is named", "[docker][why_rules]") {
    const support::Daemon daemon(settings());
    const Words question{outside_target(), "2001:db8:51::2"};
    for (const std::string rest : {"hook input priority 0; icmpv6 type nd-neighbor-solicit drop;",
                                   "hook output priority 0; icmpv6 type nd-neighbor-advert drop;"}) {
        const Table nd("inet nd", "chain c { type filter " + rest + " }");
        outside("ip -6 neigh flush dev isp0");
        CHECK(status_outside("ping -6 -c 1 -W 1 2001:db8:51::2") != 0);
        const auto report = ask_why(daemon, question);
        INFO(report);
        CHECK(verdict(report) == "unreachable");
        CHECK(contains(text(report, "explanation"), "nobody answers for 2001:db8:51::2 on isp0"));
        CHECK(contains(text(report, "explanation"), "inet nd c of host"));
        CHECK(text(rule(report), "table") == "nd");
        follow(report);
        check_delivered(daemon, question);
        CHECK(status_outside("ping -6 -c 1 -W 2 2001:db8:51::2") == 0);
    }
    // TO's own rule.
    {
        const Container own("why-nd", {"--network", "net6"});
        const auto address =
            text(inspect("why-nd").at("NetworkSettings").at("Networks").at("net6").as_object(),
                 "GlobalIPv6Address");
        in_container("why-nd", "ip6tables -A INPUT -p icmpv6 --icmpv6-type neighbour-solicitation -j DROP");
        // Who had that address before it had the same MAC address, too.
        in_container("six1", "ip -6 neigh flush dev eth0");
        CHECK(status_in_container("six1", "ping -6 -c 1 -W 1 " + address) != 0);
        const auto report = ask_why(daemon, {"six1", address});
        INFO(report);
        CHECK(verdict(report) == "unreachable");
        CHECK(contains(text(report, "explanation"), "ip6 filter INPUT of why-nd"));
        CHECK(rule(report).at("target") == "why-nd");
        follow(report);
        check_delivered(daemon, {"six1", address});
    }
    // ARP's frames, between two containers on one bridge.
    const Table arp("bridge nd", "chain c { type filter hook forward priority 0; ether type arp drop; }");
    in_container("co1", "ip neigh flush dev eth0");
    const Words neighbours{"co1", "co2"};
    const auto report = ask_why(daemon, neighbours);
    INFO(report);
    CHECK(verdict(report) == "unreachable");
    CHECK(contains(text(report, "explanation"), "bridge nd c of host"));
    CHECK(text(rule(report), "text") == "ether type arp drop");
    follow(report);
    check_delivered(daemon, neighbours);
}

TEST_CASE("why rules: what gives the packet a source that nobody can answer is named",
          "[docker][why_rules]") {
    const support::Daemon daemon(settings());
    const Words page{"co3", "203.0.113.8:80"};
    for (const auto& [does, says] : std::vector<std::pair<std::string, std::string>>{
             {"iptables -t nat -I POSTROUTING -s 172.17.0.0/16 -j ACCEPT",
              "(ip saddr 172.17.0.0/16 accept), a rule of the host's administrator, ends the chain before"},
             {"iptables-legacy -t nat -I POSTROUTING -s 172.17.0.0/16 -j ACCEPT; "
              "iptables -t nat -F POSTROUTING; iptables-legacy -t nat -A POSTROUTING -s 172.17.0.0/16 -o "
              "eth0 "
              "-j MASQUERADE",
              "ip nat POSTROUTING rule 1 (iptables-legacy) (ip saddr 172.17.0.0/16 accept)"},
             {"iptables -t nat -I POSTROUTING -s 172.17.0.0/16 -o eth0 -j SNAT --to-source 198.51.100.77",
              "with the source 198.51.100.77, which ip nat POSTROUTING handle "}}) {
        const SavedRules saved;
        const Undo undo("iptables-legacy -t nat -F POSTROUTING");
        on_host(does);
        CHECK(status_in_container("co3", web_page) != 0);
        auto report = ask_why(daemon, page);
        INFO(report);
        CHECK(verdict(report) == "lost");
        CHECK(contains(text(report, "explanation"), says));
        CHECK(suggestion(ask_why(daemon, {"co3", "203.0.113.8:80", "--no-probe"})) == suggestion(report));
        follow(report);
        check_delivered(daemon, page);
        CHECK(status_in_container("co3", web_page) == 0);
    }
}

TEST_CASE("why rules: a policy of the first or last hook takes one suggestion", "[docker][why_rules]") {
    const support::Daemon daemon(settings());
    const Words page{"co3", "203.0.113.8:80"};
    for (const std::string hook : {"postrouting priority 0", "prerouting priority 0",
                                   "prerouting priority -300", "prerouting priority -150"}) {
        INFO(hook);
        const Table own("inet own", "chain c { type filter hook " + hook + "; policy drop; }");
        CHECK(status_in_container("co3", web_page) != 0);
        const auto report = ask_why(daemon, page);
        INFO(report);
        CHECK(verdict(report) == "dropped");
        CHECK(suggestion(ask_why(daemon, {"co3", "203.0.113.8:80", "--no-probe"})) == suggestion(report));
        follow(report);
        check_delivered(daemon, page);
        CHECK(status_in_container("co3", web_page) == 0);
    }
}

TEST_CASE("why rules: what a policy drops of docker-proxy's own connection is let through, too",
          "[docker][why_rules]") {
    const support::Daemon daemon(settings());
    // A container on the bridge comes to the host's own address, which no rule translates for it.
    const Words question{"co3", "172.17.0.1:8080"};
    const auto page = "curl -sf -m 2 -o /dev/null http://172.17.0.1:8080/";
    CHECK(status_in_container("co3", page) == 0);
    for (const std::string hook : {"input", "output"}) {
        INFO(hook);
        const Table own("inet own", "chain c { type filter hook " + hook + " priority 0; policy drop; }");
        CHECK(status_in_container("co3", page) != 0);
        auto report = ask_why(daemon, question);
        INFO(report);
        CHECK(verdict(report) == "dropped");
        follow(report);
        check_delivered(daemon, question);
        CHECK(status_in_container("co3", page) == 0);
    }
    // Where it is that connection alone.
    const auto to = address_of("py-server1", "bridge");
    for (const auto& [chain, rule] : {std::pair("output", "ip daddr " + to + " tcp dport 8080 drop"),
                                      std::pair("input", "ip saddr " + to + " tcp sport 8080 reject")}) {
        const Table own("inet own",
                        "chain c { type filter hook " + std::string(chain) + " priority 0; " + rule + "; }");
        CHECK(status_in_container("co3", page) != 0);
        for (const auto* option : {"--wait=1", "--no-probe"}) {
            const auto report = ask_why(daemon, {question[0], question[1], option});
            INFO(report);
            CHECK(contains(text(netlab::lab::rule(report), "text"), " tcp "));
            CHECK(contains(text(report, "explanation"), "docker-proxy's own connection to " + to));
        }
        follow(ask_why(daemon, question));
        check_delivered(daemon, question);
        CHECK(status_in_container("co3", page) == 0);
    }
}

TEST_CASE("why rules: an answer in another zone of conntrack's is not led back", "[docker][why_rules]") {
    const support::Daemon daemon(settings());
    const Words question{outside_target(), "198.51.100.2:8080"};
    const Undo undo("iptables -w -t raw -F PREROUTING");
    on_host("iptables -w -t raw -A PREROUTING -i eth0 -p tcp --dport 8080 -j CT --zone 5");
    CHECK(status_outside(published) != 0);
    const auto report = ask_why(daemon, question);
    INFO(report);
    CHECK(verdict(report) == "lost");
    CHECK(contains(text(report, "explanation"), "gives the packet another zone of conntrack's"));
    follow(report);
    check_delivered(daemon, question);
    CHECK(status_outside(published) == 0);
}
