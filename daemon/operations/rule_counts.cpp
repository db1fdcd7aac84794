#include "daemon/operations/rule_counts.hpp"

#include <algorithm>
#include <set>
#include <string_view>

namespace netlab::operations {

namespace {

kernel::XtRule without_counters(kernel::XtRule rule) {
    rule.packets = rule.bytes = 0;
    return rule;
}

bool same_rules(const kernel::XtTable& before, const kernel::XtTable& after) {
    return before.chains == after.chains &&
           std::ranges::equal(before.rules, after.rules, {}, without_counters, without_counters);
}

/// The chains of hooks: five at most, of thousands that a table may have.
std::set<std::string_view> hooked_chains(const kernel::XtTable& table) {
    std::set<std::string_view> out;
    for (const auto& chain : table.chains) {
        if (chain.hook) out.insert(chain.name);
    }
    return out;
}

/// The last rule of a hook's chain is its policy.
bool is_policy(const kernel::XtTable& table, const std::set<std::string_view>& hooked, std::size_t place) {
    const auto& rule = table.rules[place];
    const bool last = place + 1 == table.rules.size() || table.rules[place + 1].chain != rule.chain;
    return last && hooked.contains(rule.chain);
}

}  // namespace

std::optional<RuleCounts> RuleCounts::between(const std::vector<LegacyTable>& before,
                                              const std::vector<LegacyTable>& after, Family family) {
    if (before.size() != after.size()) return std::nullopt;
    RuleCounts out;
    for (std::size_t i = 0; i < before.size(); ++i) {
        const auto& [name, table] = before[i];
        if (name != after[i].name || !same_rules(table, after[i].table)) return std::nullopt;
        auto chains = kernel::rule_chains(table, name, family);
        if (chains.empty()) continue;
        const auto called = chains.front().table;
        const auto hooked = hooked_chains(table);
        for (std::size_t place = 0; place < table.rules.size(); ++place) {
            const auto& rule = table.rules[place];
            const auto now = after[i].table.rules[place].packets;
            if (now < rule.packets) return std::nullopt;
            const auto number = is_policy(table, hooked, place) ? std::nullopt : std::optional(rule.number);
            out.counts_.emplace(Key(called, rule.chain, number), RuleCount{rule.packets, now});
        }
        std::ranges::move(chains, std::back_inserter(out.chains_));
    }
    return out;
}

std::optional<RuleCount> RuleCounts::find(const std::string& table, const std::string& chain,
                                          std::optional<std::uint32_t> number) const {
    const auto found = counts_.find(Key(table, chain, number));
    return found == counts_.end() ? std::nullopt : std::optional(found->second);
}

FamilyRules RuleCounts::met(const FamilyRules& rules) const {
    FamilyRules out = rules;
    out.counted = true;
    std::erase_if(out.chains, [](const kernel::RuleChain& chain) { return chain.legacy; });
    for (auto chain : chains_) {
        const auto has_counted = [&](std::optional<std::uint32_t> number) {
            const auto count = find(chain.table, chain.name, number);
            return count && count->after > count->before;
        };
        if (!chain.table.ends_with(" nat")) {
            std::erase_if(chain.rules,
                          [&](const kernel::PacketRule& rule) { return !has_counted(rule.number); });
            chain.drops = chain.drops && has_counted(std::nullopt);
        }
        out.chains.push_back(std::move(chain));
    }
    return out;
}

}  // namespace netlab::operations
