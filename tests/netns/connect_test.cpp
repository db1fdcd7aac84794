#include "common/api/connect.hpp"

#include "tests/netns/operation_stream.hpp"
#include "tests/netns/probe_servers.hpp"
#include "tests/netns/test_network.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/command.hpp"

#include <boost/json/parse.hpp>

using namespace netlab;
using namespace netlab::test;
using namespace std::chrono_literals;

namespace {

using api::ConnectRequest;
using boost::json::object;

ConnectRequest request(std::string to, std::uint16_t port = 80) {
    ConnectRequest request;
    request.from = "a";
    request.to = std::move(to);
    request.port = port;
    request.interval_ms = 10;
    request.wait_ms = 400;
    return request;
}

ConnectRequest udp(std::string to, std::uint16_t port = 80) {
    auto made = request(std::move(to), port);
    made.udp = true;
    return made;
}

api::Target target(std::string name, const std::vector<std::string>& addresses) {
    api::Target target;
    target.name = std::move(name);
    target.runtime = api::Runtime::netns;
    target.state = api::State::running;
    api::Membership membership;
    membership.interface = "eth0";
    for (const auto& address : addresses)
        membership.addresses.push_back(*IpPrefix::parse(address));
    target.networks.push_back(std::move(membership));
    return target;
}

/// Namespaces a, b and perhaps a router r between them, and what netlab is told of them.
struct Wire {
    TestNetwork network;
    bool known = true;  ///< b is a target whose namespace is at hand

    explicit Wire(bool routed = false) : network(routed ? "abr" : "ab") {
        if (routed) {
            network.veth('a', "eth0", "10.1.0.1/24", 'r', "to-a", "10.1.0.254/24");
            network.veth('r', "to-b", "10.2.0.254/24", 'b', "eth0", "10.2.0.2/24");
            network.ip('a', "route add default via 10.1.0.254");
            network.ip('b', "route add default via 10.2.0.254");
            in('r', "sysctl -qw net.ipv4.ip_forward=1");
        } else {
            network.veth('a', "eth0", "10.1.0.1/24", 'b', "eth0", "10.1.0.2/24");
            network.ip('a', "addr add fd01::1/64 dev eth0 nodad");
            network.ip('b', "addr add fd01::2/64 dev eth0 nodad");
        }
    }

    void in(char letter, const std::string& command) const {
        REQUIRE(shell("ip netns exec " + network.name(letter) + " " + command));
    }

    /// An nftables rule in a chain of that hook.
    void rule(char letter, const std::string& hook, const std::string& words) const {
        in(letter, "nft 'add table inet t; add chain inet t " + hook + " { type filter hook " + hook +
                       " priority 0; }; add rule inet t " + hook + " " + words + "'");
    }

    [[nodiscard]] Told connect(const ConnectRequest& request) const {
        api::Context context;
        context.targets.push_back(target("a", {"10.1.0.1/24"}));
        std::vector<operations::TargetHandle> handles;
        handles.push_back(network.handle('a', "nameserver 10.1.0.99\noptions timeout:1 attempts:1\n"));
        if (known) {
            context.peer = target("b", {"10.1.0.2/24", "fd01::2/64", "10.2.0.2/24"});
            context.peer_match = api::PeerMatch::address;
            context.peer_namespace = true;
            handles.push_back(network.handle('b'));
        }
        OperationProcess process(request, std::move(handles), context);
        return listen_to(process);
    }

    [[nodiscard]] std::string neighbour_mac() const {
        const auto links = support::run_well({"ip", "-n", network.name('b'), "-j", "link", "show", "eth0"})
                               .json()
                               .as_array();
        return std::string(links.front().as_object().at("address").as_string());
    }
};

object attempt(const Told& told) {
    const auto attempts = told.of("attempt");
    REQUIRE(!attempts.empty());
    return attempts.back();
}

std::string text(const object& where, std::string_view member) {
    const auto* value = where.if_contains(member);
    return value == nullptr ? "" : std::string(value->as_string());
}

object refusal(const Told& told) {
    return attempt(told).at("refusal").as_object();
}

}  // namespace

TEST_CASE("connect: a connection is made, measured and given up without a trace", "[netns]") {
    const Wire wire;
    const NamespaceProcess server(wire.network.name('b'), [](int ready) { listen_only(ready, {}); });
    const auto told = wire.connect(request("10.1.0.2"));
    CHECK(told.ended);
    CHECK(told.events.front().at("type") == "start");
    const auto one = attempt(told);
    CHECK(one.at("outcome") == "connected");
    CHECK(one.at("remote") == boost::json::parse(R"({"address":"10.1.0.2","port":80})"));
    CHECK(one.at("local").at("address") == "10.1.0.1");
    CHECK(one.at("handshake_us").as_double() > 0);
    CHECK(one.at("rtt_us").to_number<double>() <= one.at("handshake_us").as_double());
    // 1500 bytes without the headers of IPv4 and TCP, and 12 for TCP's timestamps.
    CHECK(one.at("mss") == 1448);
    CHECK(told.text("outcome") == "connected");
    CHECK(told.number("connected") == 1);
    CHECK(told.report().if_contains("explanation") == nullptr);
    CHECK(support::run_well({"ip", "netns", "exec", wire.network.name('a'), "ss", "-Htan"}).out.empty());
}

TEST_CASE("connect: IPv6", "[netns]") {
    const Wire wire;
    const NamespaceProcess server(wire.network.name('b'), [](int ready) { listen_only(ready, {"::", 80}); });
    const auto told = wire.connect(request("fd01::2"));
    CHECK(attempt(told).at("outcome") == "connected");
    CHECK(attempt(told).at("local").at("address") == "fd01::1");
    CHECK(attempt(told).at("mss") == 1428);
    CHECK(wire.connect(request("10.1.0.2")).text("outcome") == "connected");
}

TEST_CASE("connect: 10,000 connections leave no port behind", "[netns]") {
    const Wire wire;
    wire.in('a', "sysctl -qw net.ipv4.ip_local_port_range='40000 40999'");
    const NamespaceProcess server(wire.network.name('b'), [](int ready) {
        speak_first(ready, {"0.0.0.0", 80, false, 4096}, "", Ending::close);
    });
    auto many = request("10.1.0.2");
    many.count = 10'000;
    many.interval_ms = 0;
    // Where the server is not let run its accept queue may fill: then the SYN is sent again.
    many.wait_ms = 5000;
    const auto told = wire.connect(many);
    CHECK(told.of("attempt").size() == 10'000);
    CHECK(told.number("connected") == 10'000);
    CHECK(told.report().at("handshake_us").at("p50").to_number<double>() > 0);
    CHECK(support::run_well({"ip", "netns", "exec", wire.network.name('a'), "ss", "-Htan"}).out.empty());
}

TEST_CASE("connect: refused by a kernel where nothing listens, with what listens elsewhere", "[netns]") {
    const Wire wire;
    const NamespaceProcess server(wire.network.name('b'), [](int ready) {
        listen_only(ready, {"0.0.0.0", 8080});
    });
    const auto told = wire.connect(request("10.1.0.2"));
    CHECK(told.text("outcome") == "refused");
    const auto why = refusal(told);
    CHECK(why.at("way") == "reset");
    CHECK(why.at("from") == "10.1.0.2");
    CHECK(why.at("ttl") == 64);
    CHECK(why.at("interface") == "eth0");
    CHECK(text(why, "mac") == wire.neighbour_mac());
    CHECK(told.text("explanation") == "nothing in b listens on TCP port 80; it listens on 8080");
    CHECK(told.report().at("listening").at(0).at("port") == 8080);
}

TEST_CASE("connect: refused, and the listener is bound to 127.0.0.1, to IPv6 or to another address",
          "[netns]") {
    const Wire wire;
    const auto explained = [&](const ServerPlace& place) {
        const NamespaceProcess server(wire.network.name('b'), [&](int ready) { listen_only(ready, place); });
        const auto told = wire.connect(request("10.1.0.2"));
        CHECK(told.text("outcome") == "refused");
        return told.text("explanation") + " | " + told.text("suggestion");
    };
    CHECK(explained({"127.0.0.1", 80}) ==
          "in b only 127.0.0.1:80 listens: a loopback address, which nobody outside of b reaches | let it "
          "bind to 0.0.0.0:80");
    CHECK(explained({"::", 80, true}) ==
          "in b only [::]:80 listens, which takes IPv6 alone | netlab connect a 10.1.0.2:80 -6");
    CHECK(explained({"fd01::2", 80}) ==
          "in b only [fd01::2]:80 listens, which takes IPv6 alone | netlab connect a 10.1.0.2:80 -6");
    wire.network.ip('b', "addr add 10.1.0.3/24 dev eth0");
    CHECK(explained({"10.1.0.3", 80}) ==
          "in b only 10.1.0.3:80 listens on TCP port 80, not 10.1.0.2 | netlab connect a 10.1.0.3:80");
}

TEST_CASE("connect: a reset is told from whom it is, as far as that can be seen", "[netns]") {
    const auto reject = "tcp dport 80 reject with tcp reset";
    SECTION("a firewall of b itself, though it listens") {
        const Wire wire;
        const NamespaceProcess server(wire.network.name('b'), [](int ready) { listen_only(ready, {}); });
        wire.rule('b', "input", reject);
        const auto told = wire.connect(request("10.1.0.2"));
        CHECK(told.text("outcome") == "refused");
        CHECK(told.text("explanation") ==
              "0.0.0.0:80 listens in b, and yet the reset came from b itself: a firewall rule there sends "
              "it, or one of NAT leads the SYN to where nothing listens");
    }
    SECTION("FROM's own OUTPUT chain") {
        const Wire wire;
        wire.rule('a', "output", reject);
        const auto told = wire.connect(request("10.1.0.2"));
        CHECK(told.text("outcome") == "refused");
        CHECK(refusal(told).at("interface") == "lo");
        CHECK(told.text("explanation") ==
              "a rule in the OUTPUT chain of a rejects it with a reset: no SYN has left it");
    }
    SECTION("a router between, in b's name") {
        Wire wire(true);
        const NamespaceProcess server(wire.network.name('b'), [](int ready) { listen_only(ready, {}); });
        wire.rule('r', "forward", reject);
        auto told = wire.connect(request("10.2.0.2"));
        CHECK(told.text("outcome") == "refused");
        CHECK(refusal(told).at("from") == "10.2.0.2");
        CHECK(told.text("explanation") ==
              "the SYN left a and never came to b: a firewall between the two rejects it with a reset in the "
              "name of b");
        // Without a view of b the reset's TTL still gives the router away.
        wire.known = false;
        told = wire.connect(request("10.2.0.2"));
        CHECK(refusal(told).at("ttl") == 64);
        CHECK(told.text("explanation") ==
              "the reset came with a TTL of 64, which no router has lowered: it comes from the gateway "
              "10.1.0.254 or "
              "from this side of it, where a firewall rejects it unless 10.2.0.2 is the gateway's own");
    }
    SECTION("somebody behind a router who may or may not listen") {
        Wire wire(true);
        wire.known = false;
        const auto told = wire.connect(request("10.2.0.2"));
        CHECK(refusal(told).at("ttl") == 63);
        CHECK(told.text("explanation") ==
              "nothing listens on TCP port 80 of 10.2.0.2, or a firewall rejects it with a "
              "reset: the two look the same from here");
        CHECK(told.report().if_contains("listening") == nullptr);
    }
}

TEST_CASE("connect: what nft can reject with is told by type, code and sender", "[netns]") {
    struct Case {
        const char* with;
        const char* outcome;
        int type;
        int code;
        const char* message;
    };
    const std::vector<Case> cases{
        {"icmp type port-unreachable", "refused", 3, 3, "port unreachable"},
        {"icmp type host-unreachable", "unreachable", 3, 1, "host unreachable"},
        {"icmp type net-unreachable", "unreachable", 3, 0, "network unreachable"},
        {"icmp type admin-prohibited", "unreachable", 3, 13, "administratively prohibited"},
    };
    for (const auto& one : cases) {
        for (const bool over_udp : {false, true}) {
            const Wire wire(true);
            wire.rule('r', "forward",
                      std::string("meta l4proto {tcp,udp} th dport 80 reject with ") + one.with);
            const auto told = wire.connect(over_udp ? udp("10.2.0.2") : request("10.2.0.2"));
            INFO(one.with << (over_udp ? " udp" : " tcp"));
            CHECK(told.text("outcome") == one.outcome);
            const auto why = refusal(told);
            CHECK(why.at("way") == "icmp");
            CHECK(why.at("from") == "10.1.0.254");
            CHECK(why.at("icmp_type") == one.type);
            CHECK(why.at("icmp_code") == one.code);
            CHECK(why.at("message") == one.message);
            CHECK(told.text("explanation").find("10.1.0.254") != std::string::npos);
        }
    }
}

TEST_CASE("connect: ICMPv6 is told as well", "[netns]") {
    const Wire wire;
    wire.rule('b', "input", "tcp dport 80 reject with icmpv6 type admin-prohibited");
    const auto told = wire.connect(request("fd01::2"));
    CHECK(told.text("outcome") == "unreachable");
    CHECK(refusal(told).at("from") == "fd01::2");
    CHECK(refusal(told).at("icmp_type") == 1);
    CHECK(refusal(told).at("icmp_code") == 1);
    CHECK(told.text("explanation") == "a firewall at fd01::2 rejects it");
}

TEST_CASE("connect: what the kernel of FROM would not send", "[netns]") {
    const Wire wire;
    const auto refused_locally = [&](const ConnectRequest& request, const std::string& message) {
        const auto told = wire.connect(request);
        INFO(message);
        CHECK(told.text("outcome") == "unreachable");
        CHECK(refusal(told).at("way") == "local");
        CHECK(text(refusal(told), "message") == message);
        return told.text("explanation");
    };
    CHECK(refused_locally(request("10.9.0.1"), "no route") == "a has no route to 10.9.0.1");
    CHECK(refused_locally(udp("10.9.0.1"), "no route") == "a has no route to 10.9.0.1");
    wire.network.ip('a', "route add prohibit 10.10.0.0/16");
    CHECK(refused_locally(request("10.10.0.1"), "a route or rule prohibits it") ==
          "a did not send it: a route or rule prohibits it");
    wire.network.ip('a', "route add blackhole 10.11.0.0/16");
    refused_locally(request("10.11.0.1"), "a route throws it away (blackhole)");
    wire.in('a', "sysctl -qw net.ipv6.conf.all.disable_ipv6=1");
    CHECK(refused_locally(request("fd01::2"), "there is no address of its own to send from") ==
          "a did not send it: there is no address of its own to send from");
    wire.rule('a', "output", "udp dport 80 drop");
    CHECK(refused_locally(udp("10.1.0.2"), "a firewall rule of its own forbids it") ==
          "a did not send it: a firewall rule of its own forbids it");
}

TEST_CASE("connect: nobody answers ARP", "[netns]") {
    const Wire wire;
    auto told = wire.connect(request("10.1.0.77"));
    CHECK(told.text("outcome") == "timed_out");
    CHECK(told.text("explanation") == "nobody on eth0 has answered ARP for 10.1.0.77");
    auto patient = request("10.1.0.77");
    patient.wait_ms = 4000;
    told = wire.connect(patient);
    CHECK(told.text("outcome") == "unreachable");
    CHECK(refusal(told).at("from") == "10.1.0.1");
    CHECK(told.text("explanation") == "nobody on eth0 has answered ARP for 10.1.0.77");
}

TEST_CASE("connect: a SYN that is dropped is followed as far as it came", "[netns]") {
    const auto drop = "tcp dport 80 drop";
    SECTION("by FROM's own OUTPUT chain") {
        const Wire wire;
        wire.rule('a', "output", drop);
        const auto told = wire.connect(request("10.1.0.2"));
        CHECK(told.text("outcome") == "timed_out");
        CHECK(told.text("explanation") ==
              "no SYN has left a: a rule in its own OUTPUT chain, or a filter of tc or BPF, drops it, or one "
              "of NAT leads it to where no neighbour answers");
    }
    SECTION("between") {
        const Wire wire(true);
        wire.rule('r', "forward", drop);
        const auto told = wire.connect(request("10.2.0.2"));
        CHECK(told.text("outcome") == "timed_out");
        CHECK(told.text("explanation") ==
              "the SYN left a and never came to b: something between the two drops it");
        CHECK(told.text("suggestion") == "netlab route a 10.2.0.2");
    }
    SECTION("between, and the other end is nobody that is known") {
        Wire wire(true);
        wire.known = false;
        wire.rule('r', "forward", drop);
        CHECK(wire.connect(request("10.2.0.2")).text("explanation") ==
              "the SYN left a for the gateway 10.1.0.254 and nothing came back; what became of it there "
              "cannot be seen "
              "from here");
    }
    SECTION("by b's INPUT chain, though it listens") {
        const Wire wire;
        const NamespaceProcess server(wire.network.name('b'), [](int ready) { listen_only(ready, {}); });
        wire.rule('b', "input", drop);
        const auto told = wire.connect(request("10.1.0.2"));
        CHECK(told.text("explanation") ==
              "the SYN came to b, where 0.0.0.0:80 listens, and was dropped there: by a firewall rule, or by "
              "the reverse path "
              "filter (rp_filter in `netlab sysctls b`)");
    }
    SECTION("on the way back") {
        const Wire wire(true);
        const NamespaceProcess server(wire.network.name('b'), [](int ready) { listen_only(ready, {}); });
        wire.rule('r', "forward", "tcp sport 80 drop");
        CHECK(wire.connect(request("10.2.0.2")).text("explanation") ==
              "b got the SYN and answered, but its answer did not come back to a");
    }
    SECTION("by FROM's INPUT chain") {
        const Wire wire;
        const NamespaceProcess server(wire.network.name('b'), [](int ready) { listen_only(ready, {}); });
        wire.rule('a', "input", "tcp sport 80 drop");
        CHECK(wire.connect(request("10.1.0.2")).text("explanation") ==
              "the answer came to a and was dropped there: by a rule in its own INPUT chain, or by the "
              "reverse path filter "
              "(rp_filter in `netlab sysctls a`)");
    }
}

TEST_CASE("connect: an address translation on the way does not hide the SYN", "[netns]") {
    const Wire wire(true);
    wire.in('r',
            "nft 'add table ip n; add chain ip n p { type nat hook postrouting priority 100; }; "
            "add rule ip n p oifname to-b masquerade random'");
    wire.rule('b', "input", "tcp dport 80 drop");
    CHECK(wire.connect(request("10.2.0.2")).text("explanation") ==
          "the SYN came to b, and was dropped there: by a firewall rule, or by the reverse path filter "
          "(rp_filter in `netlab sysctls b`); without that it would be refused: nothing in b listens on TCP "
          "port 80");
}

TEST_CASE("connect: FROM's own NAT sends it elsewhere", "[netns]") {
    const Wire wire;
    const auto dnat = [&](const std::string& to) {
        wire.in('a',
                "nft 'add table ip n; flush table ip n; add chain ip n o { type nat hook output priority "
                "-100; }; add rule ip n o tcp dport 80 dnat to " +
                    to + "'");
    };
    dnat("10.1.0.2:99");
    auto told = wire.connect(request("10.1.0.2"));
    CHECK(told.text("outcome") == "refused");
    CHECK(told.text("explanation") ==
          "a NAT rule (or BPF program) in a itself sends the SYN to 10.1.0.2:99 instead, which refuses it");
    dnat("10.1.0.66:80");
    told = wire.connect(request("10.1.0.2"));
    // Nobody has that address, so nothing leaves it.
    CHECK(told.text("explanation").ends_with("or one of NAT leads it to where no neighbour answers"));
    dnat("10.1.0.2:99");
    wire.rule('b', "input", "tcp dport 99 drop");
    CHECK(wire.connect(request("10.1.0.2")).text("explanation") ==
          "a NAT rule (or BPF program) in a itself sends the SYN to 10.1.0.2:99 instead, and nothing came "
          "back");
    // A rule of NAT that the probe does not meet is none.
    CHECK(wire.connect(request("10.1.0.2", 81)).text("explanation") == "nothing in b listens on TCP port 81");
}

TEST_CASE("connect: the other end's NAT passes it on, or leads it to where nothing listens", "[netns]") {
    const Wire wire;
    const NamespaceProcess server(wire.network.name('b'), [](int ready) { listen_only(ready, {}); });
    SECTION("to another machine") {
        wire.in('b', "sysctl -qw net.ipv4.ip_forward=1");
        wire.in('b',
                "nft 'add table ip n; add chain ip n p { type nat hook prerouting priority -100; }; "
                "add chain ip n q { type nat hook postrouting priority 100; }; "
                "add rule ip n p tcp dport 80 dnat to 10.1.0.1:99; add rule ip n q masquerade'");
        const auto told = wire.connect(request("10.1.0.2"));
        CHECK(told.text("outcome") == "refused");
        CHECK(told.text("explanation") ==
              "b passes the SYN on to 10.1.0.1:99: a published port, or another rule that translates "
              "addresses; "
              "it was refused there, or on the way");
        CHECK(told.text("suggestion") == "netlab connect a 10.1.0.1:99");
        wire.rule('a', "input", "tcp dport 99 drop");
        CHECK(wire.connect(request("10.1.0.2"))
                  .text("explanation")
                  .ends_with("what became of it there cannot be seen from here"));
    }
    SECTION("to a closed port of its own") {
        wire.in('b',
                "nft 'add table ip n; add chain ip n p { type nat hook prerouting priority -100; }; "
                "add rule ip n p tcp dport 80 redirect to :99'");
        CHECK(wire.connect(request("10.1.0.2")).text("explanation") ==
              "0.0.0.0:80 listens in b, and yet the reset came from b itself: a firewall rule there sends "
              "it, or "
              "one of NAT leads the SYN to where nothing listens");
    }
}

TEST_CASE("connect: the other end got the SYN, and its answer did not leave it", "[netns]") {
    const Wire wire;
    const NamespaceProcess server(wire.network.name('b'), [](int ready) { listen_only(ready, {}); });
    SECTION("by a rule") {
        wire.rule('b', "output", "tcp sport 80 drop");
        CHECK(wire.connect(request("10.1.0.2")).text("explanation") ==
              "b accepted the SYN (it waits there in SYN-RECV), and its answer did not leave it: a rule in "
              "its own "
              "OUTPUT chain drops it");
    }
    SECTION("nor the reset of a port where nothing listens") {
        wire.rule('b', "output", "tcp sport 99 drop");
        const auto said = wire.connect(request("10.1.0.2", 99)).text("explanation");
        CHECK(said.starts_with("the SYN came to b, and was dropped there: by a firewall rule"));
        CHECK(said.ends_with(
            "without that it would be refused: nothing in b listens on TCP port 99; it listens on "
            "80"));
    }
    SECTION("a reset that is dropped where it comes to") {
        wire.rule('a', "input", "tcp sport 99 drop");
        CHECK(
            wire.connect(request("10.1.0.2", 99))
                .text("explanation")
                .starts_with("the answer came to a and was dropped there: by a rule in its own INPUT chain"));
    }
    SECTION("there is no route") {
        wire.network.ip('b', "route add blackhole 10.1.0.1");
        auto told = wire.connect(request("10.1.0.2"));
        CHECK(told.text("explanation") == "the SYN came to b, which has no route back to 10.1.0.1");
        CHECK(told.text("suggestion") == "netlab route b 10.1.0.1");
        const NamespaceProcess datagrams(wire.network.name('b'),
                                         [](int ready) { take_datagrams(ready, {}, true); });
        told = wire.connect(udp("10.1.0.2"));
        CHECK(told.text("explanation") == "the datagram came to b, which has no route back to 10.1.0.1");
    }
}

TEST_CASE("connect: a reset that is lost on the way back", "[netns]") {
    const Wire wire(true);
    wire.rule('r', "forward", "tcp sport 99 drop");
    CHECK(wire.connect(request("10.2.0.2", 99)).text("explanation") ==
          "b got the SYN and refused it, but its reset did not come back to a");
}

TEST_CASE("connect: frames for another MAC address are told as such", "[netns]") {
    const Wire wire;
    const NamespaceProcess server(wire.network.name('b'), [](int ready) { listen_only(ready, {}); });
    SECTION("the SYN") {
        wire.network.ip('a', "neigh replace 10.1.0.2 lladdr 02:00:00:00:00:99 dev eth0 nud permanent");
        const auto told = wire.connect(request("10.1.0.2"));
        CHECK(told.text("explanation") ==
              "the SYN came to the link of b, but not for its MAC address: a has a wrong neighbour entry, or "
              "another machine has that address too");
        CHECK(told.text("suggestion") == "netlab neigh a");
    }
    SECTION("the answer") {
        wire.network.ip('b', "neigh replace 10.1.0.1 lladdr 02:00:00:00:00:99 dev eth0 nud permanent");
        const auto told = wire.connect(request("10.1.0.2"));
        CHECK(
            told.text("explanation")
                .starts_with("the answer came to the link of a, but not for its MAC address: b has a wrong"));
        CHECK(told.text("suggestion") == "netlab neigh b");
    }
}

TEST_CASE("connect: through the loopback it reaches nobody", "[netns]") {
    const Wire wire;
    auto asking = request("10.1.0.2");
    asking.interface = "lo";
    CHECK(wire.connect(asking).text("explanation") ==
          "the SYN left by lo, by which a reaches nobody but itself");
}

TEST_CASE("connect: nor does it hide a datagram whose port it has changed", "[netns]") {
    const Wire wire(true);
    const NamespaceProcess server(wire.network.name('b'),
                                  [](int ready) { take_datagrams(ready, {}, false); });
    wire.in('r',
            "nft 'add table ip n; add chain ip n p { type nat hook postrouting priority 100; }; "
            "add rule ip n p oifname to-b meta l4proto udp masquerade to :1-999'");
    CHECK(wire.connect(udp("10.2.0.2")).text("explanation") ==
          "the datagram came to b, where 0.0.0.0:80 takes datagrams; no answer left from there, and none may "
          "be due");
}

TEST_CASE("connect: a listener that is bound to an interface is held against the one the SYN came in by",
          "[netns]") {
    const Wire wire;
    const auto explanation = [&](const char* interface) {
        const NamespaceProcess server(wire.network.name('b'), [&](int ready) {
            listen_only(ready, {"0.0.0.0", 80, false, 16, interface});
        });
        return wire.connect(request("10.1.0.2")).text("explanation");
    };
    wire.network.ip('b', "link add dummy0 type bridge");
    CHECK(explanation("dummy0") ==
          "in b only 0.0.0.0:80 listens, on interface dummy0 alone; the SYN came in by eth0");
    wire.rule('b', "input", "tcp dport 80 drop");
    CHECK(explanation("eth0").starts_with(
        "the SYN came to b, where 0.0.0.0:80 listens, and was dropped there: by a firewall rule"));
}

TEST_CASE("connect: a full accept queue", "[netns]") {
    const Wire wire;
    const NamespaceProcess server(wire.network.name('b'), [](int ready) {
        listen_only(ready, {"0.0.0.0", 80, false, 1});
    });
    // Two connections that nobody accepts: one more than the backlog.
    const support::Process held(
        {"ip", "netns", "exec", wire.network.name('a'), "bash", "-c",
         "exec 3<>/dev/tcp/10.1.0.2/80 4<>/dev/tcp/10.1.0.2/80; echo held; exec sleep 60"});
    REQUIRE(support::eventually([&] { return held.out_so_far() == "held\n"; }, 5s));
    const auto told = wire.connect(request("10.1.0.2"));
    CHECK(told.text("outcome") == "timed_out");
    CHECK(told.text("explanation") ==
          "the accept queue of 0.0.0.0:80 in b is full: 2 connections wait and its backlog is "
          "1, so its program does not accept them");
    CHECK(told.report().at("listening").at(0).at("waiting") == 2);
}

TEST_CASE("connect: what the other end says first", "[netns]") {
    const Wire wire;
    const auto banner = [&](const std::string& words, Ending ending) {
        const NamespaceProcess server(wire.network.name('b'),
                                      [&](int ready) { speak_first(ready, {}, words, ending); });
        auto asking = request("10.1.0.2");
        asking.banner = true;
        const auto told = wire.connect(asking);
        CHECK(told.text("outcome") == "connected");
        return attempt(told);
    };
    CHECK(text(banner("SSH-2.0-x\r\n", Ending::stay_open), "banner") == R"(SSH-2.0-x\r\n)");
    const auto hostile = banner(std::string("\x1b[2J\0\xff\"\\\x9b", 9), Ending::close);
    CHECK(text(hostile, "banner") == R"(\x1b[2J\x00\xff"\\\x9b)");
    CHECK(text(banner(std::string(1000, 'x'), Ending::stay_open), "banner") == std::string(256, 'x'));
    const auto quiet = banner("", Ending::stay_open);
    CHECK(text(quiet, "banner").empty());
    CHECK(quiet.if_contains("closed") == nullptr);
    CHECK(text(banner("", Ending::close), "closed") == "end");
    CHECK(text(banner("", Ending::reset), "closed") == "reset");
}

TEST_CASE("connect: UDP: answered, refused, silent", "[netns]") {
    Wire wire;
    SECTION("answered") {
        const NamespaceProcess server(wire.network.name('b'),
                                      [](int ready) { take_datagrams(ready, {}, true); });
        auto asking = udp("10.1.0.2");
        asking.data = "hello";
        asking.banner = true;
        const auto told = wire.connect(asking);
        CHECK(told.text("outcome") == "answered");
        CHECK(attempt(told).at("bytes") == 5);
        CHECK(attempt(told).at("banner") == "hello");
        CHECK(attempt(told).at("rtt_us").as_double() > 0);
        asking.data.clear();
        CHECK(attempt(wire.connect(asking)).at("bytes") == 0);
    }
    SECTION("refused") {
        const auto told = wire.connect(udp("10.1.0.2"));
        CHECK(told.text("outcome") == "refused");
        CHECK(refusal(told).at("icmp_type") == 3);
        CHECK(refusal(told).at("icmp_code") == 3);
        CHECK(refusal(told).at("from") == "10.1.0.2");
        CHECK(told.text("explanation") == "nothing in b takes datagrams on UDP port 80");
        CHECK(wire.connect(udp("fd01::2")).text("outcome") == "refused");
    }
    SECTION("silent is undecided") {
        const NamespaceProcess server(wire.network.name('b'),
                                      [](int ready) { take_datagrams(ready, {}, false); });
        CHECK(wire.connect(udp("10.1.0.2")).text("explanation") ==
              "the datagram came to b, where 0.0.0.0:80 takes datagrams; no answer left from there, and none "
              "may be "
              "due");
    }
    SECTION("answered from another port") {
        const NamespaceProcess server(wire.network.name('b'),
                                      [](int ready) { answer_from_elsewhere(ready, {}, 5555); });
        const auto told = wire.connect(udp("10.1.0.2"));
        CHECK(told.text("outcome") == "silent");
        CHECK(told.text("explanation") ==
              "an answer came, but from 10.1.0.2:5555: a program that has connected its socket does not get "
              "it");
    }
    SECTION("answered, and dropped by a's INPUT chain") {
        const NamespaceProcess server(wire.network.name('b'),
                                      [](int ready) { take_datagrams(ready, {}, true); });
        wire.rule('a', "input", "udp sport 80 drop");
        CHECK(
            wire.connect(udp("10.1.0.2"))
                .text("explanation")
                .starts_with("the answer came to a and was dropped there: by a rule in its own INPUT chain"));
    }
    SECTION("silent, and dropped on the way") {
        wire.rule('b', "input", "udp dport 80 drop");
        const auto told = wire.connect(udp("10.1.0.2"));
        CHECK(told.text("outcome") == "silent");
        CHECK(told.text("explanation") ==
              "the datagram came to b, and no answer left it; nothing in b takes datagrams on UDP port 80");
    }
    SECTION("silent, and nobody known is there") {
        wire.known = false;
        wire.rule('b', "input", "udp dport 80 drop");
        CHECK(wire.connect(udp("10.1.0.2")).text("explanation") ==
              "that nothing came back says nothing: UDP answers only if a program does");
    }
}

TEST_CASE("connect: TLS: a ServerHello, another protocol, silence", "[netns]") {
    const Wire wire;
    auto asking = request("10.1.0.2", 443);
    asking.tls = true;
    asking.wait_ms = 2000;
    SECTION("OpenSSL answers") {
        support::run_well({"sh", "-c",
                           "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 1 "
                           "-subj '/CN=b.test' "
                           "-keyout /run/netlab-test-key.pem -out /run/netlab-test-cert.pem 2>/dev/null"});
        const support::Process server({"ip", "netns", "exec", wire.network.name('b'), "openssl", "s_server",
                                       "-accept", "443", "-key", "/run/netlab-test-key.pem", "-cert",
                                       "/run/netlab-test-cert.pem", "-alpn", "http/1.1", "-quiet"});
        object tls;
        REQUIRE(support::eventually(
            [&] {
                const auto told = wire.connect(asking);
                if (told.text("outcome") != "connected") return false;
                tls = attempt(told).at("tls").as_object();
                return true;
            },
            10s));
        CHECK(tls.at("server_hello") == true);
        CHECK(tls.at("version") == "TLSv1.3");
        CHECK(tls.at("alpn") == "http/1.1");
        CHECK(tls.at("subject") == "CN=b.test");
        CHECK(tls.if_contains("error") == nullptr);
        support::run_well({"rm", "-f", "/run/netlab-test-key.pem", "/run/netlab-test-cert.pem"});
    }
    SECTION("it speaks something else") {
        const NamespaceProcess server(wire.network.name('b'), [](int ready) {
            speak_first(ready, {"0.0.0.0", 443}, "SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n");
        });
        const auto told = wire.connect(asking);
        CHECK(told.text("outcome") == "connected");
        CHECK(attempt(told).at("tls").at("server_hello") == false);
        CHECK(attempt(told).at("tls").at("error") == "wrong version number");
    }
    SECTION("it says nothing") {
        asking.wait_ms = 300;
        const NamespaceProcess server(wire.network.name('b'), [](int ready) {
            listen_only(ready, {"0.0.0.0", 443});
        });
        CHECK(attempt(wire.connect(asking)).at("tls").at("error") == "no answer to the ClientHello in time");
    }
    SECTION("it closes") {
        const NamespaceProcess server(wire.network.name('b'), [](int ready) {
            speak_first(ready, {"0.0.0.0", 443}, "", Ending::close);
        });
        CHECK(attempt(wire.connect(asking)).at("tls").at("server_hello") == false);
    }
}

TEST_CASE("connect: a name that does not resolve, and one in the hosts file", "[netns]") {
    const Wire wire;
    auto named = request("nowhere.test");
    const auto told = wire.connect(named);
    CHECK(told.text("outcome") == "unresolved");
    CHECK(told.number("attempts") == 0);
    CHECK(!told.text("explanation").empty());
}

TEST_CASE("connect: several outcomes are counted, and the report says partial", "[netns]") {
    const Wire wire;
    auto many = request("10.1.0.2");
    many.count = 6;
    many.interval_ms = 300;
    const NamespaceProcess late(wire.network.name('b'), [](int ready) {
        if (::write(ready, "!", 1) != 1) std::_Exit(1);
        ::usleep(700'000);
        int unread[2];
        if (::pipe(unread) != 0) std::_Exit(1);
        listen_only(unread[1], {});
    });
    const auto told = wire.connect(many);
    CHECK(told.text("outcome") == "partial");
    CHECK(told.number("connected") + told.number("refused") == 6);
    CHECK(told.number("connected") >= 2);
    CHECK(told.number("refused") >= 2);
}

TEST_CASE("connect: through an interface that is named", "[netns]") {
    const Wire wire;
    const NamespaceProcess server(wire.network.name('b'), [](int ready) { listen_only(ready, {}); });
    auto chosen = request("10.1.0.2");
    chosen.interface = "eth0";
    CHECK(wire.connect(chosen).text("outcome") == "connected");
    chosen.interface = "lo";
    CHECK(wire.connect(chosen).text("outcome") != "connected");
    chosen.interface = "eth9";
    CHECK(wire.connect(chosen).error == errc::no_such_interface);
}

TEST_CASE("connect: to FROM itself over the loopback", "[netns]") {
    const Wire wire;
    auto told = wire.connect(request("127.0.0.1"));
    CHECK(told.text("outcome") == "refused");
    CHECK(refusal(told).at("from") == "127.0.0.1");
    CHECK(told.text("explanation") == "nothing in a listens on TCP port 80");
    CHECK(wire.connect(request("10.1.0.1")).text("explanation") == "nothing in a listens on TCP port 80");
    const NamespaceProcess server(wire.network.name('a'), [](int ready) {
        listen_only(ready, {"127.0.0.1", 80});
    });
    told = wire.connect(request("127.0.0.1"));
    CHECK(told.text("outcome") == "connected");
}
