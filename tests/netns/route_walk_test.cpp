#include "tests/netns/route_lab.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/command.hpp"

#include <thread>

using namespace netlab;
using namespace netlab::test;
using boost::json::object;

namespace {

using Steps = std::vector<std::string>;

bool says(const object& hop, const std::string& words) {
    const bool found = text(hop, "note").find(words) != std::string::npos;
    if (!found) UNSCOPED_INFO("the note is: " << text(hop, "note"));
    return found;
}

/// `bridge -j -d link show dev PORT` in h.
object bridge_port(const TestNetwork& network, const std::string& port) {
    return support::run_well({"bridge", "-n", network.name('h'), "-j", "-d", "link", "show", "dev", port})
        .json()
        .as_array()[0]
        .as_object();
}

void set_port(const TestNetwork& network, const std::string& words) {
    support::run_well({"sh", "-c", "bridge -n " + network.name('h') + " link set dev " + words});
}

/// h's interface `out` leads to i; a and b have macvlans of it.
struct MacvlanLab {
    TestNetwork network{"abhi"};

    MacvlanLab(const std::string& mode_a, const std::string& mode_b) {
        const auto& n = network;
        n.veth('h', "out", "198.51.100.2/24", 'i', "in", "198.51.100.1/24");
        n.ip('i', "addr add 203.0.113.8/32 dev lo");
        child('a', "198.51.100.11/24", mode_a);
        if (!mode_b.empty()) child('b', "198.51.100.12/24", mode_b);
        n.ip('a', "route add default via 198.51.100.1");
    }
    void child(char letter, const std::string& address, const std::string& mode) const {
        network.ip('h',
                   "link add eth0 link out netns " + network.name(letter) + " type macvlan mode " + mode);
        network.ip(letter, "addr add " + address + " dev eth0");
        network.ip(letter, "link set eth0 up");
    }
    [[nodiscard]] object answer(const std::string& destination, const std::string& others = "hbi") const {
        return route_answer(network, route_request(destination), others);
    }
};

}  // namespace

TEST_CASE("route: a macvlan sends by its parent, in the namespace where that lies", "[netns]") {
    for (const std::string mode : {"bridge", "private", "vepa"}) {
        INFO(mode);
        const MacvlanLab lab(mode, {});
        REQUIRE(ping_arrives(lab.network, 'a', "203.0.113.8"));
        for (const std::string destination : {"203.0.113.8", "198.51.100.1"}) {
            const auto answer = lab.answer(destination, "hi");
            CHECK(steps(answer) == Steps{"a routed", "h switched", "i delivered"});
            CHECK(text(hop(answer, 1), "input") == "out");
            CHECK(text(hop(answer, 1), "output") == "out");
            CHECK(says(hop(answer, 1), "the parent of eth0 of a"));
            CHECK(text(hop(answer, 2), "input") == "in");
            CHECK(answer.at("findings") == 0);
        }
        // Whoever is not known is outside of the parent, not at the child.
        const auto outside = lab.answer("203.0.113.8", "h");
        CHECK(steps(outside) == Steps{"a routed", "h switched", " leaves"});
        CHECK(says(hop(outside, 2), "out of h"));
        CHECK(steps(lab.answer("203.0.113.8", "")) == Steps{"a routed", " leaves"});
    }
}

TEST_CASE("route: a macvlan and the host of its parent do not reach each other", "[netns]") {
    for (const std::string mode : {"bridge", "private", "vepa", "passthru"}) {
        INFO(mode);
        const MacvlanLab lab(mode, {});
        REQUIRE_FALSE(ping_arrives(lab.network, 'a', "198.51.100.2"));
        const auto answer = lab.answer("198.51.100.2", "hi");
        CHECK(steps(answer) == Steps{"a routed", "h blocked"});
        CHECK(says(hop(answer, 1), "macvlan host to container"));
        CHECK(text(hop(answer, 1), "input") == "out");
        CHECK(answer.at("findings") == 1);
    }
    // By a macvlan of the host's own they do.
    const MacvlanLab lab("bridge", {});
    lab.child('h', "198.51.100.3/32", "bridge");
    lab.network.ip('h', "route add 198.51.100.11 dev eth0");
    REQUIRE(ping_arrives(lab.network, 'a', "198.51.100.3"));
    const auto shim = lab.answer("198.51.100.3", "hi");
    CHECK(steps(shim) == Steps{"a routed", "h switched", "h delivered"});
    CHECK(text(hop(shim, 2), "input") == "eth0");
}

TEST_CASE("route: macvlans of one parent reach each other in the mode bridge only", "[netns]") {
    for (const auto& [one, other, passes] :
         {std::tuple("bridge", "bridge", true), std::tuple("bridge", "private", false),
          std::tuple("private", "private", false), std::tuple("vepa", "vepa", false)}) {
        INFO(one << " " << other);
        const MacvlanLab lab(one, other);
        REQUIRE(ping_arrives(lab.network, 'a', "198.51.100.12") == passes);
        const auto answer = lab.answer("198.51.100.12");
        CHECK(steps(answer) ==
              (passes ? Steps{"a routed", "h switched", "b delivered"} : Steps{"a routed", "h blocked"}));
        CHECK(answer.at("findings") == (passes ? 0 : 1));
    }
}

TEST_CASE("route: an IPv6 packet is lost where the host does not forward", "[netns]") {
    const RouteLab lab;
    const std::string destination = "2001:db8:8::8";
    REQUIRE(ping_arrives(lab.network, 'a', destination));
    CHECK(steps(lab.answer(destination)) == Steps{"a routed", "h routed", "i delivered"});

    set_sysctl(lab.network, 'h', "net/ipv6/conf/all/forwarding", "0");
    // The kernel has a route for what it does not forward.
    REQUIRE(text(lab.referee('h', destination + " from 2001:db8:1::1 iif br0"), "dev") == "out");
    REQUIRE_FALSE(ping_arrives(lab.network, 'a', destination));
    const auto stuck = lab.answer(destination);
    CHECK(steps(stuck) == Steps{"a routed", "h not_forwarded"});
    CHECK(says(hop(stuck, 1), "net.ipv6.conf.all.forwarding is 0"));
    CHECK(stuck.at("findings") == 1);
    // What is its own it takes all the same.
    CHECK(steps(lab.answer("2001:db8:2::2")) == Steps{"a routed", "h delivered"});

    // Of IPv6 an interface's own setting is about routers' advertisements, not about forwarding.
    set_sysctl(lab.network, 'h', "net/ipv6/conf/br0/forwarding", "1");
    REQUIRE_FALSE(ping_arrives(lab.network, 'a', destination));
    CHECK(steps(lab.answer(destination)) == Steps{"a routed", "h not_forwarded"});
    const auto forced =
        support::run({"ip", "netns", "exec", lab.network.name('h'), "sh", "-c",
                      "for i in br0 out; do echo 1 > /proc/sys/net/ipv6/conf/$i/force_forwarding; done"});
    if (forced.status == 0) {  // Linux 6.17 and later
        REQUIRE(ping_arrives(lab.network, 'a', destination));
        CHECK(steps(lab.answer(destination)) == Steps{"a routed", "h routed", "i delivered"});
    }
}

TEST_CASE("route: IPv4 is forwarded by the setting of the interface that it comes in by", "[netns]") {
    const RouteLab lab;
    const auto stuck = [&](const std::string& setting) {
        const auto answer = lab.answer("203.0.113.8");
        CHECK(steps(answer) == Steps{"a routed", "h not_forwarded"});
        CHECK(says(hop(answer, 1), setting + " is 0"));
        CHECK(answer.at("findings") == 1);
    };
    REQUIRE(ping_arrives(lab.network, 'a', "203.0.113.8"));
    set_sysctl(lab.network, 'h', "net/ipv4/conf/br0/forwarding", "0");
    REQUIRE_FALSE(ping_arrives(lab.network, 'a', "203.0.113.8"));
    stuck("net.ipv4.conf.br0.forwarding");
    lab.forward("0");
    stuck("net.ipv4.ip_forward");
    // Without a route it would not be forwarded either, and that is said too.
    lab.network.ip('h', "route del default");
    stuck("net.ipv4.ip_forward");
    CHECK(says(hop(lab.answer("203.0.113.8"), 1), "nor has it a route"));
    lab.forward("1");
    const auto lost = lab.answer("203.0.113.8");
    CHECK(steps(lost) == Steps{"a routed", "h unreachable"});
    CHECK(says(hop(lost, 1), "there is no route"));
}

TEST_CASE("route: a blackhole for some sources only is one, and no martian", "[netns]") {
    const RouteLab lab;
    lab.network.ip('h', "rule add from 192.0.2.0/24 lookup 100");
    lab.network.ip('h', "route add blackhole default table 100");
    REQUIRE(text(lab.referee('h', "203.0.113.8"), "dev") == "out");
    REQUIRE_FALSE(ping_arrives(lab.network, 'a', "203.0.113.8"));
    CHECK(steps(lab.answer("203.0.113.8")) == Steps{"a routed", "h blackhole"});
    lab.network.ip('h', "route replace prohibit default table 100");
    CHECK(steps(lab.answer("203.0.113.8")) == Steps{"a routed", "h prohibited"});
    lab.network.ip('h', "route flush table 100");
    // A source that is the host's own.
    lab.network.ip('h', "addr add 192.0.2.1/32 dev lo");
    const auto martian = lab.answer("203.0.113.8");
    CHECK(steps(martian) == Steps{"a routed", "h refused"});
    CHECK(says(hop(martian, 1), "martian"));
}

TEST_CASE("route: one of several next hops is said to be one", "[netns]") {
    const RouteLab lab;
    lab.network.ip('h', "route replace default nexthop via 198.51.100.1 nexthop via 198.51.100.9");
    const auto answer = lab.answer("203.0.113.8");
    CHECK(says(hop(answer, 1), "one of 2 next hops"));
    CHECK_FALSE(says(hop(answer, 0), "next hops"));
}

TEST_CASE("route: what is down or has no carrier passes nothing", "[netns]") {
    const RouteLab lab;
    const auto& n = lab.network;
    n.ip('b', "link set eth0 down");
    auto answer = lab.answer("192.0.2.2");
    CHECK(steps(answer) == Steps{"a routed", "h link_down"});
    CHECK(says(hop(answer, 1), "vb of h has no carrier: its other end eth0 of b is down"));
    CHECK(text(hop(answer, 1), "output_port") == "vb");
    CHECK(answer.at("findings") == 1);
    n.ip('b', "link set eth0 up");

    n.ip('h', "link set vb down");
    answer = lab.answer("192.0.2.2");
    CHECK(steps(answer) == Steps{"a routed", "h link_down"});
    CHECK(says(hop(answer, 1), "vb of h is down"));
    n.ip('h', "link set vb up");
    CHECK(steps(lab.answer("192.0.2.2")) == Steps{"a routed", "h switched", "b delivered"});

    // `ip route get` still has the way out.
    n.ip('h', "link set va down");
    REQUIRE(text(lab.referee('a', "192.0.2.2"), "dev") == "eth0");
    for (const std::string destination : {"192.0.2.2", "203.0.113.8", "192.0.2.99"}) {
        answer = lab.answer(destination);
        CHECK(steps(answer) == Steps{"a link_down"});
        CHECK(text(answer, "outcome") == "link_down");
        CHECK(says(hop(answer, 0), "eth0 of a has no carrier: its other end va of h is down"));
        CHECK(answer.at("findings") == 1);
    }
    n.ip('h', "link set va up");

    n.ip('h', "link set br0 down");
    answer = lab.answer("192.0.2.2");
    CHECK(steps(answer) == Steps{"a routed", "h link_down"});
    CHECK(says(hop(answer, 1), "br0 of h is down"));
    n.ip('h', "link set br0 up");

    n.ip('i', "link set in down");
    answer = lab.answer("198.51.100.1");
    CHECK(steps(answer) == Steps{"a routed", "h link_down"});
    CHECK(says(hop(answer, 1), "out of h has no carrier"));

    n.ip('a', "link set eth0 down");
    answer = lab.answer("192.0.2.2");
    CHECK(steps(answer) == Steps{"a unreachable"});
    CHECK(says(hop(answer, 0), "there is no route (eth0 is down)"));
}

TEST_CASE("route: a macvlan whose parent is down sends nothing", "[netns]") {
    const MacvlanLab lab("bridge", {});
    lab.network.ip('h', "link set out down");
    const auto answer = lab.answer("198.51.100.1", "hi");
    CHECK(steps(answer) == Steps{"a link_down"});
    CHECK(says(hop(answer, 0), "its parent out of h is down"));
}

TEST_CASE("route: a bridge's port that is not forwarding passes nothing", "[netns]") {
    const RouteLab lab;
    // A port that has just come up listens and learns for as long as the forward delay.
    lab.network.ip('h', "link set br0 type bridge stp_state 1 forward_delay 3000");
    const auto restart = [&](const std::string& port, const std::string& state) {
        lab.network.ip('h', "link set " + port + " down");
        lab.network.ip('h', "link set " + port + " up");
        // The kernel takes its time to notice that it has a carrier again.
        REQUIRE(support::eventually([&] { return text(bridge_port(lab.network, port), "state") == state; },
                                    std::chrono::seconds(2)));
    };
    restart("vb", "listening");
    REQUIRE_FALSE(ping_arrives(lab.network, 'a', "192.0.2.2"));
    auto answer = lab.answer("192.0.2.2");
    CHECK(steps(answer) == Steps{"a routed", "h blocked"});
    CHECK(text(hop(answer, 1), "output_port") == "vb");
    CHECK(says(hop(answer, 1), "the port vb of br0 is in the state listening"));
    CHECK(answer.at("findings") == 1);
    REQUIRE(ping_arrives(lab.network, 'a', "192.0.2.254"));
    CHECK(steps(lab.answer("192.0.2.254")) == Steps{"a routed", "h delivered"});

    // By the port that it comes in by, it reaches neither the host nor what nobody is known to have.
    restart("va", "listening");
    for (const std::string destination : {"192.0.2.2", "192.0.2.254", "203.0.113.8", "192.0.2.99"}) {
        INFO(destination);
        REQUIRE_FALSE(ping_arrives(lab.network, 'a', destination));
        answer = lab.answer(destination);
        CHECK(steps(answer) == Steps{"a routed", "h blocked"});
        CHECK(text(hop(answer, 1), "port") == "va");
        CHECK(says(hop(answer, 1), "the port va of br0 is in the state listening"));
    }
    lab.network.ip('h', "link set br0 type bridge stp_state 0");
    restart("va", "forwarding");
    restart("vb", "forwarding");
    REQUIRE(ping_arrives(lab.network, 'a', "192.0.2.2"));
    CHECK(steps(lab.answer("192.0.2.2")) == Steps{"a routed", "h switched", "b delivered"});
}

TEST_CASE("route: two isolated ports of a bridge do not reach each other, but both the host", "[netns]") {
    const RouteLab lab;
    set_port(lab.network, "va isolated on");
    REQUIRE(ping_arrives(lab.network, 'a', "192.0.2.2"));
    CHECK(steps(lab.answer("192.0.2.2")) == Steps{"a routed", "h switched", "b delivered"});
    set_port(lab.network, "vb isolated on");
    REQUIRE(bridge_port(lab.network, "vb").at("isolated").as_bool());
    for (const std::string destination : {"192.0.2.2", "2001:db8:1::2"}) {
        REQUIRE_FALSE(ping_arrives(lab.network, 'a', destination));
        const auto answer = lab.answer(destination);
        CHECK(steps(answer) == Steps{"a routed", "h blocked"});
        CHECK(says(hop(answer, 1), "between va and vb: both ports are isolated"));
        CHECK(answer.at("findings") == 1);
    }
    REQUIRE(ping_arrives(lab.network, 'a', "192.0.2.254"));
    CHECK(steps(lab.answer("192.0.2.254")) == Steps{"a routed", "h delivered"});
}

TEST_CASE("route: a frame over two bridges shows both", "[netns]") {
    const TestNetwork network("abhi");
    for (const char letter : {'h', 'i'}) {
        network.ip(letter, "link add br0 type bridge");
        network.ip(letter, "link set br0 up");
    }
    network.veth('a', "eth0", "192.0.2.1/24", 'h', "va", "");
    network.veth('b', "eth0", "192.0.2.2/24", 'i', "vb", "");
    network.veth('h', "to_i", "", 'i', "to_h", "");
    network.ip('h', "link set va master br0");
    network.ip('h', "link set to_i master br0");
    network.ip('i', "link set vb master br0");
    network.ip('i', "link set to_h master br0");
    REQUIRE(ping_arrives(network, 'a', "192.0.2.2"));
    const auto answer = route_answer(network, route_request("192.0.2.2"), "hbi");
    CHECK(steps(answer) == Steps{"a routed", "h switched", "i switched", "b delivered"});
    CHECK(text(hop(answer, 1), "output_port") == "to_i");
    CHECK(text(hop(answer, 2), "port") == "to_h");
    CHECK(text(hop(answer, 2), "output_port") == "vb");
}

TEST_CASE("route: an address on a loopback is answered for by its namespace's other interfaces, IPv4 only",
          "[netns]") {
    const RouteLab lab;
    lab.network.ip('a', "route add 203.0.113.9 dev eth0");
    lab.network.ip('b', "addr add 203.0.113.9/32 dev lo");
    REQUIRE(ping_arrives(lab.network, 'a', "203.0.113.9"));
    const auto answer = lab.answer("203.0.113.9");
    CHECK(steps(answer) == Steps{"a routed", "h switched", "b delivered"});
    CHECK(says(hop(answer, 0), "eth0 of b answers for 203.0.113.9"));
    lab.network.ip('a', "-6 route add 2001:db8:9::9 dev eth0");
    lab.network.ip('b', "addr add 2001:db8:9::9/128 dev lo nodad");
    REQUIRE_FALSE(ping_arrives(lab.network, 'a', "2001:db8:9::9"));
    CHECK(steps(lab.answer("2001:db8:9::9")) == Steps{"a routed", "h unknown"});
}

TEST_CASE("route: a gateway that nobody has is answered for by proxy_arp", "[netns]") {
    // As Calico has it.
    const TestNetwork network("ahi");
    network.veth('a', "eth0", "192.0.2.1/32", 'h', "cali0", "");
    network.veth('h', "out", "198.51.100.2/24", 'i', "in", "198.51.100.1/24");
    network.ip('a', "route add 169.254.1.1 dev eth0");
    network.ip('a', "route add default via 169.254.1.1");
    network.ip('h', "route add 192.0.2.1 dev cali0");
    network.ip('h', "route add default via 198.51.100.1");
    network.ip('i', "route add 192.0.2.0/24 via 198.51.100.2");
    set_sysctl(network, 'h', "net/ipv4/ip_forward", "1");
    const auto answer = [&] { return route_answer(network, route_request("198.51.100.1"), "hi"); };
    REQUIRE_FALSE(ping_arrives(network, 'a', "198.51.100.1"));
    CHECK(steps(answer()) == Steps{"a routed", "h unknown"});
    set_sysctl(network, 'h', "net/ipv4/conf/cali0/proxy_arp", "1");
    set_sysctl(network, 'h', "net/ipv4/neigh/cali0/proxy_delay", "0");
    network.ip('a', "neigh flush all");
    REQUIRE(ping_arrives(network, 'a', "198.51.100.1"));
    const auto proxied = answer();
    CHECK(steps(proxied) == Steps{"a routed", "h routed", "i delivered"});
    CHECK(says(hop(proxied, 0), "cali0 of h answers for 169.254.1.1 (proxy_arp)"));
}
