#include "daemon/operations/segment_path.hpp"

#include "daemon/operations/route_walk.hpp"
#include "tests/support/catch.hpp"

#include <cerrno>

#include <linux/if.h>
#include <linux/if_bridge.h>
#include <linux/rtnetlink.h>

using namespace netlab;
using namespace netlab::operations;

namespace {

constexpr std::uint32_t working = IFF_UP | IFF_LOWER_UP;

/// Namespaces with their interfaces; place N knows place M by the number 10 + M.
class Plan {
  public:
    explicit Plan(std::size_t places) : facts_(places) {
        for (std::size_t i = 0; i < places; ++i) {
            facts_[i].target = std::string(1, static_cast<char>('a' + i));
            for (std::size_t j = 0; j < places; ++j)
                facts_[i].numbered.emplace(number(j), j);
        }
    }
    Port link(std::size_t place, const std::string& name, const std::string& kind) {
        kernel::Link made;
        made.index = static_cast<std::uint32_t>(facts_[place].links.size()) + 1;
        made.name = name;
        made.kind = kind;
        made.flags = working;
        facts_[place].links.push_back(made);
        return {place, made.index};
    }
    Port port(const std::string& name, Port bridge, std::uint8_t state = BR_STATE_FORWARDING) {
        const auto made = link(bridge.place, name, "veth");
        at(made).master = bridge.index;
        kernel::BridgePortDetails details;
        details.state = state;
        rules(made).port = details;
        return made;
    }
    void pair(Port a, Port b) {
        at(a).peer = b.index;
        at(a).peer_nsid = number(b.place);
        at(b).peer = a.index;
        at(b).peer_nsid = number(a.place);
    }
    Port child(std::size_t place, const std::string& name, const std::string& kind, const std::string& mode,
               Port parent) {
        const auto made = link(place, name, kind);
        at(made).peer = parent.index;
        at(made).peer_nsid = number(parent.place);
        rules(made).mode = mode;
        if (kind == "ipvlan") rules(made).isolation = "bridge";
        return made;
    }
    void address(Port port, const char* prefix) {
        auto& made = facts_[port.place].addresses.emplace_back();
        made.index = port.index;
        made.prefix = *IpPrefix::parse(prefix);
    }
    FrameRules& rules(Port port) { return facts_[port.place].rules[port.index]; }
    kernel::Link& at(Port port) { return facts_[port.place].links[port.index - 1]; }
    [[nodiscard]] Topology topology() const { return Topology(facts_); }

  private:
    static std::int32_t number(std::size_t place) { return 10 + static_cast<std::int32_t>(place); }
    std::vector<NamespaceFacts> facts_;
};

using Kind = Obstacle::Kind;

}  // namespace

TEST_CASE("segment: a blocked port of a loop is gone around, and shown only where there is no other way",
          "[unit]") {
    // a and b on the bridges x and y, which two cables join: the first blocked on one side, as STP has it.
    Plan plan(4);
    const auto a = plan.link(0, "eth0", "veth");
    const auto b = plan.link(1, "eth0", "veth");
    const auto x = plan.link(2, "x", "bridge");
    const auto y = plan.link(3, "y", "bridge");
    plan.pair(a, plan.port("xa", x));
    plan.pair(b, plan.port("yb", y));
    const auto x1 = plan.port("x1", x, BR_STATE_BLOCKING);
    const auto y1 = plan.port("y1", y);
    const auto x2 = plan.port("x2", x);
    const auto y2 = plan.port("y2", y);
    plan.pair(x1, y1);
    plan.pair(x2, y2);
    auto path = path_to(plan.topology(), a, {b});
    REQUIRE(path);
    CHECK(path->arrived);
    CHECK(path->last == b);
    REQUIRE(path->crossings.size() == 2);
    CHECK(path->crossings[0].exit == x2);
    CHECK(path->crossings[1].entry == y2);

    plan.rules(x2).port->state = BR_STATE_LISTENING;
    path = path_to(plan.topology(), a, {b});
    REQUIRE(path);
    CHECK_FALSE(path->arrived);
    REQUIRE(path->obstacle);
    CHECK(path->obstacle->kind == Kind::blocked);
    CHECK(path->crossings.size() == 1);
    CHECK(path->crossings[0].device == x);
}

TEST_CASE("segment: one isolated port is reached by one that is not", "[unit]") {
    Plan plan(3);
    const auto a = plan.link(0, "eth0", "veth");
    const auto b = plan.link(1, "eth0", "veth");
    const auto bridge = plan.link(2, "br0", "bridge");
    const auto pa = plan.port("pa", bridge);
    const auto pb = plan.port("pb", bridge);
    plan.pair(a, pa);
    plan.pair(b, pb);
    plan.rules(pa).port->isolated = true;
    CHECK(path_to(plan.topology(), a, {b})->arrived);
    plan.rules(pb).port->isolated = true;
    CHECK(path_to(plan.topology(), a, {b})->obstacle->kind == Kind::blocked);
    CHECK(path_to(plan.topology(), a, {bridge})->arrived);
    CHECK(path_to(plan.topology(), bridge, {b})->arrived);
}

TEST_CASE("segment: macvlans of the mode vepa reach each other, and their host, by a hairpin outside",
          "[unit]") {
    Plan plan(4);
    const auto parent = plan.link(0, "eth1", "veth");
    const auto sw = plan.link(3, "switch", "bridge");
    const auto outside = plan.port("p", sw);
    plan.pair(parent, outside);
    const auto one = plan.child(1, "eth0", "macvlan", "vepa", parent);
    const auto other = plan.child(2, "eth0", "macvlan", "vepa", parent);
    CHECK_FALSE(path_to(plan.topology(), one, {other})->arrived);
    CHECK_FALSE(path_to(plan.topology(), one, {parent})->arrived);
    plan.rules(outside).port->hairpin = true;
    CHECK(path_to(plan.topology(), one, {other})->arrived);
    CHECK(path_to(plan.topology(), one, {parent})->arrived);
    CHECK(path_to(plan.topology(), parent, {one})->arrived);
    // A private one does not hear its like even then (macvlan_handle_frame).
    plan.rules(one).mode = "private";
    CHECK_FALSE(path_to(plan.topology(), one, {other})->arrived);
}

TEST_CASE("segment: macvlans of a bridge reach its ports, but not its host", "[unit]") {
    Plan plan(3);
    const auto bridge = plan.link(0, "br0", "bridge");
    const auto a = plan.link(1, "eth0", "veth");
    const auto pa = plan.port("pa", bridge);
    plan.pair(a, pa);
    const auto child = plan.child(2, "eth0", "macvlan", "bridge", bridge);
    const auto out = path_to(plan.topology(), child, {a});
    REQUIRE(out);
    CHECK(out->arrived);
    CHECK(out->crossings == std::vector<Crossing>{{bridge, std::nullopt, pa}});
    CHECK(path_to(plan.topology(), a, {child})->arrived);
    CHECK(path_to(plan.topology(), child, {bridge})->obstacle->kind == Kind::blocked);
    CHECK(path_to(plan.topology(), bridge, {child})->obstacle->kind == Kind::blocked);
}

TEST_CASE("segment: of an ipvlan's siblings only those in its mode bridge are reached, its host never",
          "[unit]") {
    Plan plan(3);
    const auto parent = plan.link(0, "eth1", "");
    const auto one = plan.child(1, "eth0", "ipvlan", "l2", parent);
    const auto other = plan.child(2, "eth0", "ipvlan", "l2", parent);
    CHECK(path_to(plan.topology(), one, {other})->arrived);
    CHECK(path_to(plan.topology(), one, {parent})->obstacle->kind == Kind::blocked);
    plan.rules(one).isolation = plan.rules(other).isolation = "private";
    CHECK(path_to(plan.topology(), one, {other})->obstacle->kind == Kind::blocked);
}

TEST_CASE("segment: what is meant for nobody goes on to the first bridge, namespace or outside", "[unit]") {
    Plan plan(3);
    const auto wire = plan.link(0, "eth1", "");
    const auto bridge = plan.link(0, "br0", "bridge");
    const auto child = plan.child(1, "eth0", "macvlan", "private", wire);
    const auto a = plan.link(2, "eth0", "veth");
    const auto pa = plan.port("pa", bridge);
    plan.pair(a, pa);
    const auto b = plan.link(2, "eth1", "veth");
    const auto plain = plan.link(0, "vb", "veth");
    plan.pair(b, plain);
    auto path = path_to_nobody(plan.topology(), child);
    CHECK_FALSE(path.arrived);
    CHECK_FALSE(path.obstacle);
    CHECK(path.last == wire);
    path = path_to_nobody(plan.topology(), a);
    CHECK_FALSE(path.arrived);
    CHECK(path.crossings == std::vector<Crossing>{{bridge, pa, std::nullopt}});
    path = path_to_nobody(plan.topology(), b);
    CHECK(path.arrived);
    CHECK(path.last == plain);
    // The parent's own frames to nobody are not its macvlan's.
    path = path_to_nobody(plan.topology(), wire);
    CHECK_FALSE(path.obstacle);
    CHECK(path.last == wire);
    plan.at(wire).flags = IFF_UP;
    CHECK(path_to_nobody(plan.topology(), wire).obstacle->kind == Kind::link_down);
    CHECK(path_to_nobody(plan.topology(), wire).obstacle->note == "eth1 of a has no carrier");
}

TEST_CASE("segment: a labyrinth of bridges is given up, not walked for ever", "[unit]") {
    // Every port's other end is a port of the same bridge again.
    Plan plan(2);
    const auto a = plan.link(0, "eth0", "veth");
    const auto bridge = plan.link(1, "br0", "bridge");
    plan.pair(a, plan.port("pa", bridge));
    for (int i = 0; i < 3000; ++i)
        plan.pair(plan.port("p", bridge), plan.port("q", bridge));
    const auto away = plan.link(0, "eth9", "veth");
    CHECK_FALSE(path_to(plan.topology(), a, {away}));
}

TEST_CASE("route: what an ipvlan of the mode l3 does not know its parent's namespace routes", "[unit]") {
    Plan plan(3);
    const auto parent = plan.link(0, "eth1", "");
    const auto one = plan.child(1, "eth0", "ipvlan", "l3", parent);
    const auto other = plan.child(2, "eth0", "ipvlan", "l3", parent);
    plan.address(other, "192.0.2.2/24");
    std::vector<std::pair<std::size_t, kernel::RouteQuery>> asked;
    AskKernel ask;
    ask.route = [&](std::size_t place, const kernel::RouteQuery& query) -> Result<kernel::RouteReply> {
        asked.emplace_back(place, query);
        kernel::Route route;
        route.hop.index = place == 0 ? parent.index : one.index;
        if (place == 2) route.kind = RTN_LOCAL;
        return kernel::RouteReply{0, route};
    };
    ask.settings = [](std::size_t, Family, std::uint32_t) -> Result<kernel::InterfaceSettings> {
        return kernel::InterfaceSettings{};
    };
    auto hops = walk(plan.topology(), 1, {*IpAddress::parse("192.0.2.2"), std::nullopt, 0, 0, 0, false}, ask);
    REQUIRE(hops);
    REQUIRE(hops->size() == 2);
    CHECK((*hops)[1].target == "c");
    CHECK((*hops)[1].step == api::RouteStep::delivered);

    asked.clear();
    hops = walk(plan.topology(), 1, {*IpAddress::parse("203.0.113.8"), std::nullopt, 0, 0, 0, false}, ask);
    REQUIRE(hops);
    REQUIRE(hops->size() == 3);
    CHECK((*hops)[1].target == "a");
    CHECK((*hops)[2].step == api::RouteStep::leaves);
    const auto& behind = asked.back();
    CHECK(behind.first == 0);
    CHECK(behind.second.output == parent.index);
    CHECK(behind.second.input == 0);
}
