#include "common/api/route.hpp"

#include "tests/netns/route_lab.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/command.hpp"

#include <boost/json/serialize.hpp>

using namespace netlab;
using namespace netlab::test;
using boost::json::object;

namespace {

void compare(const object& netlab, const object& ip) {
    INFO(boost::json::serialize(ip));
    CHECK(text(netlab, "destination") == text(ip, "dst"));
    CHECK(text(netlab, "gateway") == text(ip, "gateway"));
    CHECK(text(netlab, "interface") == text(ip, "dev"));
    if (ip.contains("prefsrc")) CHECK(text(netlab, "source") == text(ip, "prefsrc"));
    CHECK(text(netlab, "kind") == text(ip, "type"));
    CHECK(text(netlab, "table") == text(ip, "table"));
}

using Steps = std::vector<std::string>;

}  // namespace

TEST_CASE("route: what the kernel would choose, as ip route get has it", "[netns]") {
    const RouteLab lab;
    lab.network.ip('a', "route add 10.1.0.0/16 via 192.0.2.2 table 100");
    lab.network.ip('a', "rule add fwmark 7 table 100");
    lab.network.ip('a', "-6 route add default via 2001:db8:1::fe dev eth0");
    for (const std::string destination : {"192.0.2.2", "203.0.113.8", "127.0.0.1", "192.0.2.1", "10.1.2.3",
                                          "2001:db8:1::2", "2001:db8:9::9", "::1", "192.0.2.255"}) {
        INFO(destination);
        compare(lab.answer(destination), lab.referee('a', destination));
    }
    auto request = route_request("10.1.2.3");
    request.mark = 7;
    compare(lab.answer(request), lab.referee('a', "10.1.2.3 mark 7"));
    CHECK(text(lab.answer(request), "gateway") == "192.0.2.2");
    CHECK(text(lab.answer(request), "matched") == "10.1.0.0/16");
    request = route_request("203.0.113.8");
    request.from = *IpAddress::parse("192.0.2.1");
    compare(lab.answer(request), lab.referee('a', "203.0.113.8 from 192.0.2.1"));
    CHECK(text(lab.answer(request), "matched") == "default");
    request = route_request("192.0.2.1");
    request.from = *IpAddress::parse("192.0.2.9");
    request.iif = "eth0";
    compare(lab.answer(request), lab.referee('a', "192.0.2.1 from 192.0.2.9 iif eth0"));
    request.iif = "eth9";
    CHECK(inspect(request, ask(lab.network, "a", "hbi")).error == errc::no_such_interface);
}

TEST_CASE("route: routes that say no, and the want of one, are answers", "[netns]") {
    const RouteLab lab;
    const auto& n = lab.network;
    n.ip('a', "route add blackhole 10.1.0.0/16");
    n.ip('a', "route add unreachable 10.2.0.0/16");
    n.ip('a', "route add prohibit 10.3.0.0/16");
    n.ip('a', "-6 route add blackhole 2001:db8:a::/48");
    n.ip('a', "-6 route add unreachable 2001:db8:b::/48");
    n.ip('a', "-6 route add prohibit 2001:db8:c::/48");
    for (const auto& [destination, outcome, kind] :
         {std::tuple("10.1.0.1", "blackhole", "blackhole"),
          std::tuple("10.2.0.1", "unreachable", "unreachable"),
          std::tuple("10.3.0.1", "prohibited", "prohibit"),
          std::tuple("2001:db8:a::1", "blackhole", "blackhole"),
          std::tuple("2001:db8:b::1", "unreachable", "unreachable"),
          std::tuple("2001:db8:c::1", "prohibited", "prohibit"),
          std::tuple("2001:db8:d::1", "unreachable", "unreachable")}) {
        INFO(destination);
        const auto answer = lab.answer(destination);
        CHECK(text(answer, "outcome") == outcome);
        CHECK(text(answer, "kind") == kind);
        CHECK(answer.at("findings") == 1);
        CHECK(answer.at("hops").as_array().size() == 1);
        // The referee fails, or says the same type.
        const auto shown = support::run({"ip", "-n", n.name('a'), "-j", "-d", "route", "get", destination});
        if (shown.status == 0) CHECK(text(shown.json().as_array()[0].as_object(), "type") == kind);
    }
}

TEST_CASE("route: on the same bridge it is switched, to the target that has the address", "[netns]") {
    const RouteLab lab;
    for (const std::string destination : {"192.0.2.2", "2001:db8:1::2"}) {
        const auto answer = lab.answer(destination);
        CHECK(steps(answer) == Steps{"a routed", "h switched", "b delivered"});
        CHECK(text(hop(answer, 1), "input") == "br0");
        CHECK(text(hop(answer, 1), "port") == "va");
        CHECK(text(hop(answer, 1), "output_port") == "vb");
        CHECK(text(hop(answer, 2), "input") == "eth0");
        CHECK(answer.at("findings") == 0);
    }
    const auto nobody = lab.answer("192.0.2.9");
    CHECK(steps(nobody) == Steps{"a routed", "h unknown"});
    CHECK(text(hop(nobody, 1), "note").find("no target") == 0);
    CHECK(steps(lab.answer("192.0.2.1")) == Steps{"a delivered"});
}

TEST_CASE("route: behind the target the host's own route decides, as ip route get iif has it", "[netns]") {
    const RouteLab lab;
    const auto answer = lab.answer("203.0.113.8");
    CHECK(steps(answer) == Steps{"a routed", "h routed", "i delivered"});
    const auto host = hop(answer, 1);
    CHECK(text(host, "input") == "br0");
    CHECK(text(host, "port") == "va");
    CHECK(text(host, "output") == "out");
    compare(host.at("route").as_object(), lab.referee('h', "203.0.113.8 from 192.0.2.1 iif br0"));
    CHECK(text(hop(answer, 2), "input") == "in");
    compare(hop(answer, 2).at("route").as_object(), lab.referee('i', "203.0.113.8 from 192.0.2.1 iif in"));
    CHECK(steps(lab.answer("192.0.2.254")) == Steps{"a routed", "h delivered"});

    // Lost on the way, by a route of the host's and by one behind it.
    CHECK(steps(lab.answer("203.0.113.77")) == Steps{"a routed", "h prohibited"});
    CHECK(lab.answer("203.0.113.77").at("findings") == 1);
    CHECK(steps(lab.answer("203.0.113.66")) == Steps{"a routed", "h routed", "i blackhole"});
    // Where the next namespace is not known the way ends, and says so.
    CHECK(steps(lab.answer("203.0.113.8", "hb")) == Steps{"a routed", "h routed", " leaves"});
    CHECK(steps(lab.answer("203.0.113.8", "")) == Steps{"a routed", " leaves"});
    lab.forward("0");
    const auto stuck = lab.answer("203.0.113.8");
    CHECK(steps(stuck) == Steps{"a routed", "h not_forwarded"});
    CHECK(text(hop(stuck, 1), "note").find("net.ipv4.ip_forward is 0") == 0);
}

TEST_CASE("route: a target's name is its address, and says which", "[netns]") {
    const RouteLab lab;
    auto asked = ask(lab.network, "a", "hbi");
    // As the front has it: the peer's namespace is the second, and among the others too.
    auto with_peer = ask(lab.network, "ab", "hbi");
    asked.context.peer = with_peer.context.targets[1];
    asked.context.peer_match = api::PeerMatch::name;
    asked.context.peer_namespace = true;
    asked.handles = std::move(with_peer.handles);
    const auto said = inspect(route_request("b"), std::move(asked));
    REQUIRE(said.of("answer").size() == 1);
    const auto answer = said.of("answer")[0];
    CHECK(text(answer, "named") == "b");
    CHECK(text(answer, "destination") == "192.0.2.2");
    CHECK(text(answer, "explanation").find("192.0.2.1/24") != std::string::npos);
    CHECK(steps(answer) == Steps{"a routed", "h switched", "b delivered"});
}
