#include "tests/docker/ports_lab.hpp"
#include "tests/docker/why_lab.hpp"

using namespace netlab;
using namespace netlab::lab;
using namespace std::chrono_literals;

/// What loses packets without a rule of the firewall's that they meet: next hops, neighbours, marks. Real
/// clients on the host's link and beyond its router are the referees.

namespace {

constexpr const char* on_link = "198.51.100.3";
constexpr const char* beyond = "203.0.113.8";

/// One fault, and what is to be said of it.
struct Fault {
    std::string make;
    std::string undo;  ///< what the suggestion does not
    bool on_link_served = false;
    std::string verdict;
    std::vector<std::string> says;  ///< in the explanation
    std::string suggestion;         ///< "": one to follow
};

void check_fault(const support::Daemon& daemon, const Fault& fault, std::uint16_t port) {
    INFO(fault.make);
    const Undo undo(fault.undo.empty() ? "true" : fault.undo);
    on_host(fault.make + "; ip neigh flush dev p-hop");
    outside("ip neigh flush dev isp0");
    CHECK_FALSE(answers_from(beyond, port));
    CHECK(answers_from(on_link, port) == fault.on_link_served);
    const auto row = row_with(daemon, "p-hop1", fault.verdict);
    INFO(boost::json::serialize(row));
    for (const auto& part : fault.says)
        CHECK(contains(text(row, "explanation"), part));
    if (!fault.suggestion.empty()) {
        CHECK(text(row, "suggestion") == fault.suggestion);
        return;
    }
    on_host(text(row, "suggestion"));
    CHECK(support::eventually([&] { return answers_from(beyond, port); }, 8s));
    (void)row_with(daemon, "p-hop1", "works");
}

}  // namespace

TEST_CASE("ports: what loses packets beside the rules that they meet is not passed over", "[docker][ports]") {
    const support::Daemon daemon(settings());
    docker({"network", "create", "-o", "com.docker.network.bridge.name=p-hop", "p-hop"});
    const Undo network("docker -H unix://" + docker_socket() + " network rm p-hop");
    const Undo second_client("nsenter --net=/run/netns/" + instance() + "inet ip addr del " + on_link +
                             "/24 dev isp0");
    outside(std::string("ip addr add ") + on_link + "/24 dev isp0");
    const Container container("p-hop1", {"--network", "p-hop", "-p", "18210:80"});
    serve(container, "80");
    (void)row_with(daemon, "p-hop1", "works");
    const auto address = address_of("p-hop1", "p-hop");
    const auto subnet = address.substr(0, address.rfind('.')) + ".0/24";
    const auto arp_chain = [](const std::string& family, const std::string& hook, const std::string& rule) {
        return "nft add table " + family + " f; nft 'add chain " + family + " f c { type filter hook " +
               hook + " }'; " + rule;
    };
    const std::string arp_drop = "nft add rule bridge f c ether type arp drop";
    const std::vector<Fault> all{
        {"ip neigh replace 198.51.100.1 lladdr 02:00:00:00:00:99 nud permanent dev eth0",
         "",
         true,
         "blocked",
         {"the MAC address 02:00:00:00:00:99 by eth0", "only clients in 198.51.100.0/24 pass"},
         ""},
        {"ip neigh replace " + address + " lladdr 02:00:00:00:00:99 nud noarp dev p-hop",
         "",
         false,
         "blocked",
         {"the MAC address 02:00:00:00:00:99 by p-hop"},
         ""},
        {"ip route add default via 198.51.100.77 dev eth0 table 77; ip rule add from " + subnet +
             " lookup 77",
         "ip rule del from " + subnet + " lookup 77; ip route flush table 77",
         false,
         "unknown",
         {"198.51.100.77 on eth0", "from " + subnet + " lookup 77"},
         "netlab rules host"},
        {"ip route add default via 198.51.100.77 dev eth0 table 77; ip rule add ipproto tcp sport 80 lookup "
         "77",
         "ip rule del ipproto tcp sport 80 lookup 77; ip route flush table 77",
         false,
         "unknown",
         {"198.51.100.77 on eth0", "ipproto tcp sport 80 lookup 77"},
         "netlab rules host"},
        {"ip route del default",
         "ip route add default via 198.51.100.1 dev eth0",
         true,
         "blocked",
         {"Network is unreachable", "only clients in 198.51.100.0/24 pass"},
         "netlab routes host"},
        {"ip route replace default via 198.51.100.77 dev eth0",
         "ip route replace default via 198.51.100.1 dev eth0",
         true,
         "unknown",
         {"198.51.100.77 on eth0, and nobody has answered", "clients in 198.51.100.0/24 pass"},
         "netlab neigh host"},
        {"iptables -w -t mangle -A PREROUTING -i p-hop -j MARK --set-mark 5; ip rule add fwmark 5 "
         "unreachable",
         "iptables -w -t mangle -D PREROUTING -i p-hop -j MARK --set-mark 5; ip rule del fwmark 5",
         false,
         "unknown",
         {"from all fwmark 0x5 unreachable"},
         ""},
        {arp_chain("bridge", "input priority 0;", arp_drop),
         "nft delete table bridge f",
         false,
         "blocked",
         {"bridge f c of host handle", "ether type arp drop"},
         ""},
        {arp_chain("bridge", "prerouting priority 0;", arp_drop),
         "nft delete table bridge f",
         false,
         "blocked",
         {"bridge f c of host handle"},
         ""},
        {arp_chain("arp", "input priority 0; policy drop;", "true"),
         "nft delete table arp f",
         false,
         "blocked",
         {"arp f c of host (policy drop)"},
         ""},
    };
    for (const auto& fault : all) {
        // Nothing that could be followed, but where to look.
        auto one = fault;
        if (one.verdict == "unknown" && one.suggestion.empty()) {
            const Undo undo(one.undo);
            on_host(one.make);
            CHECK_FALSE(answers_from(beyond, 18210));
            CHECK(contains(text(row_with(daemon, "p-hop1", "unknown"), "explanation"), one.says.front()));
            continue;
        }
        check_fault(daemon, one, 18210);
        (void)support::eventually([] { return answers_from(beyond, 18210); }, 8s);
    }
}

TEST_CASE("ports: rules that keep IPv6's neighbours apart are named, the host's and the container's own",
          "[docker][ports]") {
    const support::Daemon daemon(settings());
    const Container container("p-nd", {"--network", "net6", "-p", "18211:80"});
    docker({"exec", "-d", "p-nd", "httpd", "-f", "-h", "/", "-p", "[::]:80"});
    (void)row_with(daemon, "p-nd", "works", "ipv6");
    const auto url = std::string(host_address_v6) + ":18211";
    CHECK(answers(url));
    const auto inside = "nsenter --net=/proc/" + std::to_string(pid_of("p-nd")) + "/ns/net ";
    const auto bridge = bridge_of("net6");
    const std::vector<std::array<std::string, 2>> all{
        {"nft add table bridge f; nft 'add chain bridge f c { type filter hook input priority 0; }'; "
         "nft add rule bridge f c icmpv6 type nd-neighbor-advert drop",
         "bridge f c of host handle"},
        {inside + "ip6tables -A INPUT -p icmpv6 --icmpv6-type neighbour-solicitation -j DROP",
         "ip6 filter INPUT of p-nd handle"},
    };
    for (const auto& [make, says] : all) {
        INFO(make);
        on_host(make + "; ip -6 neigh flush dev " + bridge);
        CHECK_FALSE(answers(url));
        const auto row = row_with(daemon, "p-nd", "blocked", "ipv6");
        INFO(boost::json::serialize(row));
        CHECK(contains(text(row, "explanation"), says));
        on_host(text(row, "suggestion"));
        CHECK(support::eventually([&] { return answers(url); }, 8s));
        (void)row_with(daemon, "p-nd", "works", "ipv6");
        (void)on_host("nft delete table bridge f 2>/dev/null; true");
    }
}
