#include "tests/docker/ports_lab.hpp"

#include <array>

#include <boost/json/serialize.hpp>

using namespace netlab;
using namespace netlab::lab;

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
