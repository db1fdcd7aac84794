#include "tests/docker/ports_lab.hpp"

#include <algorithm>
#include <array>
#include <csignal>
#include <set>

#include <boost/json/serialize.hpp>

using namespace netlab;
using namespace netlab::lab;
using boost::json::object;

namespace {

/// The rules of a table on the lab's host, a line each.
std::vector<std::string> saved(const std::string& table) {
    return on_host({"iptables-save", "-c", "-t", table}).lines();
}

std::string line_with(const std::vector<std::string>& lines, std::initializer_list<std::string_view> parts) {
    for (const auto& line : lines) {
        if (std::ranges::all_of(parts, [&](auto part) { return line.find(part) != line.npos; })) return line;
    }
    return {};
}

/// The tables as they are, put back at the end.
class SavedRules {
  public:
    SavedRules() : rules_(on_host({"iptables-save"}).out) {}
    ~SavedRules() { (void)on_host({"sh", "-c", "printf '%s' \"$1\" | iptables-restore", "sh", rules_}); }
    SavedRules(const SavedRules&) = delete;
    SavedRules& operator=(const SavedRules&) = delete;

  private:
    std::string rules_;
};

}  // namespace

TEST_CASE("ports: the tutorial's py-server1 works, and is carried by the rule and the proxy that are there",
          "[docker][ports]") {
    const support::Daemon daemon(settings());
    (void)row_with(daemon, "py-server1", "works");
    CHECK(answers(8080));
    const auto all = ports(daemon, {"py-server1"});
    const auto row = row_of(all);
    CHECK(all.finished.status == 0);
    const auto published = docker({"port", "py-server1", "8080/tcp"}).lines();
    CHECK(std::ranges::count(published, text(row, "host_address") + ":8080") == 1);
    // The rule, by iptables' own words.
    const auto address = address_of("py-server1", "bridge");
    CHECK(row.at("to") == object{{"address", address}, {"port", 8080}});
    CHECK(text(carrier(row), "kind") == "dnat");
    CHECK(text(carrier(row), "clients") == "outside");
    CHECK(text(carrier(row), "owner") == "py-server1");
    const auto& rule = carrier(row).at("rule").as_object();
    CHECK(text(rule, "text") == "iifname != \"docker0\" tcp dport 8080 dnat to " + address + ":8080");
    const auto line = line_with(saved("nat"), {"-A DOCKER", "--dport 8080 ", "--to-destination " + address});
    INFO(line);
    CHECK(line.starts_with("[" + std::to_string(rule.at("packets").to_number<int>()) + ":" +
                           std::to_string(rule.at("bytes").to_number<int>()) + "]"));
    const auto listed = on_host({"nft", "-a", "list", "chain", "ip", "nat", "DOCKER"}).lines();
    CHECK_FALSE(
        line_with(listed, {"dport 8080", "# handle " + std::to_string(rule.at("handle").to_number<int>())})
            .empty());
    // The process that has the host's port, by ss.
    CHECK(text(carrier(row, 1), "kind") == "proxy");
    CHECK(text(carrier(row, 1), "process") == "docker-proxy");
    const auto pid = "pid=" + std::to_string(carrier(row, 1).at("pid").to_number<int>()) + ",";
    CHECK_FALSE(line_with(on_host({"ss", "-Hltnp"}).lines(), {"0.0.0.0:8080", "docker-proxy", pid}).empty());
    CHECK(text(row.at("listener").as_object(), "process") == "httpd");
}

TEST_CASE("ports: over IPv6 docker-proxy carries to IPv4, and that is said", "[docker][ports]") {
    const support::Daemon daemon(settings());
    const auto row = row_with(daemon, "py-server1", "works", "ipv6");
    CHECK(answers(std::string(host_address_v6) + ":8080"));
    CHECK(text(carrier(row), "kind") == "proxy");
    CHECK(row.at("to").at("address").as_string() == address_of("py-server1", "bridge"));
    CHECK(boost::json::serialize(row.at("notes")).find("sees the host as its client, by IPv4") !=
          std::string::npos);
}

TEST_CASE("ports: without a target every container that publishes, as docker ps has them",
          "[docker][ports]") {
    const support::Daemon daemon(settings());
    (void)row_with(daemon, "py-server2", "works");
    std::set<std::string> by_docker;
    for (const auto& name : docker({"ps", "--format", "{{.Names}}"}).lines()) {
        for (const auto& line : docker({"port", name}).lines()) {
            const auto arrow = line.find(" -> ");
            by_docker.insert(name + " " + line.substr(arrow + 4) + " " + line.substr(0, arrow));
        }
    }
    std::set<std::string> by_netlab;
    for (const auto& row : ports(daemon, {}).rows) {
        if (text(row, "engine") != "docker" || text(carrier(row), "kind") == "host_network") continue;
        const auto address = text(row, "host_address");
        by_netlab.insert(text(row, "target") + " " + (address == "::" ? "[::]" : address) + ":" +
                         std::to_string(row.at("host_port").to_number<int>()) + " " +
                         std::to_string(row.at("container_port").to_number<int>()) + "/" +
                         text(row, "protocol"));
    }
    CHECK(by_netlab == by_docker);
}

TEST_CASE("ports: nothing listens, then something does", "[docker][ports]") {
    const support::Daemon daemon(settings());
    const Container container("p-none", {"-p", "18001:80"});
    const auto row = row_with(daemon, "p-none", "no_listener");
    CHECK_FALSE(answers(18001));
    CHECK(ports(daemon, {"p-none"}).finished.status == 1);
    CHECK(text(row, "explanation") == "nothing in p-none listens on TCP port 80");
    serve(container, "80");
    (void)row_with(daemon, "p-none", "works");
    CHECK(answers(18001));
}

TEST_CASE("ports: a listener on a loopback address is named as the cause", "[docker][ports]") {
    const support::Daemon daemon(settings());
    const Container container("p-loop", {"-p", "18002:80"});
    serve(container, "127.0.0.1:80");
    const auto row = row_with(daemon, "p-loop", "loopback_only");
    CHECK_FALSE(answers(18002));
    CHECK(row.at("listener").at("address").as_string() == "127.0.0.1");
    CHECK(text(row, "explanation").find("127.0.0.1:80 (httpd") != std::string::npos);
    CHECK(text(row, "suggestion") == "let it bind to 0.0.0.0:80");
    docker({"exec", "-d", "p-loop", "httpd", "-f", "-h", "/", "-p", address_of("p-loop", "bridge") + ":80"});
    (void)row_with(daemon, "p-loop", "works");
    CHECK(answers(18002));
}

TEST_CASE("ports: the container listens on another port, which is said", "[docker][ports]") {
    const support::Daemon daemon(settings());
    const Container container("p-other", {"-p", "18003:80"});
    serve(container, "8000");
    const auto row = row_with(daemon, "p-other", "other_port");
    CHECK_FALSE(answers(18003));
    CHECK(text(row, "explanation") == "nothing in p-other listens on TCP port 80: it listens on 8000");
    CHECK(text(row, "suggestion") == "publish the port that listens: -p 18003:8000");
}

TEST_CASE("ports: published on 127.0.0.1 it works from the host alone", "[docker][ports]") {
    const support::Daemon daemon(settings());
    const Container container("p-local", {"-p", "127.0.0.1:18004:80"});
    serve(container, "80");
    const auto row = row_with(daemon, "p-local", "works");
    CHECK(answers("127.0.0.1:18004", false));
    CHECK_FALSE(answers(18004));
    CHECK(text(carrier(row), "kind") == "proxy");
    CHECK(boost::json::serialize(row.at("notes")).find("only the host itself") != std::string::npos);
}

TEST_CASE("ports: UDP is looked at as TCP is", "[docker][ports]") {
    const support::Daemon daemon(settings());
    const Container container("p-udp", {"-p", "18005:5353/udp"});
    CHECK(text(row_with(daemon, "p-udp", "no_listener"), "protocol") == "udp");
    const support::Process server(
        {"nsenter", "-t", std::to_string(pid_of("p-udp")), "-n", "python3", "-c",
         "import socket, time; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind((\"\", 5353)); "
         "time.sleep(60)"});
    (void)row_with(daemon, "p-udp", "works");
}

TEST_CASE("ports: a paused container is said to be paused", "[docker][ports]") {
    const support::Daemon daemon(settings());
    const Container container("p-pause", {"-p", "18006:80"});
    serve(container, "80");
    (void)row_with(daemon, "p-pause", "works");
    docker({"pause", "p-pause"});
    CHECK(text(row_with(daemon, "p-pause", "paused"), "suggestion") == "docker unpause p-pause");
    CHECK_FALSE(answers(18006));
    docker({"unpause", "p-pause"});
    (void)row_with(daemon, "p-pause", "works");
    CHECK(answers(18006));
}

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

TEST_CASE("ports: a rule of the container's own that drops is named, and so is a missing route",
          "[docker][ports]") {
    const support::Daemon daemon(settings());
    const Container container("p-own", {"-p", "18020:80"});
    serve(container, "80");
    (void)row_with(daemon, "p-own", "works");
    const auto inside = [&](const std::string& command) {
        const auto net = "--net=/proc/" + std::to_string(pid_of("p-own")) + "/ns/net";
        REQUIRE(support::run({"nsenter", net, "sh", "-c", command}).status == 0);
    };
    for (const std::string rule : {"INPUT -p tcp --dport 80 -j DROP", "OUTPUT -p tcp --sport 80 -j DROP"}) {
        inside("iptables -w -A " + rule);
        const auto row = row_with(daemon, "p-own", "blocked");
        CHECK_FALSE(answers(18020));
        (void)row_with(daemon, "p-own", "blocked", "ipv6");
        const auto chain = rule.substr(0, rule.find(' '));
        CHECK(text(row, "explanation").find("dropped in p-own by ip filter " + chain) != std::string::npos);
        const auto suggestion = text(row, "suggestion");
        CHECK(suggestion.starts_with("nsenter --net=/proc/"));
        REQUIRE(support::run({"sh", "-c", suggestion}).status == 0);
        (void)row_with(daemon, "p-own", "works");
        CHECK(answers(18020));
    }
    inside("ip route del default");
    const auto row = row_with(daemon, "p-own", "blocked");
    CHECK_FALSE(answers(18020));
    CHECK(text(row, "explanation").starts_with("p-own has no IPv4 route to the outside"));
}

TEST_CASE("ports: a bridge that is down is named, and what is said helps", "[docker][ports]") {
    const support::Daemon daemon(settings());
    docker({"network", "create", "-o", "com.docker.network.bridge.name=p-down", "p-down"});
    {
        const Container container("p-down1", {"--network", "p-down", "-p", "18021:80"});
        serve(container, "80");
        (void)row_with(daemon, "p-down1", "works");
        CHECK(answers(18021));
        REQUIRE(on_host({"ip", "link", "set", "p-down", "down"}).status == 0);
        const auto row = row_with(daemon, "p-down1", "blocked");
        CHECK_FALSE(answers(18021));
        CHECK(text(row, "explanation").find("interface p-down, which leads to ") != std::string::npos);
        (void)row_with(daemon, "p-down1", "blocked", "ipv6");
        const auto nat = daemon.netlab({"nat", "p-down1"});
        CHECK(nat.out.find("p-down, which it comes in by, is down") != std::string::npos);
        CHECK(nat.out.find("nobody that netlab knows") == std::string::npos);
        REQUIRE(text(row, "suggestion") == "ip link set p-down up");
        REQUIRE(on_host({"ip", "link", "set", "p-down", "up"}).status == 0);
        (void)row_with(daemon, "p-down1", "works");
        CHECK(support::eventually([] { return answers(18021); }, std::chrono::seconds(5)));

        // The cable between the two, at each of its ends.
        const auto veth = on_host({"sh", "-c",
                                   "ls /sys/class/net/p-down/brif 2>/dev/null || bridge link | "
                                   "sed -n 's/^[0-9]*: \\([^@]*\\)@.* master p-down .*/\\1/p'"})
                              .lines()
                              .front();
        const auto inside =
            "nsenter --net=/proc/" + std::to_string(pid_of("p-down1")) + "/ns/net ip link set eth0 ";
        for (const auto& [broken, mends] : std::vector<std::pair<std::string, std::string>>{
                 {"ip link set " + veth + " down", "ip link set " + veth + " up"},
                 {"ip link set " + veth + " nomaster", "ip link set " + veth + " master p-down"},
                 {"ip link set " + veth + " master docker0", "ip link set " + veth + " master p-down"},
                 {inside + "down", inside + "up"}}) {
            INFO(broken);
            REQUIRE(on_host({"sh", "-c", broken}).status == 0);
            CHECK_FALSE(answers(18021));
            CHECK(text(row_with(daemon, "p-down1", "blocked"), "suggestion") == mends);
            const auto told = daemon.netlab({"nat", "p-down1"}).out;
            INFO(told);
            CHECK(told.find(mends) != std::string::npos);
            CHECK(told.find("nobody that netlab knows") == std::string::npos);
            (void)row_with(daemon, "p-down1", "blocked", "ipv6");
            REQUIRE(on_host({"sh", "-c", mends}).status == 0);
        }
        // The container's default route went with its interface.
        docker({"restart", "-t", "0", "p-down1"});
        serve(container, "80");
        (void)row_with(daemon, "p-down1", "works");
        REQUIRE(support::run({"nsenter", "--net=/proc/" + std::to_string(pid_of("p-down1")) + "/ns/net", "ip",
                              "addr", "flush", "dev", "eth0"})
                    .status == 0);
        const auto lost = row_with(daemon, "p-down1", "blocked");
        CHECK(text(lost, "explanation").starts_with("p-down1 does not have "));
        REQUIRE(text(lost, "suggestion") == "docker restart p-down1");
        docker({"restart", "-t", "0", "p-down1"});
        serve(container, "80");
        (void)row_with(daemon, "p-down1", "works");
        CHECK(support::eventually([] { return answers(18021); }, std::chrono::seconds(5)));
    }
    docker({"network", "rm", "p-down"});
}

TEST_CASE("ports: the host's routes and neighbour entries are looked at, and what is said helps",
          "[docker][ports]") {
    const support::Daemon daemon(settings());
    docker({"network", "create", "-o", "com.docker.network.bridge.name=p-way", "p-way"});
    {
        const Container container("p-way1", {"--network", "p-way", "-p", "18022:80"});
        serve(container, "80");
        (void)row_with(daemon, "p-way1", "works");
        const auto address = address_of("p-way1", "p-way");
        const auto inside = "nsenter --net=/proc/" + std::to_string(pid_of("p-way1")) + "/ns/net ";
        const std::vector<std::array<std::string, 3>> all{
            {"ip neigh replace " + address + " lladdr 02:00:00:00:00:99 nud permanent dev p-way",
             "the MAC address 02:00:00:00:00:99 by p-way, which is not that of eth0 of p-way1", ""},
            {"ip addr flush dev p-way", "p-way, the host's bridge of p-way, has lost its address", ""},
            {"ip route add blackhole " + address, "has the route blackhole " + address, ""},
            {"ip route add " + address + " dev eth0", "and p-way1 is behind p-way: its route ", ""},
            {"ip rule add to " + address + " prohibit", "has no way to " + address + ": Permission denied",
             "ip rule del to " + address + " prohibit"},
            {"ip addr add " + address + "/32 dev lo", "itself has " + address + ", the address of p-way1",
             "ip addr del " + address + "/32 dev lo"},
            {inside + "ip rule add unreachable",
             "p-way1 may not send its answers to 203.0.113.1: Network is unreachable",
             inside + "ip rule del unreachable"},
            {inside + "ip rule add from " + address + " blackhole",
             "p-way1 may not send its answers to 203.0.113.1: Invalid argument",
             inside + "ip rule del from " + address + " blackhole"},
            {inside + "ip rule add prohibit",
             "p-way1 may not send its answers to 203.0.113.1: Permission denied",
             inside + "ip rule del prohibit"},
        };
        for (const auto& [breaks, says, mends] : all) {
            INFO(breaks);
            REQUIRE(on_host({"sh", "-c", breaks}).status == 0);
            CHECK_FALSE(answers(18022));
            const auto row = row_with(daemon, "p-way1", "blocked");
            INFO(boost::json::serialize(row));
            CHECK(text(row, "explanation").find(says) != std::string::npos);
            const auto command = mends.empty() ? text(row, "suggestion") : mends;
            REQUIRE(on_host({"sh", "-c", command}).status == 0);
            (void)row_with(daemon, "p-way1", "works");
            CHECK(support::eventually([] { return answers(18022); }, std::chrono::seconds(5)));
        }
        // A route without a gateway: it asks for everybody on its own link.
        REQUIRE(on_host({"sh", "-c", inside + "ip route replace default dev eth0"}).status == 0);
        CHECK_FALSE(answers(18022));
        const auto alone = row_with(daemon, "p-way1", "blocked");
        CHECK(
            text(alone, "explanation")
                .find("p-way1 asks for 203.0.113.1 itself on the link of eth0, as its route default dev eth0 "
                      "has no gateway") != std::string::npos);
        // Where the host answers for others it works.
        for (const std::string whose : {"p-way", "all"}) {
            const auto proxies = "net.ipv4.conf." + whose + ".proxy_arp=";
            REQUIRE(on_host({"sysctl", "-qw", proxies + "1"}).status == 0);
            CHECK(support::eventually([] { return answers(18022); }, std::chrono::seconds(5)));
            (void)row_with(daemon, "p-way1", "works");
            REQUIRE(on_host({"sysctl", "-qw", proxies + "0"}).status == 0);
        }
        {
            const Container router("p-way2", {"--network", "p-way"});
            (void)row_with(daemon, "p-way1", "blocked");
            REQUIRE(support::run({"nsenter", "--net=/proc/" + std::to_string(pid_of("p-way2")) + "/ns/net",
                                  "sysctl", "-qw", "net.ipv4.conf.eth0.proxy_arp=1"})
                        .status == 0);
            (void)row_with(daemon, "p-way1", "works");
        }
        REQUIRE(on_host({"sh", "-c", text(alone, "suggestion")}).status == 0);
        (void)row_with(daemon, "p-way1", "works");
        CHECK(support::eventually([] { return answers(18022); }, std::chrono::seconds(5)));
        // The route of a policy rule's table, which no command for the main one mends.
        REQUIRE(on_host({"sh", "-c",
                         inside + "ip route add default dev eth0 table 100; " + inside + "ip rule add from " +
                             address + " table 100; " + inside + "ip neigh flush dev eth0"})
                    .status == 0);
        CHECK_FALSE(answers(18022));
        const auto by_rule = row_with(daemon, "p-way1", "blocked");
        CHECK(text(by_rule, "explanation").find("route default dev eth0 table 100 has no gateway") !=
              std::string::npos);
        CHECK(text(by_rule, "suggestion") == "netlab routes p-way1");
        REQUIRE(on_host({"sh", "-c",
                         inside + "ip rule del from " + address + " table 100; " + inside +
                             "ip neigh flush dev eth0"})
                    .status == 0);
        (void)row_with(daemon, "p-way1", "works");
        // One that shares its namespace and comes first changes nothing.
        {
            const Container member("p-way0", {"--network", "container:p-way1"});
            (void)row_with(daemon, "p-way1", "works");
            REQUIRE(on_host({"ip", "route", "add", "blackhole", address}).status == 0);
            const auto rows = ports(daemon, {"p-way0", "p-way1"});
            REQUIRE(on_host({"ip", "route", "del", "blackhole", address}).status == 0);
            INFO(rows.finished.out << rows.finished.err);
            CHECK(text(row_of(rows), "explanation").find("has the route blackhole " + address) !=
                  std::string::npos);
        }
        // Of some clients alone.
        REQUIRE(on_host({"sh", "-c", inside + "ip route add blackhole 198.51.100.0/24"}).status == 0);
        CHECK_FALSE(answers(18022));
        const auto some = row_with(daemon, "p-way1", "works");
        CHECK(boost::json::serialize(some.at("notes"))
                  .find("p-way1 has the route blackhole 198.51.100.0/24: whom") != std::string::npos);
        REQUIRE(on_host({"sh", "-c", inside + "ip route del blackhole 198.51.100.0/24"}).status == 0);
        // Past the host, who would have to translate it back.
        const auto set_default = [&](const std::string& gateway) {
            REQUIRE(on_host({"sh", "-c", inside + "ip route replace default via " + gateway}).status == 0);
        };
        const auto nobody = address.substr(0, address.rfind('.')) + ".250";
        set_default(nobody);
        CHECK_FALSE(answers(18022));
        const auto row = row_with(daemon, "p-way1", "unknown");
        CHECK(
            text(row, "explanation").find("answers the outside by eth0 and " + nobody + ", past the host") !=
            std::string::npos);
        set_default(address.substr(0, address.rfind('.')) + ".1");
        (void)row_with(daemon, "p-way1", "works");
    }
    docker({"network", "rm", "p-way"});
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

TEST_CASE("ports: on an IPv6 network docker-proxy leads to the IPv6 address, where it must listen too",
          "[docker][ports]") {
    const support::Daemon daemon(settings());
    const Container container("p-six", {"--network", "net6", "-p", "18013:80"});
    docker({"exec", "-d", "p-six", "httpd", "-f", "-h", "/", "-p", address_of("p-six", "net6") + ":80"});
    (void)row_with(daemon, "p-six", "works");
    CHECK(answers(18013));
    const auto row = row_with(daemon, "p-six", "other_family", "ipv6");
    CHECK_FALSE(answers(std::string(host_address_v6) + ":18013"));
    CHECK(text(row, "explanation").find("takes IPv4 alone") != std::string::npos);
    const auto address = text(inspect("p-six").at("NetworkSettings").at("Networks").at("net6").as_object(),
                              "GlobalIPv6Address");
    docker({"exec", "-d", "p-six", "httpd", "-f", "-h", "/", "-p", "[" + address + "]:80"});
    (void)row_with(daemon, "p-six", "works", "ipv6");
    CHECK(answers(std::string(host_address_v6) + ":18013"));
}

TEST_CASE("ports: on the host's network a container's own sockets are its ports", "[docker][ports]") {
    const support::Daemon daemon(settings());
    const Container container("p-host", {"--network", "host"});
    serve(container, "18014");
    object row;
    CHECK(support::eventually(
        [&] {
            row = row_of(ports(daemon, {"p-host"}), "ipv6");
            return !row.empty();
        },
        std::chrono::seconds(5)));
    INFO(boost::json::serialize(row));
    CHECK(answers(18014));
    CHECK(text(carrier(row), "kind") == "host_network");
    CHECK(row.at("host_port").to_number<int>() == 18014);
    CHECK(text(row, "verdict") == "works");
    const auto both = ports(daemon, {"p-host"});
    CHECK(both.rows.size() == 2);
    CHECK(text(row_of(both), "verdict") == "works");
    CHECK(answers(std::string(host_address_v6) + ":18014"));
    // Its answers meet the host's rules.
    REQUIRE(on_host({"sh", "-c", "iptables -w -I OUTPUT -p tcp --sport 18014 -j DROP"}).status == 0);
    CHECK_FALSE(answers(18014));
    const auto dropped = row_with(daemon, "p-host", "blocked");
    CHECK(text(dropped, "explanation")
              .starts_with("what the host answers from 198.51.100.2:18014 is dropped by"));
    REQUIRE(on_host({"sh", "-c", text(dropped, "suggestion")}).status == 0);
    (void)row_with(daemon, "p-host", "works");
    CHECK(answers(18014));
}

TEST_CASE("ports: exposed and not published only where it is asked for", "[docker][ports]") {
    const support::Daemon daemon(settings());
    const Container container("p-expose", {"--expose", "8081"});
    CHECK(support::eventually(
        [&] {
            return ports(daemon, {"--exposed", "p-expose"}).rows.size() == 1;
        },
        std::chrono::seconds(5)));
    const auto shown = ports(daemon, {"--exposed", "p-expose"});
    CHECK(text(row_of(shown), "verdict") == "not_published");
    CHECK(shown.finished.status == 0);
    CHECK(ports(daemon, {"p-expose"}).rows.empty());
}

TEST_CASE("ports: Podman's web is dropped by the policy that Docker set, until a rule accepts it",
          "[docker][ports]") {
    const support::Daemon daemon(settings());
    const SavedRules saved_rules;
    const auto row = row_with(daemon, "web", "blocked");
    CHECK_FALSE(answers(8088));
    CHECK(answers(std::string(host_address) + ":8088", false));
    CHECK(text(row, "engine") == "podman");
    CHECK(text(carrier(row), "kind") == "dnat");
    CHECK(text(carrier(row).at("rule").as_object(), "chain").starts_with("NETAVARK-DN-"));
    REQUIRE(on_host({"sh", "-c", text(row, "suggestion")}).status == 0);
    (void)row_with(daemon, "web", "works");
    CHECK(answers(8088));
}

TEST_CASE("ports: without Podman's rules only conmon has the port, which carries nothing",
          "[docker][ports]") {
    const support::Daemon daemon(settings());
    (void)row_with(daemon, "web", "blocked");
    const SavedRules saved_rules;
    REQUIRE(on_host({"iptables", "-t", "nat", "-F"}).status == 0);
    CHECK(text(row_with(daemon, "web", "not_carried"), "suggestion") == "podman network reload web");
    CHECK_FALSE(answers(8088));
    CHECK_FALSE(answers("127.0.0.1:8088", false));
}

TEST_CASE("ports: as text a line for each, then the cause and what to do", "[docker][ports]") {
    const support::Daemon daemon(settings());
    const Container container("p-text", {"-p", "0.0.0.0:18015:80"});
    (void)row_with(daemon, "p-text", "no_listener");
    const auto finished = daemon.netlab({"ports", "p-text"});
    INFO(finished.out << finished.err);
    CHECK(finished.status == 1);
    CHECK(finished.lines().at(0).starts_with("CONTAINER"));
    CHECK(finished.lines().at(1).find("0.0.0.0:18015/tcp") != std::string::npos);
    CHECK(finished.lines().at(1).ends_with("no listener"));
    CHECK(finished.out.find("p-text 0.0.0.0:18015/tcp: nothing in p-text listens on TCP port 80\n") !=
          std::string::npos);
    CHECK(daemon.netlab({"ports", "co2"}).out == "no published ports\n");
    CHECK(daemon.netlab({"ports", "sidecar1"})
              .out.starts_with("no published ports\nsidecar1 shares its network namespace with co1: "));
    CHECK(daemon.netlab({"ports", "nobody"}).status == 3);
}
