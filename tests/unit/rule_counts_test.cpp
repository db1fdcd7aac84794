#include "daemon/operations/rule_explanation.hpp"
#include "daemon/operations/why_counts.hpp"
#include "daemon/operations/why_explanation.hpp"
#include "daemon/operations/why_rules.hpp"
#include "daemon/operations/why_verdict.hpp"
#include "tests/support/catch.hpp"
#include "tests/unit/why_case.hpp"

#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>

using namespace netlab;
using namespace netlab::operations;
using namespace netlab::operations::test;

namespace {

kernel::XtRule rule_in(const char* chain, std::uint32_t number, std::int32_t verdict, std::uint64_t packets) {
    kernel::XtRule rule;
    rule.chain = chain;
    rule.number = number;
    rule.verdict = verdict;
    rule.packets = packets;
    return rule;
}

/// A condition that netlab does not look at.
kernel::XtRule with_string(kernel::XtRule rule) {
    kernel::XtExtension match;
    match.name = "string";
    rule.matches.push_back(match);
    return rule;
}

kernel::XtRule jump_to(const char* chain, std::uint32_t number, std::uint64_t packets) {
    auto rule = rule_in("FORWARD", number, NFT_JUMP, packets);
    rule.jump = chain;
    return rule;
}

/// FORWARD leads to USER, and drops what comes to its end; the rules in USER are the test's.
LegacyTable filter(std::vector<kernel::XtRule> user, std::uint64_t jumped, std::uint64_t by_policy) {
    kernel::XtTable table;
    table.chains = {{"FORWARD", NF_INET_FORWARD}, {"USER", std::nullopt}};
    table.rules = {jump_to("USER", 1, jumped), rule_in("FORWARD", 2, NF_DROP, by_policy)};
    table.rules.insert(table.rules.end(), user.begin(), user.end());
    return {"filter", table};
}

FamilyRules rules_of(const LegacyTable& table) {
    return {kernel::rule_chains(table.table, table.name), true};
}

RulesDecision decided(const LegacyTable& before, const LegacyTable& after) {
    const auto counts = RuleCounts::between({before}, {after}, Family::ipv4);
    REQUIRE(counts);
    const HostPassage through{"host", "br-1", "eth0", false};
    const Flow flow{api::WhyProtocol::tcp, 40'000, address("203.0.113.8"), 80};
    return decide_by_counts(rules_of(before), *counts, [&](const FamilyRules& rules) {
        return decide_by_rules(rules, through, flow, address("172.18.0.2"), {flow.remote, flow.remote_port});
    });
}

}  // namespace

TEST_CASE("rule counts: the rule that reads so is confirmed by its counter", "[unit]") {
    const auto found = decided(filter({rule_in("USER", 1, NF_DROP, 3)}, 7, 0),
                               filter({rule_in("USER", 1, NF_DROP, 5)}, 9, 0));
    REQUIRE(found.rule);
    CHECK(found.rule->chain == "USER");
    CHECK(found.count == RuleCount{3, 5});
    CHECK_FALSE(found.by_counter);
    CHECK_FALSE(found.not_met);
    Case one;
    one.facts.rules = found;
    one.facts.traced = true;
    one.decision.verdict = api::WhyVerdict::dropped;
    one.decision.by_table = true;
    CHECK(
        notes_of(one.facts, one.decision) ==
        std::vector<std::string>{
            "iptables-legacy's rules cannot be traced, so the evidence is weaker: this one is what they say "
            "by themselves, its counter rose from 3 to 5 packets while the probe was under way, and the "
            "packet was not seen behind it"});
}

TEST_CASE("rule counts: a rule that has counted nothing was not met, whatever it reads like", "[unit]") {
    // The next that has counted is the one.
    auto found = decided(filter({rule_in("USER", 1, NF_DROP, 3), rule_in("USER", 2, NF_DROP, 0)}, 7, 0),
                         filter({rule_in("USER", 1, NF_DROP, 3), rule_in("USER", 2, NF_DROP, 1)}, 8, 0));
    REQUIRE(found.rule);
    CHECK(found.number == 2);
    CHECK(found.count == RuleCount{0, 1});
    REQUIRE(found.not_met);
    CHECK(found.not_met->text == "rule 1: drop");
    // Where none has, none of them is.
    found = decided(filter({rule_in("USER", 1, NF_DROP, 3)}, 7, 0),
                    filter({rule_in("USER", 1, NF_DROP, 3)}, 8, 0));
    CHECK_FALSE(found.rule);
    REQUIRE(found.not_met);
    Case one;
    one.facts.rules = found;
    one.facts.traced = true;
    one.decision.verdict = api::WhyVerdict::lost;
    const auto notes = notes_of(one.facts, one.decision);
    REQUIRE(notes.size() == 1);
    CHECK(notes.front() ==
          "as netlab reads the host's rules, ip (legacy) filter USER (rule 1: drop) should have stopped it; "
          "its "
          "counter has not risen, so it was not that one");
}

TEST_CASE("rule counts: of a rule that is not understood its counter tells, where no other could be the one",
          "[unit]") {
    const auto users = [](std::uint64_t first, std::uint64_t second) {
        return std::vector{with_string(rule_in("USER", 1, NF_DROP, first)),
                           with_string(rule_in("USER", 2, NF_DROP, second))};
    };
    auto found = decided(filter(users(0, 0), 7, 2), filter(users(0, 1), 8, 2));
    REQUIRE(found.rule);
    CHECK(found.number == 2);
    CHECK(found.by_counter);
    CHECK(found.count == RuleCount{0, 1});
    // Both, or it and the policy, have counted: another's packets are among them.
    found = decided(filter(users(0, 0), 7, 2), filter(users(1, 1), 9, 2));
    CHECK_FALSE(found.rule);
    CHECK_FALSE(found.doubt.empty());
    found = decided(filter(users(0, 0), 7, 2), filter(users(1, 0), 9, 3));
    CHECK_FALSE(found.rule);
    // The policy alone.
    found = decided(filter(users(0, 0), 7, 2), filter(users(0, 0), 8, 3));
    REQUIRE(found.rule);
    CHECK(found.rule->text == "policy drop");
    CHECK(found.count == RuleCount{2, 3});
}

TEST_CASE("rule counts: a counter that others raise is nobody's word", "[unit]") {
    // A rule that scanners meet all day long.
    const auto found = decided(filter({with_string(rule_in("USER", 1, NF_DROP, 3))}, 7, 0),
                               filter({with_string(rule_in("USER", 1, NF_DROP, 90))}, 100, 0));
    CHECK_FALSE(found.rule);
    // And what else is known of the packet comes before a counter.
    auto rules = decided(filter({with_string(rule_in("USER", 1, NF_DROP, 3))}, 7, 0),
                         filter({with_string(rule_in("USER", 1, NF_DROP, 4))}, 8, 0));
    REQUIRE(rules.by_counter);
    Case one;
    one.facts.rules = rules;
    CHECK(decide(one.facts).verdict == api::WhyVerdict::dropped);
    one.facts.silent = SilentNeighbour{"host", "eth0", address("203.0.113.8")};
    CHECK(decide(one.facts).verdict == api::WhyVerdict::unreachable);
}

TEST_CASE("rule counts: of rules that somebody has changed meanwhile nothing is known", "[unit]") {
    const auto between = [](const LegacyTable& before, const LegacyTable& after) {
        return RuleCounts::between({before}, {after}, Family::ipv4).has_value();
    };
    const auto one = filter({rule_in("USER", 1, NF_DROP, 3)}, 7, 0);
    CHECK(between(one, filter({rule_in("USER", 1, NF_DROP, 4)}, 8, 0)));
    CHECK_FALSE(between(one, filter({rule_in("USER", 1, NF_ACCEPT, 4)}, 8, 0)));
    CHECK_FALSE(between(one, filter({}, 8, 0)));
    CHECK_FALSE(between(one, filter({rule_in("USER", 1, NF_DROP, 0)}, 8, 0)));  // iptables -Z
    CHECK_FALSE(RuleCounts::between({one}, {}, Family::ipv4));
}

TEST_CASE("rule counts: Docker's rules that are gone are missed where Docker keeps them", "[unit]") {
    Case one;
    add_host(one);
    one.facts.trace.clear();
    RulesDecision decision;
    decision.known = decision.legacy = true;
    decision.rule = rule("FORWARD", "policy drop");
    decision.rule->family = "ip (legacy)";
    decision.rule->handle.reset();
    decision.hook = "forward";
    one.facts.rules = decision;
    CHECK(explain_rule(one.facts, *decision.rule, false).suggestion == "systemctl restart docker");
    // Its chains are iptables-nft's: this policy is somebody else's.
    one.facts.rules->engine_elsewhere = true;
    CHECK(explain_rule(one.facts, *decision.rule, false).suggestion.find("restart") == std::string::npos);
}
