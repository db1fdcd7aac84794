#include "daemon/operations/neighbour_owner.hpp"
#include "daemon/operations/route_walk.hpp"
#include "tests/support/catch.hpp"

#include <cerrno>

#include <linux/if.h>
#include <linux/rtnetlink.h>

using namespace netlab;
using namespace netlab::operations;

namespace {

constexpr std::int32_t to_host = 0;

MacAddress mac(std::uint8_t last) {
    return {{2, 0, 0, 0, 0, last}};
}

kernel::Link link(std::uint32_t index, const char* name, const char* kind, std::uint8_t last_of_mac) {
    kernel::Link link;
    link.index = index;
    link.name = name;
    link.kind = kind;
    link.mac = mac(last_of_mac);
    link.flags = IFF_UP | IFF_LOWER_UP;
    return link;
}

kernel::Link veth(std::uint32_t index, const char* name, std::uint8_t last_of_mac, std::uint32_t peer,
                  std::int32_t nsid, std::uint32_t master = 0) {
    auto made = link(index, name, "veth", last_of_mac);
    made.peer = peer;
    made.peer_nsid = nsid;
    made.master = master;
    return made;
}

kernel::Address address(std::uint32_t index, const char* prefix) {
    kernel::Address made;
    made.index = index;
    made.prefix = *IpPrefix::parse(prefix);
    return made;
}

/// Place 0 the host with br0 (ports va, vb) and a network card, 1 and 2 containers on the bridge, 3
/// elsewhere.
Topology lab() {
    std::vector<NamespaceFacts> facts(4);
    facts[0] = {"host",
                {link(1, "eth0", "", 1), link(2, "br0", "bridge", 2), veth(3, "va", 3, 2, 10, 2),
                 veth(4, "vb", 4, 2, 11, 2)},
                {address(2, "192.0.2.254/24"), address(1, "198.51.100.2/24")},
                {{10, 1}, {11, 2}}};
    facts[1] = {"a", {veth(2, "eth0", 0x11, 3, to_host)}, {address(2, "192.0.2.1/24")}, {{to_host, 0}}};
    facts[2] = {"b", {veth(2, "eth0", 0x22, 4, to_host)}, {address(2, "192.0.2.2/24")}, {{to_host, 0}}};
    facts[3] = {"c", {veth(2, "eth0", 0x33, 9, 77)}, {address(2, "192.0.2.2/24")}, {}};
    return Topology(std::move(facts));
}

kernel::Neighbour neighbour(std::uint32_t index, const char* address, std::optional<MacAddress> mac) {
    kernel::Neighbour made;
    made.index = index;
    made.address = *IpAddress::parse(address);
    made.mac = mac;
    return made;
}

}  // namespace

TEST_CASE("topology: a bridge joins the containers behind its ports", "[unit]") {
    const auto all = lab();
    CHECK(all.peer({1, 2}) == Port{0, 3});
    CHECK(all.peer({0, 4}) == Port{2, 2});
    CHECK(all.master({0, 3}) == Port{0, 2});
    CHECK(all.on_one_segment({1, 2}, {2, 2}));
    CHECK(all.on_one_segment({1, 2}, {0, 2}));
    CHECK_FALSE(all.on_one_segment({1, 2}, {0, 1}));
    CHECK_FALSE(all.on_one_segment({1, 2}, {3, 2}));
    CHECK_FALSE(all.peer({3, 2}));
    CHECK_FALSE(all.has_company({3, 2}));
    CHECK_FALSE(all.has_company({0, 1}));
}

TEST_CASE("topology: an index that is another interface's by now is no peer", "[unit]") {
    std::vector<NamespaceFacts> facts(2);
    facts[0] = {"host", {veth(3, "va", 3, 9, 10)}, {}, {{10, 1}}};
    facts[1] = {"a", {veth(2, "eth0", 0x11, 3, 0)}, {}, {{0, 0}}};
    const Topology all(std::move(facts));
    CHECK_FALSE(all.peer({1, 2}));
    CHECK_FALSE(all.on_one_segment({1, 2}, {0, 3}));
}

TEST_CASE("neigh: the owner on the same segment decides", "[unit]") {
    const auto all = lab();
    CHECK(find_owner(all, {1, 2}, neighbour(2, "192.0.2.2", mac(0x22))) == Ownership{Port{2, 2}, true});
    // c has the address and this MAC address, but it is on another network.
    CHECK(find_owner(all, {1, 2}, neighbour(2, "192.0.2.2", mac(0x33))) == Ownership{Port{2, 2}, false});
    CHECK(find_owner(all, {1, 2}, neighbour(2, "192.0.2.254", mac(2))) == Ownership{Port{0, 2}, true});
    CHECK(find_owner(all, {1, 2}, neighbour(2, "192.0.2.2", std::nullopt)) ==
          Ownership{Port{2, 2}, std::nullopt});
}

TEST_CASE("neigh: what nobody has, or only somebody elsewhere, is unknown", "[unit]") {
    const auto all = lab();
    CHECK(find_owner(all, {1, 2}, neighbour(2, "192.0.2.9", mac(9))) == Ownership{});
    // The host's router may well have an address that a container has too.
    CHECK(find_owner(all, {0, 1}, neighbour(1, "192.0.2.2", mac(9))) == Ownership{});
    // Its MAC address is proof enough, by whatever way it got there.
    CHECK(find_owner(all, {0, 1}, neighbour(1, "192.0.2.2", mac(0x33))) == Ownership{Port{3, 2}, true});
    // Nothing is known of where c's veth leads.
    CHECK(find_owner(all, {3, 2}, neighbour(2, "192.0.2.1", mac(9))) == Ownership{Port{1, 2}, false});
}

TEST_CASE("route: what an errno means for a packet", "[unit]") {
    using api::RouteStep;
    CHECK(step_of({ENETUNREACH, std::nullopt}) == RouteStep::unreachable);
    CHECK(step_of({EHOSTUNREACH, std::nullopt}) == RouteStep::unreachable);
    CHECK(step_of({EACCES, std::nullopt}) == RouteStep::prohibited);
    CHECK(step_of({EINVAL, std::nullopt}) == RouteStep::blackhole);
    CHECK(step_of({EXDEV, std::nullopt}) == RouteStep::refused);
    kernel::Route route;
    route.kind = RTN_LOCAL;
    CHECK(step_of({0, route}) == RouteStep::delivered);
    route.kind = RTN_PROHIBIT;
    CHECK(step_of({EACCES, route}) == RouteStep::prohibited);
}

TEST_CASE("route: a way that goes in circles ends", "[unit]") {
    const auto all = lab();
    // Each sends it to the other.
    AskKernel ask;
    ask.route = [](std::size_t place, const kernel::RouteQuery&) -> Result<kernel::RouteReply> {
        kernel::Route route;
        route.hop.index = 2;
        route.hop.gateway = *IpAddress::parse(place == 1 ? "192.0.2.2" : "192.0.2.1");
        return kernel::RouteReply{0, route};
    };
    ask.settings = [](std::size_t, Family, std::uint32_t) -> Result<kernel::InterfaceSettings> {
        return kernel::InterfaceSettings{true, true, std::nullopt, false};
    };
    const auto hops = walk(all, 1, {*IpAddress::parse("203.0.113.8"), std::nullopt, 0, 0, 0, false}, ask);
    REQUIRE(hops);
    CHECK(hops->size() < 40);
    CHECK(hops->back().step == api::RouteStep::unknown);
    CHECK(hops->back().note.find("circles") != std::string::npos);
}

TEST_CASE("route: what a namespace does not forward is said without a command that has its interface's name",
          "[unit]") {
    const auto all = lab();
    AskKernel ask;
    ask.settings = [](std::size_t, Family, std::uint32_t) -> Result<kernel::InterfaceSettings> {
        return kernel::InterfaceSettings{false, true, std::nullopt, false};
    };
    kernel::RouteQuery query{*IpAddress::parse("203.0.113.8"), *IpAddress::parse("192.0.2.2")};
    query.input = 2;
    kernel::RouteReply reply{0, kernel::Route()};
    const auto verdict = judge(all, ask, 1, query, reply);
    CHECK(verdict.step == api::RouteStep::not_forwarded);
    CHECK(verdict.note == "net.ipv4.conf.eth0.forwarding is 0: a forwards nothing that comes in by eth0");
}

TEST_CASE("route: a route that refuses comes before the reverse path filter", "[unit]") {
    const auto all = lab();
    AskKernel ask;
    bool refuses = false;
    ask.refuses = [&](std::size_t, const kernel::RouteQuery&) { return refuses; };
    ask.settings = [](std::size_t, Family, std::uint32_t) -> Result<kernel::InterfaceSettings> {
        return kernel::InterfaceSettings{true, true, std::nullopt, false, 1};
    };
    ask.route = [](std::size_t, const kernel::RouteQuery&) -> Result<kernel::RouteReply> {
        kernel::Route route;
        route.hop.index = 1;
        return kernel::RouteReply{0, route};
    };
    kernel::RouteQuery query{*IpAddress::parse("203.0.113.8"), *IpAddress::parse("192.0.2.2")};
    query.input = 2;
    const kernel::RouteReply reply{EINVAL, std::nullopt};
    CHECK(judge(all, ask, 0, query, reply).step == api::RouteStep::refused);
    CHECK(judge(all, ask, 0, query, reply).note.find("rp_filter") != std::string::npos);
    refuses = true;
    CHECK(judge(all, ask, 0, query, reply).step == api::RouteStep::blackhole);
}
