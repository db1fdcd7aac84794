#include "daemon/operations/why_counts.hpp"

#include <algorithm>

namespace netlab::operations {

namespace {

/// "ip filter", as chains have it.
std::string table_of(const RulesDecision& decision) {
    const auto& family = decision.rule->family;  // "ip (legacy)"
    return family.substr(0, family.find(' ')) + " " + decision.rule->table;
}

bool same_rule(const RulesDecision& a, const RulesDecision& b) {
    return a.rule == b.rule && a.number == b.number;
}

/// Whether another rule that has counted may have stopped it as well.
bool is_one_of_many(FamilyRules rules, const RulesDecision& stopped,
                    const std::function<RulesDecision(const FamilyRules&)>& decide) {
    for (auto& chain : rules.chains) {
        if (!chain.legacy || chain.table != table_of(stopped) || chain.name != stopped.rule->chain) continue;
        std::erase_if(chain.rules,
                      [&](const kernel::PacketRule& rule) { return rule.number == stopped.number; });
    }
    return decide(rules).rule.has_value();
}

/// More than a probe sends: others' packets have met it, and whether this one has does not follow.
bool is_busy(const std::optional<RuleCount>& count) {
    constexpr std::uint64_t most = 3;  // a SYN or echo, and what its kernel sends again
    return !count || count->after - count->before > most;
}

}  // namespace

RulesDecision decide_by_counts(const FamilyRules& rules, const RuleCounts& counts,
                               const std::function<RulesDecision(const FamilyRules&)>& decide) {
    const auto read = decide(rules);
    const auto met = counts.met(rules);
    auto out = decide(met);
    if (read.rule && read.legacy && !same_rule(read, out)) out.not_met = read.rule;
    if (!out.rule || !out.legacy) return out;
    // What leads to a chain, or does not, is a matter of all rules.
    if (read.rule && same_rule(read, out)) {
        out.missed = read.missed;
        out.programs = read.programs;
        out.engine_elsewhere = read.engine_elsewhere;
    }
    const auto count = counts.find(table_of(out), out.rule->chain, out.number);
    if (out.by_counter && (is_busy(count) || is_one_of_many(met, out, decide))) {
        out.rule.reset();
        return out;
    }
    out.count = count;
    return out;
}

}  // namespace netlab::operations
