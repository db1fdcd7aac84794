#include "daemon/operations/why_facts.hpp"

#include <algorithm>

namespace netlab::operations {

std::vector<const RulesDecision*> tables_of(const WhyFacts& facts, bool answer, bool leg) {
    const auto& around = answer ? facts.around_back : facts.around;
    std::vector<const RulesDecision*> out;
    if (around && !leg) out.push_back(&around->before);
    if (const auto* own = table_of(facts, answer, leg)) out.push_back(own);
    if (around && !leg) out.push_back(&around->behind);
    return out;
}

const RulesDecision* table_with(const WhyFacts& facts, const api::WhyRule& rule, bool answer, bool leg) {
    const auto tables = tables_of(facts, answer, leg);
    const auto found = std::ranges::find_if(tables, [&](const RulesDecision* one) {
        return one->rule && one->rule->target == rule.target && one->rule->family == rule.family &&
               one->rule->table == rule.table && one->rule->chain == rule.chain;
    });
    return found == tables.end() ? nullptr : *found;
}

}  // namespace netlab::operations
