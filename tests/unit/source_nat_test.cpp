#include "daemon/operations/source_nat.hpp"

#include "daemon/operations/nat_judgement.hpp"
#include "daemon/operations/why_source.hpp"
#include "tests/support/catch.hpp"
#include "tests/unit/why_case.hpp"

#include <arpa/inet.h>  // before the kernel's headers, which then leave out what it has
#include <linux/netfilter.h>

using namespace netlab;
using namespace netlab::operations;
using namespace netlab::operations::test;
using api::NatVerdict;
using api::WhyVerdict;
using kernel::PacketRule;
using kernel::RuleAction;
using kernel::RuleChain;

namespace {

PacketRule of_bridge(std::uint64_t handle, RuleAction action) {
    PacketRule rule;
    rule.handle = handle;
    rule.source = {*IpPrefix::parse("172.18.0.0/16"), false};
    rule.action = action;
    return rule;
}

RuleChain postrouting(std::vector<PacketRule> rules, std::int32_t priority = 100) {
    return {false, "ip nat",         "POSTROUTING", kernel::NftHook{NF_INET_POST_ROUTING, priority},
            true,  std::move(rules), false};
}

const WayOut way_out{
    address("172.18.0.2"), address("203.0.113.8"), "br-1", "eth0", address("198.51.100.2"), true, {}, true};

std::optional<SourceNat> found_in(const std::vector<RuleChain>& chains) {
    return find_source_nat(chains, NF_INET_POST_ROUTING, packet_out(way_out));
}

api::NatOutRow judged(std::vector<RuleChain> chains) {
    api::NatOutRow row;
    judge_way_out({std::move(chains), true}, way_out, row);
    return row;
}

/// From co1 by the host's eth0 to the outside.
Case leaving(const std::vector<RuleChain>& chains) {
    Case one;
    add_host(one);
    WayPoint eth0;
    eth0.place = 1;
    eth0.port = Port{1, 2};
    eth0.hop = {"host", "eth0", "route", true, false, {}};
    WayPoint outside;
    outside.hop = {"", "", "outside", {}, {}, {}};
    one.facts.way.points = {eth0, outside};
    one.facts.leaving = LeavingSource{*found_in(chains), {}, false};
    return one;
}

Sighting left_with(const char* source) {
    Sighting out;
    out.port = {1, 2};
    out.outgoing = true;
    out.source = {address(source), 40'000};
    out.destination = {address("203.0.113.8"), 80};
    return out;
}

}  // namespace

TEST_CASE("source nat: an accept before MASQUERADE is what has to go", "[unit]") {
    const auto masquerade = of_bridge(3, RuleAction::masquerade);
    auto nat = found_in({postrouting({masquerade})});
    CHECK(nat->rule->handle == 3);
    CHECK(nat->shadowed_by.empty());
    nat = found_in({postrouting({of_bridge(9, RuleAction::accept), masquerade})});
    CHECK(nat->rule->handle == 3);
    REQUIRE(nat->shadowed_by.size() == 1);
    const auto why = explain_shadowed_nat(*nat);
    CHECK(why.explanation ==
          "ip nat POSTROUTING handle 9 (ip saddr 172.18.0.0/16 accept), a rule of the host's administrator, "
          "ends the chain before ip nat POSTROUTING handle 3 (ip saddr 172.18.0.0/16 masquerade) is met");
    CHECK(why.suggestion == "nft delete rule ip nat POSTROUTING handle 9");

    // A base chain's return is no better; of two, both have to go.
    nat = found_in(
        {postrouting({of_bridge(9, RuleAction::return_), of_bridge(10, RuleAction::accept), masquerade})});
    CHECK(explain_shadowed_nat(*nat).suggestion ==
          "nft delete rule ip nat POSTROUTING handle 9 && nft delete rule ip nat POSTROUTING handle 10");

    // An accept ends its own chain only, and one in a chain that is jumped to ends that and its caller.
    auto other = postrouting({of_bridge(20, RuleAction::accept)}, 90);
    other.table = "inet own";
    CHECK(found_in({other, postrouting({masquerade})})->shadowed_by.empty());
    nat = found_in({other, postrouting({of_bridge(9, RuleAction::accept), masquerade})});
    REQUIRE(nat->shadowed_by.size() == 1);
    CHECK(nat->shadowed_by.front().handle == 9);
    auto jump = of_bridge(11, RuleAction::jump);
    jump.chain = "own";
    auto own = postrouting({of_bridge(12, RuleAction::accept)});
    own.name = "own";
    own.hook.reset();
    own.nat = false;
    nat = found_in({postrouting({jump, masquerade}), own});
    REQUIRE(nat->shadowed_by.size() == 1);
    CHECK(nat->shadowed_by.front().handle == 12);
    // What comes back from there has met nothing that ends it.
    own.rules.front().action = RuleAction::return_;
    CHECK(found_in({postrouting({jump, masquerade}), own})->shadowed_by.empty());

    // Without one behind it an accept takes nothing away.
    nat = found_in({postrouting({of_bridge(9, RuleAction::accept)})});
    CHECK_FALSE(nat->rule);
    CHECK(nat->shadowed_by.empty());
    auto doubtful = of_bridge(9, RuleAction::accept);
    doubtful.more_conditions = true;
    CHECK_FALSE(found_in({postrouting({doubtful, masquerade})}));
}

TEST_CASE("source nat: iptables-legacy's rules are removed from the last one on", "[unit]") {
    auto first = of_bridge(0, RuleAction::accept);
    first.handle.reset();
    first.number = 1;
    auto second = first;
    second.number = 2;
    auto masquerade = of_bridge(0, RuleAction::masquerade);
    masquerade.handle.reset();
    masquerade.number = 3;
    auto chain = postrouting({first, second, masquerade});
    chain.legacy = true;
    CHECK(explain_shadowed_nat(*found_in({chain})).suggestion ==
          "iptables-legacy -t nat -D POSTROUTING 2 && iptables-legacy -t nat -D POSTROUTING 1");
}

TEST_CASE("nat: a MASQUERADE that is not met is shown with what comes first", "[unit]") {
    const auto masquerade = of_bridge(3, RuleAction::masquerade);
    auto row = judged({postrouting({of_bridge(9, RuleAction::accept), masquerade})});
    CHECK(row.verdict == NatVerdict::routed);
    CHECK(row.rule->handle == 3);
    CHECK(row.shadowed_by->handle == 9);
    CHECK(row.explanation.starts_with("ip nat POSTROUTING handle 9 (ip saddr 172.18.0.0/16 accept), a rule"));
    CHECK(row.suggestion == "nft delete rule ip nat POSTROUTING handle 9");
    row = judged({postrouting({masquerade})});
    CHECK(row.verdict == NatVerdict::translated);
    CHECK_FALSE(row.shadowed_by);
    // A new one comes before whatever may end the chain.
    row = judged({postrouting({of_bridge(9, RuleAction::accept)})});
    CHECK(row.explanation.starts_with("no MASQUERADE or SNAT rule applies"));
    CHECK(row.suggestion == "iptables -t nat -I POSTROUTING -s 172.18.0.2 -o eth0 -j MASQUERADE");
}

TEST_CASE("why: what keeps a private address from being translated is named", "[unit]") {
    auto one =
        leaving({postrouting({of_bridge(9, RuleAction::accept), of_bridge(3, RuleAction::masquerade)})});
    one.facts.sightings = {left_with("172.18.0.2")};
    auto why = one.explain(WhyVerdict::lost);
    CHECK(why.explanation.starts_with(
        "the SYN left host by eth0 with co1's own private address 172.18.0.2, to which whoever is outside "
        "has "
        "no way back: ip nat POSTROUTING handle 9 (ip saddr 172.18.0.0/16 accept), a rule of"));
    CHECK(why.suggestion == "nft delete rule ip nat POSTROUTING handle 9");
    // Where nothing was sent that is as the rules read.
    one.facts.probed = false;
    one.facts.leaving->address = address("172.18.0.2");
    why = one.explain(WhyVerdict::unknown);
    CHECK(why.explanation.find("the SYN leaves host by eth0 with co1's own") != std::string::npos);
    CHECK(why.suggestion == "nft delete rule ip nat POSTROUTING handle 9");
    // Who has no way back need not have one.
    one.facts.probed = true;
    one.facts.way.points.back().hop = {"isp", "isp0", "destination", true, {}, {}};
    one.facts.no_way_back = NoWayBack{1, address("172.18.0.2"), 101, {}};
    why = one.explain(WhyVerdict::lost);
    CHECK(why.explanation.starts_with("its answer does not leave: host has no route to 172.18.0.2"));
    CHECK(why.suggestion == "nft delete rule ip nat POSTROUTING handle 9");
    // Another container is no outside.
    one.facts.leaving->nat.shadowed_by.clear();
    one.facts.way.end = api::RouteStep::delivered;
    CHECK(explain_source(one.facts).explanation.empty());
}

TEST_CASE("why: a source that a SNAT gives and the host does not have is named", "[unit]") {
    auto snat = of_bridge(7, RuleAction::snat);
    snat.to_address = address("198.51.100.77");
    auto one = leaving({postrouting({snat, of_bridge(3, RuleAction::masquerade)})});
    one.facts.sightings = {left_with("198.51.100.77")};
    auto why = one.explain(WhyVerdict::lost);
    CHECK(
        why.explanation ==
        "the SYN left host by eth0 with the source 198.51.100.77, which ip nat POSTROUTING handle 7 gives it "
        "(ip saddr 172.18.0.0/16 snat to 198.51.100.77) and which is no address of host's: an answer comes "
        "back only where whoever is outside sends what is for it to host");
    CHECK(why.suggestion == "nft delete rule ip nat POSTROUTING handle 7");
    one.facts.leaving->is_hosts = true;
    CHECK(one.explain(WhyVerdict::lost).explanation.find("nothing has come back from outside") !=
          std::string::npos);
    // By an old entry of conntrack's it may still leave with another.
    one.facts.leaving->is_hosts = false;
    one.facts.sightings = {left_with("198.51.100.2")};
    CHECK(explain_source(one.facts).explanation.empty());
}

TEST_CASE("why: a translated packet's answer in another zone of conntrack's is not led back", "[unit]") {
    Case one;
    add_host(one);
    one.facts.translated = api::Endpoint{address("172.18.0.3"), 80};
    one.facts.rules.emplace();
    one.facts.rules_back.emplace();
    CHECK(explain_zones(one.facts).explanation.empty());
    api::NatRule by;
    by.family = "ip";
    by.table = "raw";
    by.chain = "PREROUTING";
    by.handle = 5;
    by.text = "ct zone set 5";
    one.facts.rules->zone = ZoneRule{by, std::uint16_t{5}};
    one.decision.answer = true;
    auto why = one.explain(WhyVerdict::lost);
    CHECK(
        why.explanation ==
        "somebody has answered, and the answer is not led back: ip raw PREROUTING handle 5 gives the packet "
        "another zone of conntrack's than its answer has: ct zone set 5");
    CHECK(why.suggestion == "nft delete rule ip raw PREROUTING handle 5");
    one.facts.rules_back->zone = one.facts.rules->zone;
    CHECK(explain_zones(one.facts).explanation.empty());
    one.facts.rules_back->zone->of_answers.reset();
    CHECK(explain_zones(one.facts).explanation.find(" may give ") != std::string::npos);
}
