#include "daemon/operations/why_notes.hpp"

#include "common/endpoint.hpp"
#include "daemon/operations/network_facts.hpp"
#include "daemon/operations/route_verdict.hpp"

#include <algorithm>

namespace netlab::operations {

using api::WhyVerdict;

namespace {

/// What the rules say as a table, and what the packet met.
void add_disagreement(std::vector<std::string>& notes, const WhyFacts& facts, const WhyDecision& decision) {
    if (!facts.probed || decision.by_table || decision.leg) return;
    const auto tables = tables_of(facts, false, false);
    const auto whose = [&](const api::WhyRule& rule) {
        return "as netlab reads " + (rule.target == facts.host ? "the host" : rule.target) + "'s rules, ";
    };
    const bool by_rule = decision.verdict == WhyVerdict::dropped || decision.verdict == WhyVerdict::rejected;
    const bool stopped = by_rule && decision.rule && !decision.answer;
    const auto passes = [](const RulesDecision* one) {
        return one->known && !one->rule && one->doubt.empty();
    };
    if (stopped && !tables.empty() && std::ranges::all_of(tables, passes))
        notes.push_back(whose(*decision.rule) + "none of them should have stopped it");
    if (decision.verdict != WhyVerdict::delivered) return;
    for (const auto* rules : tables) {
        if (!rules->known || !rules->rule) continue;
        const auto& rule = *rules->rule;
        notes.push_back(whose(rule) + rule.family + " " + rule.table + " " + rule.chain + " (" + rule.text +
                        ") should have stopped it; the packet has come through");
    }
}

/// "its counter rose from 3 to 5 packets while the probe was under way"
std::string risen(const RuleCount& count) {
    return "its counter rose from " + std::to_string(count.before) + " to " + std::to_string(count.after) +
           " packets while the probe was under way";
}

/// Of a rule that was found in a table, and not by a trace.
std::string evidence_of(const RulesDecision& rules) {
    if (rules.hook == "ingress" || rules.hook == "egress" || (rules.rule && rules.rule->family == "bridge"))
        return "no trace shows what an interface's ingress or egress drops, or a bridge's prerouting: the "
               "rule is "
               "the one that reads so, and the packet was not seen behind it";
    if (!rules.legacy)
        return "the rule is what " + (rules.place ? rules.rule->target : "the host") +
               "'s rules say by themselves";
    const std::string untraced = "iptables-legacy's rules cannot be traced, so the evidence is weaker: ";
    const std::string unseen = ", and the packet was not seen behind it";
    if (rules.by_counter && rules.count)
        return untraced + "netlab does not understand all of this one's conditions; " + risen(*rules.count) +
               ", that of no other rule that could have stopped it" + unseen;
    return untraced + "this one is what they say by themselves" +
           (rules.count ? ", " + risen(*rules.count) : "") + unseen;
}

/// What its counter says against a rule.
void add_unmet(std::vector<std::string>& notes, const WhyFacts& facts, const WhyDecision& decision) {
    const auto* rules = table_of(facts, decision.answer, decision.leg);
    const bool stopped = decision.verdict != WhyVerdict::delivered && decision.verdict != WhyVerdict::refused;
    if (rules == nullptr || !rules->not_met || !stopped) return;
    const auto& rule = *rules->not_met;
    notes.push_back("as netlab reads the host's rules, " + rule.family + " " + rule.table + " " + rule.chain +
                    " (" + rule.text +
                    ") should have stopped it; its counter has not risen, so it was not that one");
}

/// The way has the name of one of them.
void add_sharing(std::vector<std::string>& notes, const api::Target& target) {
    if (!shares_namespace(target) || !target.namespace_ || target.namespace_->shared_with.empty()) return;
    notes.push_back(target.name + " shares its network namespace with " +
                    list_and(target.namespace_->shared_with) + ": the packets of one are the other's");
}

}  // namespace

std::vector<std::string> notes_of(const WhyFacts& facts, const WhyDecision& decision) {
    std::vector<std::string> notes;
    const bool answered = facts.end && facts.end->kind == ProbeEnd::Kind::answered;
    if (facts.probed && !facts.traced)
        notes.push_back("the packet's way through the rules was not traced (" + facts.untraced + ")" +
                        (decision.verdict == WhyVerdict::delivered && answered
                             ? ""
                             : ": what stopped it is told from where it was seen alone"));
    if (decision.by_table && facts.probed) {
        const auto* rules =
            decision.rule ? table_with(facts, *decision.rule, decision.answer, decision.leg) : nullptr;
        if (rules == nullptr) rules = table_of(facts, decision.answer, decision.leg);
        if (rules != nullptr) notes.push_back(evidence_of(*rules));
    }
    add_unmet(notes, facts, decision);
    add_disagreement(notes, facts, decision);
    if (facts.proxied)
        notes.push_back(
            "a process of the engine's on the host takes it (docker-proxy, or Podman's), and makes a "
            "connection "
            "of its own to " +
            endpoint_text(facts.proxied->to.address, facts.proxied->to.port) + " of " +
            facts.proxied->target);
    if (const auto& from = facts.context.targets.front(); from.state == api::State::paused)
        notes.push_back(from.name + " is paused: its own programs send nothing now");
    add_sharing(notes, facts.context.targets.front());
    if (facts.context.peer) add_sharing(notes, *facts.context.peer);
    if (!facts.saw_all) notes.emplace_back("some packets were not seen: the kernel had no room for them");
    if (facts.probed && decision.verdict == WhyVerdict::delivered && is_lost(facts.way.end))
        notes.push_back("by the tables it should not arrive: " + facts.way.note);
    return notes;
}

}  // namespace netlab::operations
