#include "daemon/operations/why_rules_around.hpp"

#include "tests/support/catch.hpp"

#include <arpa/inet.h>  // before the kernel's headers, which then leave out what it has
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter_bridge.h>

using namespace netlab;
using namespace netlab::operations;
using api::WhyProtocol;

namespace {

IpAddress address(const char* text) {
    return *IpAddress::parse(text);
}

WayPoint point(std::size_t place, const char* interface, const char* kind, bool forwards = false) {
    WayPoint out;
    out.place = place;
    out.forwards = forwards;
    out.hop.interface = interface;
    out.hop.kind = kind;
    return out;
}

std::optional<FramePassage> passage(const std::vector<WayPoint>& points) {
    Way way;
    way.points = points;
    return frames_of(way, "host", 1, [](const std::string& name) { return name.starts_with("br"); });
}

kernel::RuleChain chain(const char* table, std::uint32_t hook, const char* device = nullptr) {
    kernel::RuleChain out;
    out.table = table;
    out.name = "c";
    out.hook = kernel::NftHook{hook, 0};
    if (device != nullptr) out.hook->devices = {device};
    return out;
}

kernel::RuleChain dropping(kernel::RuleChain chain, std::uint16_t destination_port,
                           std::uint16_t source_port = 0) {
    kernel::PacketRule rule;
    rule.handle = 7;
    rule.action = kernel::RuleAction::drop;
    if (destination_port != 0)
        rule.destination_port =
            kernel::Condition<kernel::PortRange>{{destination_port, destination_port}, false};
    if (source_port != 0)
        rule.source_port = kernel::Condition<kernel::PortRange>{{source_port, source_port}, false};
    chain.rules.push_back(rule);
    return chain;
}

/// co1 to co2 over one bridge of the host's.
struct Case {
    FamilyRules from{{}, true};
    FamilyRules to{{}, true};
    FamilyRules host{{}, true};
    Flow flow{WhyProtocol::tcp, 0, address("172.18.0.3"), 80};
    WayAddresses at{address("172.18.0.2"),
                    {address("172.18.0.3"), 80},
                    address("172.18.0.2"),
                    {address("172.18.0.3"), 80}};

    [[nodiscard]] WayRules rules() const {
        WayRules out;
        out.from = WayEnd{0, {"co1", "", "eth0"}, &from};
        out.to = WayEnd{2, {"co2", "eth0", "", true}, &to};
        out.frames =
            passage({point(0, "eth0", "source"), point(1, "veth1", "port"), point(1, "br0", "bridge", true),
                     point(1, "veth2", "port"), point(2, "eth0", "destination")});
        out.host = &host;
        return out;
    }
    [[nodiscard]] RulesAround there() const { return decide_around(rules(), flow, at); }
    [[nodiscard]] RulesAround back() const { return decide_answer_around(rules(), flow, at); }
};

}  // namespace

TEST_CASE("why rules around: how frames pass the host is read off the way", "[unit]") {
    using Side = FramePassage::Side;
    const auto switched = passage({point(0, "eth0", "source"), point(1, "veth1", "port"),
                                   point(1, "br0", "bridge", true), point(1, "veth2", "port")});
    REQUIRE(switched);
    CHECK(*switched == FramePassage{"host", Side{"veth1", "br0"}, Side{"veth2", "br0"}, true, true});
    const auto routed = passage({point(1, "veth1", "port"), point(1, "br0", "bridge"), point(1, "", "nat"),
                                 point(1, "br1", "route"), point(1, "veth3", "port")});
    CHECK(*routed == FramePassage{"host", Side{"veth1", "br0"}, Side{"veth3", "br1"}});
    CHECK(*passage({point(1, "eth0", "port"), point(1, "eth1", "route")}) ==
          FramePassage{"host", Side{"", "eth0"}, Side{"", "eth1"}});
    CHECK(*passage({point(1, "br0", "source"), point(1, "veth1", "port")}) ==
          FramePassage{"host", std::nullopt, Side{"veth1", "br0"}});
    CHECK(*passage({point(1, "veth1", "port"), point(1, "br0", "destination")}) ==
          FramePassage{"host", Side{"veth1", "br0"}, std::nullopt});
    CHECK_FALSE(passage({point(0, "eth0", "source"), point(2, "eth0", "destination")}));
    // What carries macvlans is no bridge; who comes twice is not followed.
    CHECK_FALSE(
        passage({point(1, "p", "port"), point(1, "eth0", "bridge", true), point(1, "q", "port")})->known);
    CHECK_FALSE(passage({point(1, "eth0", "port"), point(1, "eth1", "route"), point(2, "eth0", "port"),
                         point(1, "eth2", "port")})
                    ->known);
}

TEST_CASE("why rules around: an end's own rules stop the packet and its answer", "[unit]") {
    Case one;
    one.from.chains = {dropping(chain("ip filter", NF_INET_LOCAL_OUT), 80)};
    auto rule = one.there().before.rule;
    REQUIRE(rule);
    CHECK(rule->target == "co1");
    CHECK(one.there().before.place == std::size_t{0});
    CHECK(one.there().before.output == "eth0");
    CHECK_FALSE(one.there().behind.rule);
    one = Case();
    one.from.chains = {dropping(chain("ip filter", NF_INET_LOCAL_IN), 0, 80)};
    CHECK_FALSE(one.there().before.rule);
    rule = one.back().behind.rule;
    REQUIRE(rule);
    CHECK(rule->target == "co1");
    one = Case();
    one.to.chains = {dropping(chain("ip raw", NF_INET_PRE_ROUTING), 80)};
    rule = one.there().behind.rule;
    REQUIRE(rule);
    CHECK(rule->target == "co2");
    CHECK(one.there().behind.destination == api::Endpoint{address("172.18.0.3"), 80});
    one.to.chains = {dropping(chain("ip filter", NF_INET_LOCAL_OUT), 0, 80)};
    CHECK_FALSE(one.there().behind.rule);
    REQUIRE(one.back().before.rule);
    CHECK(one.back().before.source == api::Endpoint{address("172.18.0.3"), 80});
    one = Case();
    one.to.frames = {dropping(chain("netdev t", NF_NETDEV_INGRESS, "eth0"), 80)};
    CHECK(one.there().behind.hook == "ingress");
    one.to.frames = {dropping(chain("netdev t", NF_NETDEV_INGRESS, "eth1"), 80)};
    CHECK_FALSE(one.there().behind.rule);
    // Another port is another packet, and who was not read is not known.
    one = Case();
    one.to.chains = {dropping(chain("ip filter", NF_INET_LOCAL_IN), 81)};
    CHECK(one.there().behind.known);
    CHECK_FALSE(one.there().behind.rule);
    auto rules = one.rules();
    rules.to->rules = nullptr;
    CHECK_FALSE(decide_around(rules, one.flow, one.at).behind.known);
}

TEST_CASE("why rules around: what sees frames on the host stops the packet and its answer", "[unit]") {
    Case one;
    one.host.frames = {dropping(chain("bridge t", NF_BR_FORWARD), 80)};
    auto stop = one.there().before;
    REQUIRE(stop.rule);
    CHECK(stop.rule->target == "host");
    CHECK_FALSE(stop.place);
    CHECK(stop.input == "veth1");
    CHECK(stop.output == "veth2");
    CHECK(stop.of_no_flow);
    CHECK_FALSE(one.back().before.rule);
    one.host.frames = {dropping(chain("bridge t", NF_BR_PRE_ROUTING), 0, 80)};
    CHECK_FALSE(one.there().before.rule);
    CHECK(one.back().before.input == "veth2");
    // It's switched: the bridge itself does not take it.
    one.host.frames = {dropping(chain("bridge t", NF_BR_LOCAL_IN), 80)};
    CHECK_FALSE(one.there().before.rule);
    one.host.frames = {dropping(chain("netdev t", NF_NETDEV_INGRESS, "veth1"), 80)};
    CHECK(one.there().before.hook == "ingress");
    one.host.frames = {dropping(chain("netdev t", NF_NETDEV_EGRESS, "veth2"), 80)};
    CHECK(one.there().before.hook == "egress");
    // What asks of conntrack is not certain there.
    one.host.frames = {chain("bridge t", NF_BR_FORWARD)};
    kernel::PacketRule flow;
    flow.flow = kernel::Condition<std::uint32_t>{kernel::flow_is_established, false};
    flow.action = kernel::RuleAction::accept;
    one.host.frames.front().rules = {flow};
    one.host.frames.front().drops = true;
    CHECK_FALSE(one.there().before.rule);
    CHECK_FALSE(one.there().before.doubt.empty());
}

TEST_CASE("why rules around: what an end's own rules translate is not followed as if they did not",
          "[unit]") {
    Case one;
    auto nat = chain("ip nat", NF_INET_LOCAL_OUT);
    nat.nat = true;
    kernel::PacketRule dnat;
    dnat.action = kernel::RuleAction::dnat;
    dnat.to_address = address("172.18.0.9");
    nat.rules = {dnat};
    one.from.chains = {nat};
    one.host.frames = {dropping(chain("bridge t", NF_BR_FORWARD), 80)};
    CHECK(one.there().before.translation_in_doubt);
    CHECK(one.there().before.doubt.starts_with("co1's ip nat c: "));
    CHECK_FALSE(one.there().before.rule);
    // TO's redirection is: its input sees what it leads to.
    one = Case();
    nat = chain("ip nat", NF_INET_PRE_ROUTING);
    nat.nat = true;
    kernel::PacketRule redirect;
    redirect.action = kernel::RuleAction::redirect;
    redirect.to_port = 8080;
    nat.rules = {redirect};
    one.to.chains = {nat, dropping(chain("ip filter", NF_INET_LOCAL_IN), 8080)};
    const auto inside = destination_inside(*one.rules().to, one.flow, *one.at.answered, one.at.destination);
    REQUIRE(inside);
    CHECK(*inside == api::Endpoint{address("172.18.0.3"), 8080});
    one.at.inside = *inside;
    REQUIRE(one.there().behind.rule);
    CHECK(one.there().behind.destination == *inside);
}

TEST_CASE("why rules around: an answer that leaves TO by another interface meets the rules of that one alone",
          "[unit]") {
    Case one;
    auto leaving = dropping(chain("ip filter", NF_INET_LOCAL_OUT), 0, 80);
    leaving.rules.front().output = kernel::Condition<std::string>{"eth0", false};
    one.to.chains = {leaving};
    auto rules = one.rules();
    CHECK(decide_answer_around(rules, one.flow, one.at).before.rule);
    rules.answers_by = "eth1";
    CHECK_FALSE(decide_answer_around(rules, one.flow, one.at).before.rule);
    one.to.chains.front().rules.front().output = kernel::Condition<std::string>{"eth1", false};
    CHECK(decide_answer_around(rules, one.flow, one.at).before.output == "eth1");
    one.to = {{}, true};
    one.to.frames = {dropping(chain("netdev t", NF_NETDEV_EGRESS, "eth1"), 0, 80)};
    CHECK(decide_answer_around(rules, one.flow, one.at).before.hook == "egress");
    // What is behind sees it come another way than the packet has gone.
    one.to = {{}, true};
    one.host.frames = {dropping(chain("bridge t", NF_BR_FORWARD), 0, 80)};
    one.from.chains = {dropping(chain("ip filter", NF_INET_LOCAL_IN), 0, 80)};
    CHECK(one.back().before.rule);
    CHECK(one.back().behind.rule);
    const auto back = decide_answer_around(rules, one.flow, one.at);
    CHECK_FALSE(back.before.rule);
    CHECK_FALSE(back.behind.rule);
    CHECK_FALSE(back.behind.known);
}

TEST_CASE("why rules around: the mark that the host's rules have set, where frames leave it, is not known",
          "[unit]") {
    Case one;
    auto rules = one.rules();
    rules.frames =
        passage({point(0, "eth0", "source"), point(1, "veth1", "port"), point(1, "br0", "bridge"),
                 point(1, "br1", "route"), point(1, "veth2", "port"), point(2, "eth0", "destination")});
    for (const auto* device : {"veth1", "veth2"}) {
        auto egress = dropping(chain("netdev t", NF_NETDEV_EGRESS, device), 0);
        egress.rules.front().mark = kernel::Condition<kernel::MarkBits>{{1, 0xFFFF'FFFF}, true};
        one.host.frames.push_back(egress);
    }
    for (const auto& out : {decide_around(rules, one.flow, one.at).behind,
                            decide_answer_around(rules, one.flow, one.at).behind}) {
        CHECK_FALSE(out.rule);
        CHECK(out.doubt.starts_with("netdev t c: "));
    }
}
