#include "tests/docker/ports_lab.hpp"

#include <csignal>

#include <boost/json/serialize.hpp>

using namespace netlab;
using namespace netlab::lab;
using boost::json::object;

TEST_CASE("ports: with nat flushed the proxy still carries it, and without that nothing does",
          "[docker][ports]") {
    const support::Daemon daemon(settings());
    const Container container("p-flush", {"-p", "0.0.0.0:18007:80"});
    serve(container, "80");
    const auto before = row_with(daemon, "p-flush", "works");
    const auto proxy = carrier(before, 1).at("pid").to_number<int>();
    const SavedRules saved_rules;
    REQUIRE(on_host({"iptables", "-t", "nat", "-F"}).status == 0);
    const auto row = row_with(daemon, "p-flush", "works");
    CHECK(answers(18007));
    CHECK(text(carrier(row), "kind") == "proxy");
    CHECK(boost::json::serialize(row.at("notes")).find("may have been flushed") != std::string::npos);
    REQUIRE(::kill(proxy, SIGKILL) == 0);
    const auto after = row_with(daemon, "p-flush", "not_carried");
    CHECK_FALSE(answers(18007));
    CHECK(text(after, "suggestion").starts_with("docker restart p-flush"));
}

TEST_CASE("ports: with filter flushed and its policy DROP what is carried is dropped", "[docker][ports]") {
    const support::Daemon daemon(settings());
    const Container container("p-drop", {"-p", "18008:80"});
    serve(container, "80");
    (void)row_with(daemon, "p-drop", "works");
    CHECK(answers(18008));
    const SavedRules saved_rules;
    REQUIRE(on_host({"iptables", "-F", "FORWARD"}).status == 0);
    const auto row = row_with(daemon, "p-drop", "blocked");
    CHECK_FALSE(answers(18008));
    CHECK(text(row, "explanation").find("policy of ip filter FORWARD") != std::string::npos);
}

TEST_CASE("ports: a rule in DOCKER-USER that drops is named", "[docker][ports]") {
    const support::Daemon daemon(settings());
    const Container container("p-user", {"-p", "18009:80"});
    serve(container, "80");
    (void)row_with(daemon, "p-user", "works");
    const SavedRules saved_rules;
    REQUIRE(
        on_host({"iptables", "-I", "DOCKER-USER", "-i", "eth0", "-p", "tcp", "--dport", "80", "-j", "DROP"})
            .status == 0);
    const auto row = row_with(daemon, "p-user", "blocked");
    CHECK_FALSE(answers(18009));
    const auto suggestion = text(row, "suggestion");
    CHECK(suggestion.starts_with("nft delete rule ip filter DOCKER-USER handle "));
    // What it says helps.
    REQUIRE(on_host({"sh", "-c", suggestion}).status == 0);
    (void)row_with(daemon, "p-user", "works");
    CHECK(answers(18009));
}

TEST_CASE("ports: who is a client decides with rules that name some, and real ones agree",
          "[docker][ports]") {
    const support::Daemon daemon(settings());
    const Container container("p-who", {"-p", "18030:80"});
    serve(container, "80");
    (void)row_with(daemon, "p-who", "works");
    const auto user = [](const std::string& rule) {
        REQUIRE(
            on_host({"sh", "-c", "iptables -w -F DOCKER-USER; iptables -w -A DOCKER-USER " + rule}).status ==
            0);
    };
    const auto notes = [](const object& row) { return boost::json::serialize(row.at("notes")); };
    const SavedRules saved_rules;
    // A filter of bogons.
    user("-s 203.0.113.0/24 -j DROP; iptables -w -A DOCKER-USER -s 192.0.2.0/24 -j DROP");
    CHECK(answers_from("198.51.100.1", 18030));
    CHECK_FALSE(answers_from("203.0.113.8", 18030));
    CHECK(
        notes(row_with(daemon, "p-who", "works")).find("not for clients in 203.0.113.0/24: what they send") !=
        std::string::npos);
    // Some are kept out.
    user("-s 198.51.100.0/24 -j DROP");
    CHECK_FALSE(answers_from("198.51.100.1", 18030));
    CHECK(answers_from("203.0.113.8", 18030));
    CHECK(notes(row_with(daemon, "p-who", "works"))
              .find("not for clients in 198.51.100.0/24: what they send") != std::string::npos);
    // Some are let in.
    for (const std::string rule :
         {"-i eth0 ! -s 198.51.100.0/24 -j DROP",
          "-i eth0 -s 198.51.100.0/24 -j ACCEPT; iptables -w -A DOCKER-USER -i eth0 -j DROP"}) {
        INFO(rule);
        user(rule);
        CHECK(answers_from("198.51.100.1", 18030));
        CHECK_FALSE(answers_from("203.0.113.8", 18030));
        CHECK(text(row_with(daemon, "p-who", "blocked"), "explanation")
                  .find("; only clients in 198.51.100.0/24 pass (ip filter DOCKER-USER handle ") !=
              std::string::npos);
    }
    user("-j RETURN");
    REQUIRE(on_host({"ip", "route", "add", "blackhole", "203.0.113.0/24"}).status == 0);
    CHECK(answers_from("198.51.100.1", 18030));
    CHECK(text(carrier(row_with(daemon, "p-who", "works")), "kind") == "dnat");
    CHECK(daemon.netlab({"nat", "p-who"}).status == 0);
    REQUIRE(on_host({"ip", "route", "del", "blackhole", "203.0.113.0/24"}).status == 0);
    // Whom a policy rule keeps from his answers.
    REQUIRE(on_host({"sh", "-c", "ip rule add pref 4005 to 198.51.100.0/24 prohibit"}).status == 0);
    CHECK_FALSE(answers_from("198.51.100.1", 18030));
    CHECK(answers_from("203.0.113.8", 18030));
    const auto noted = notes(row_with(daemon, "p-who", "works"));
    REQUIRE(on_host({"sh", "-c", "ip rule del pref 4005"}).status == 0);
    INFO(noted);
    CHECK(noted.find("not for clients in 198.51.100.0/24: the host does not send on what p-who answers") !=
          std::string::npos);
    CHECK(noted.find("4005: from all to 198.51.100.0/24 prohibit") != std::string::npos);
}

TEST_CASE("ports: what a hostile administrator has done is named, and what is said helps",
          "[docker][ports]") {
    const support::Daemon daemon(settings());
    const Container container("p-hostile", {"-p", "18031:80"});
    serve(container, "80");
    (void)row_with(daemon, "p-hostile", "works");
    (void)row_with(daemon, "p-hostile", "works", "ipv6");
    const auto v6 = std::string(host_address_v6) + ":18031";
    const auto inside = "nsenter --net=/proc/" + std::to_string(pid_of("p-hostile")) + "/ns/net ";
    const SavedRules saved_rules;
    const struct Removed {
        ~Removed() {
            (void)on_host({"sh", "-c",
                           "nft delete table bridge p-frames; nft delete table netdev p-frames; "
                           "for pref in 4001 4002 4003; do ip rule del pref $pref; done; "
                           "sysctl -qw net.ipv4.ip_forward=1 net.ipv4.conf.docker0.forwarding=1 "
                           "net.ipv4.conf.eth0.forwarding=1"});
        }
    } removed_at_the_end;
    struct Harm {
        std::string does;
        std::string says;
        std::string verdict = "blocked";
        std::string family = "ipv4";
    };
    const std::vector<Harm> all{
        {"sysctl -qw net.ipv4.conf.docker0.forwarding=0",
         "by docker0: net.ipv4.conf.docker0.forwarding is 0"},
        {"sysctl -qw net.ipv4.conf.eth0.forwarding=0", "by eth0: net.ipv4.conf.eth0.forwarding is 0"},
        {"ip rule add pref 4001 from 172.17.0.0/16 blackhole", "4001: from 172.17.0.0/16 blackhole"},
        {"ip rule add pref 4002 iif eth0 unreachable", "4002: from all iif eth0 unreachable"},
        {"ip rule add pref 4003 ipproto tcp dport 80 prohibit",
         "4003: from all ipproto tcp dport 80 prohibit"},
        {inside + "ip rule add pref 4004 ipproto tcp sport 80 prohibit", "by its policy rule 4004: "},
        {"ip6tables -w -I OUTPUT -p tcp --sport 18031 -j DROP",
         "what the host answers from [2001:db8:51::2]:18031 is dropped by ip6 filter OUTPUT", "blocked",
         "ipv6"},
        {"nft 'add table bridge p-frames; add chain bridge p-frames out { type filter hook postrouting "
         "priority "
         "0; }; add rule bridge p-frames out ip daddr " +
             address_of("p-hostile", "bridge") + " tcp dport 80 drop'",
         "is dropped by bridge p-frames out handle "},
        {"nft 'add table netdev p-frames; add chain netdev p-frames in { type filter hook ingress device "
         "eth0 "
         "priority 0; }; add rule netdev p-frames in ip daddr 198.51.100.2 tcp dport 18031 drop'",
         "is dropped by netdev p-frames in handle "},
        {"iptables -w -t nat -I PREROUTING -p tcp --dport 18031 -j REDIRECT --to-ports 18032",
         "redirects it to port 18032 of the host, where nothing takes it", "shadowed"},
        {"iptables -w -I DOCKER-USER -p tcp --dport 80 --tcp-flags ALL ACK,PSH -j DROP",
         "behind the first packet, is dropped by ip filter DOCKER-USER"},
        {"iptables -w -t raw -I PREROUTING -i eth0 -p tcp --dport 18031 -j CT --zone 5",
         "gives what comes from outside another zone of conntrack's than its answers have"},
        {"iptables -w -t raw -I PREROUTING -i docker0 -p tcp --sport 80 -j CT --notrack",
         "takes it from conntrack, so that no rule may translate it"},
    };
    for (const auto& [does, says, verdict, family] : all) {
        INFO(does);
        const auto works = [&, family = family] { return family == "ipv4" ? answers(18031) : answers(v6); };
        REQUIRE(on_host({"sh", "-c", does}).status == 0);
        CHECK_FALSE(works());
        const auto row = row_with(daemon, "p-hostile", verdict, family);
        INFO(boost::json::serialize(row));
        CHECK(text(row, "explanation").find(says) != std::string::npos);
        CHECK(on_host({"sh", "-c", text(row, "suggestion")}).status == 0);
        (void)row_with(daemon, "p-hostile", "works", family);
        CHECK(works());
    }
    // What is not certain is said to be so.
    for (const auto& [does, says] : std::vector<std::pair<std::string, std::string>>{
             {"iptables -w -t mangle -I PREROUTING -p tcp --dport 18031 -j MARK --set-mark 7; "
              "iptables -w -I DOCKER-USER -m mark --mark 7 -j DROP",
              "DOCKER-USER handle "},
             {"iptables -w -t mangle -I PREROUTING -p tcp --dport 18031 -j MARK --set-mark 7; "
              "ip rule add pref 4001 fwmark 7 prohibit",
              "the host's policy rule 4001: from all fwmark 0x7 prohibit goes by them"},
             {"iptables -w -t mangle -A PREROUTING -i eth0 -p tcp --dport 18031 -j CONNMARK --set-mark 7; "
              "iptables -w -t mangle -A PREROUTING -i docker0 -j CONNMARK --restore-mark; "
              "ip rule add pref 4001 fwmark 7 unreachable",
              "the host's policy rule 4001: from all fwmark 0x7 unreachable goes by them"}}) {
        INFO(does);
        REQUIRE(on_host({"sh", "-c", does}).status == 0);
        CHECK(text(row_with(daemon, "p-hostile", "unknown"), "explanation").find(says) != std::string::npos);
        REQUIRE(on_host({"sh", "-c",
                         "iptables -w -t mangle -F; iptables -w -t raw -F; iptables -w -F DOCKER-USER; "
                         "if ip rule | grep -q ^4001:; then ip rule del pref 4001; fi"})
                    .status == 0);
        (void)row_with(daemon, "p-hostile", "works");
    }
    // docker-proxy takes what conntrack does not see, and what conntrack has seen stays with it; of a zone
    // that both have nothing is lost.
    for (const std::string does :
         {"iptables -w -t raw -I PREROUTING -i eth0 -p tcp --dport 18031 -j CT --notrack",
          "nft 'table inet p-late { chain late { type filter hook prerouting priority -190; tcp dport 18031 "
          "notrack; "
          "}; }'",
          "iptables -w -t raw -I PREROUTING -j CT --zone 5"}) {
        INFO(does);
        REQUIRE(on_host({"sh", "-c", does}).status == 0);
        CHECK(answers(18031));
        (void)row_with(daemon, "p-hostile", "works");
        (void)on_host({"sh", "-c", "iptables -w -t raw -F; nft delete table inet p-late"});
    }
    // Where a rule keeps docker-proxy's connection from conntrack, its answer is of no flow.
    REQUIRE(on_host({"sh", "-c",
                     "iptables -w -t nat -I PREROUTING -i eth0 -p tcp --dport 18031 -j ACCEPT; "
                     "iptables -w -A INPUT -m conntrack --ctstate ESTABLISHED -j ACCEPT; "
                     "iptables -w -A INPUT -p tcp --dport 18031 -j ACCEPT; iptables -w -P INPUT DROP"})
                .status == 0);
    CHECK(answers(18031));
    (void)row_with(daemon, "p-hostile", "works");
    REQUIRE(on_host({"iptables", "-w", "-t", "raw", "-A", "OUTPUT", "-j", "CT", "--notrack"}).status == 0);
    CHECK_FALSE(answers(18031));
    const auto row = row_with(daemon, "p-hostile", "blocked");
    INFO(boost::json::serialize(row));
    CHECK(text(row, "explanation").find("because of ip raw OUTPUT handle ") != std::string::npos);
    REQUIRE(on_host({"sh", "-c", text(row, "suggestion")}).status == 0);
    (void)row_with(daemon, "p-hostile", "works");
    CHECK(answers(18031));
    REQUIRE(
        on_host({"sh", "-c",
                 "iptables -w -t raw -F; iptables -w -P INPUT ACCEPT; iptables -w -F INPUT; iptables -w -t "
                 "nat -D PREROUTING 1"})
            .status == 0);
    // And what is asleep drops nothing.
    REQUIRE(on_host({"nft",
                     "delete table netdev p-frames; add table netdev p-frames { flags dormant; }; add chain "
                     "netdev p-frames in { type filter "
                     "hook ingress device eth0 priority 0; policy drop; }"})
                .status == 0);
    CHECK(answers(18031));
    (void)row_with(daemon, "p-hostile", "works");
}

TEST_CASE("ports: what docker-proxy sends on meets the host's own rules", "[docker][ports]") {
    const support::Daemon daemon(settings());
    const Container container("p-leg", {"-p", "18023:80"});
    serve(container, "80");
    (void)row_with(daemon, "p-leg", "works", "ipv6");
    const auto v6 = std::string(host_address_v6) + ":18023";
    CHECK(answers(v6));
    for (const std::string rule : {"OUTPUT -p tcp --dport 80", "INPUT -i docker0 -p tcp --sport 80"}) {
        INFO(rule);
        REQUIRE(on_host({"sh", "-c", "iptables -w -I " + rule + " -j DROP"}).status == 0);
        CHECK_FALSE(answers(v6));
        CHECK(answers(18023));
        const auto row = row_with(daemon, "p-leg", "blocked", "ipv6");
        (void)row_with(daemon, "p-leg", "works");
        const auto chain = rule.substr(0, rule.find(' '));
        CHECK(text(row, "explanation").find("is dropped by ip filter " + chain) != std::string::npos);
        REQUIRE(on_host({"sh", "-c", text(row, "suggestion")}).status == 0);
        (void)row_with(daemon, "p-leg", "works", "ipv6");
        CHECK(answers(v6));
    }
}

TEST_CASE("ports: a policy that drops what docker-proxy sends takes a rule in its own chain",
          "[docker][ports]") {
    const support::Daemon daemon(settings());
    const Container container("p-policy", {"-p", "18025:80"});
    serve(container, "80");
    (void)row_with(daemon, "p-policy", "works", "ipv6");
    const auto v6 = std::string(host_address_v6) + ":18025";
    CHECK(answers(v6));
    // Of one's own, as nftables.conf has it.
    const struct Removed {
        ~Removed() { (void)on_host({"nft", "delete", "table", "inet", "p-fw"}); }
    } removed_at_the_end;
    REQUIRE(on_host({"nft",
                     "add table inet p-fw; add chain inet p-fw out { type filter hook output priority 5; "
                     "policy drop; }; add rule inet p-fw out oifname \"lo\" accept; "
                     "add rule inet p-fw out ct state established,related accept; "
                     "add rule inet p-fw out meta l4proto ipv6-icmp accept"})
                .status == 0);
    CHECK_FALSE(answers(v6));
    const auto row = row_with(daemon, "p-policy", "blocked", "ipv6");
    const auto suggestion = text(row, "suggestion");
    CHECK(suggestion.starts_with("nft add rule inet p-fw out ip daddr 172.17.0."));
    CHECK(on_host({"sh", "-c", suggestion}).status == 0);
    (void)row_with(daemon, "p-policy", "works", "ipv6");
    CHECK(answers(v6));
    REQUIRE(on_host({"nft", "delete", "table", "inet", "p-fw"}).status == 0);
    // And what is forwarded: both ways.
    REQUIRE(on_host({"nft",
                     "add table inet p-fw; add chain inet p-fw way { type filter hook forward priority 5; "
                     "policy drop; }"})
                .status == 0);
    CHECK_FALSE(answers(18025));
    for (int i = 0; i < 2; ++i)
        CHECK(on_host({"sh", "-c", text(row_with(daemon, "p-policy", "blocked"), "suggestion")}).status == 0);
    (void)row_with(daemon, "p-policy", "works");
    CHECK(answers(18025));
}

TEST_CASE("ports: what sets and maps of verdicts have decides, and what is said helps", "[docker][ports]") {
    const support::Daemon daemon(settings());
    const Container container("p-sets", {"-p", "18026:80"});
    serve(container, "80");
    (void)row_with(daemon, "p-sets", "works");
    const struct Removed {
        ~Removed() { (void)on_host({"nft", "delete", "table", "inet", "p-sets"}); }
    } removed_at_the_end;
    const auto nft = [](const std::string& words) { REQUIRE(on_host({"nft", words}).status == 0); };
    // As firewalld writes its own.
    nft("add table inet p-sets; "
        "add chain inet p-sets web; "
        "add rule inet p-sets web meta l4proto . th dport vmap { tcp . 80-90 : accept }; "
        "add set inet p-sets blocked { type ipv4_addr . inet_service; flags interval; }; "
        "add element inet p-sets blocked { 192.0.2.0/24 . 80 }; "
        "add map inet p-sets ways { type ifname : verdict; }; "
        "add element inet p-sets ways { \"docker0\" : accept, \"lo\" : drop }; "
        "add chain inet p-sets way { type filter hook forward priority 5; policy drop; }; "
        "add rule inet p-sets way ct state vmap { established : accept, related : accept, invalid : drop }; "
        "add rule inet p-sets way ip daddr . tcp dport @blocked drop; "
        "add rule inet p-sets way iifname vmap @ways; "
        "add rule inet p-sets way tcp dport vmap { 22 : drop, 80 : jump web }");
    CHECK(answers(18026));
    (void)row_with(daemon, "p-sets", "works");

    nft("add element inet p-sets blocked { " + address_of("p-sets", "bridge") + " . 80 }");
    CHECK_FALSE(answers(18026));
    const auto listed = row_with(daemon, "p-sets", "blocked");
    CHECK(text(listed, "explanation").ends_with("ip daddr . tcp dport @blocked drop"));
    const auto removes = text(listed, "suggestion");
    CHECK(removes.starts_with("nft delete rule inet p-sets way handle "));
    CHECK(on_host({"sh", "-c", removes}).status == 0);
    CHECK(answers(18026));
    (void)row_with(daemon, "p-sets", "works");

    // One word of a map drops; its others stay.
    nft("insert rule inet p-sets way tcp dport vmap { 22 : accept, 80 : drop }");
    CHECK_FALSE(answers(18026));
    const auto mapped = row_with(daemon, "p-sets", "blocked");
    CHECK(text(mapped, "explanation").ends_with("tcp dport vmap { 22 : accept, 80 : drop }"));
    const auto inserts = text(mapped, "suggestion");
    CHECK(inserts.starts_with("nft insert rule inet p-sets way handle "));
    CHECK(on_host({"sh", "-c", inserts}).status == 0);
    CHECK(answers(18026));
    (void)row_with(daemon, "p-sets", "works");

    // What an element says with a limit is not known.
    nft("add set inet p-sets seldom { type inet_service; limit rate 1/hour; }; "
        "add element inet p-sets seldom { 80 limit rate 1/hour }; "
        "insert rule inet p-sets way tcp dport @seldom drop");
    (void)row_with(daemon, "p-sets", "unknown");
}

TEST_CASE("ports: a redirection in the container leads to another port of its", "[docker][ports]") {
    const support::Daemon daemon(settings());
    const Container container("p-redir", {"-p", "18024:80"});
    serve(container, "80");
    (void)row_with(daemon, "p-redir", "works");
    const auto inside = [&](const std::string& command) {
        const auto net = "--net=/proc/" + std::to_string(pid_of("p-redir")) + "/ns/net";
        REQUIRE(support::run({"nsenter", net, "sh", "-c", command}).status == 0);
    };
    inside("iptables -w -t nat -A PREROUTING -p tcp --dport 80 -j REDIRECT --to-ports 81");
    CHECK_FALSE(answers(18024));
    const auto row = row_with(daemon, "p-redir", "other_port");
    CHECK(text(row, "explanation").find("nothing in p-redir listens on TCP port 81") != std::string::npos);
    CHECK(boost::json::serialize(row.at("notes")).find("a rule of p-redir's own sends it on to port 81") !=
          std::string::npos);
    serve(container, "81");
    (void)row_with(daemon, "p-redir", "works");
    CHECK(answers(18024));
    inside(
        "iptables -w -t nat -F PREROUTING && "
        "iptables -w -t nat -A PREROUTING -p tcp --dport 80 -j DNAT --to-destination 192.0.2.9:80");
    CHECK_FALSE(answers(18024));
    const auto away = row_with(daemon, "p-redir", "shadowed");
    CHECK(text(away, "explanation").find("in p-redir sends it on to 192.0.2.9:80") != std::string::npos);
    CHECK(text(away, "suggestion").starts_with("nsenter --net=/proc/"));
    REQUIRE(support::run({"sh", "-c", text(away, "suggestion")}).status == 0);
    (void)row_with(daemon, "p-redir", "works");
}

TEST_CASE("ports: an older rule to an address that nobody has shadows the good one", "[docker][ports]") {
    const support::Daemon daemon(settings());
    const Container container("p-shadow", {"-p", "18010:80"});
    serve(container, "80");
    (void)row_with(daemon, "p-shadow", "works");
    const SavedRules saved_rules;
    REQUIRE(on_host({"iptables", "-t", "nat", "-I", "DOCKER", "!", "-i", "docker0", "-p", "tcp", "--dport",
                     "18010", "-j", "DNAT", "--to-destination", "172.17.0.200:80"})
                .status == 0);
    const auto row = row_with(daemon, "p-shadow", "shadowed");
    CHECK_FALSE(answers(18010));
    CHECK(text(row, "explanation").find("172.17.0.200:80, which nobody has") != std::string::npos);
    REQUIRE(on_host({"sh", "-c", text(row, "suggestion")}).status == 0);
    (void)row_with(daemon, "p-shadow", "works");
    CHECK(answers(18010));
}

TEST_CASE("ports: a rule that leads to another container says whose it is", "[docker][ports]") {
    const support::Daemon daemon(settings());
    const Container container("p-whose", {"-p", "18011:80"});
    (void)row_with(daemon, "p-whose", "no_listener");
    const SavedRules saved_rules;
    REQUIRE(on_host({"iptables", "-t", "nat", "-I", "DOCKER", "-p", "tcp", "--dport", "18011", "-j", "DNAT",
                     "--to-destination", address_of("py-server1", "bridge") + ":8080"})
                .status == 0);
    const auto row = row_with(daemon, "p-whose", "shadowed");
    CHECK(text(carrier(row), "owner") == "py-server1");
    CHECK(answers(18011));  // by the other one
}

TEST_CASE("ports: what netlab does not understand makes it unknown, never fine", "[docker][ports]") {
    const support::Daemon daemon(settings());
    const Container container("p-doubt", {"-p", "18012:80"});
    serve(container, "80");
    (void)row_with(daemon, "p-doubt", "works");
    const SavedRules saved_rules;
    REQUIRE(
        on_host({"iptables", "-I", "DOCKER-USER", "-m", "limit", "--limit", "1/hour", "-j", "DROP"}).status ==
        0);
    const auto row = row_with(daemon, "p-doubt", "unknown");
    CHECK(text(row, "explanation").find("DOCKER-USER handle ") != std::string::npos);
    CHECK(ports(daemon, {"p-doubt"}).finished.status == 1);
}
