#include "daemon/operations/source_nat.hpp"

#include "daemon/operations/network_facts.hpp"
#include "daemon/operations/rule_owner.hpp"

#include <algorithm>
#include <utility>

namespace netlab::operations {

namespace {

using kernel::RuleAction;

std::string whose(const api::NatRule& rule) {
    const auto owner = owner_by_names(rule.table, rule.chain);
    return owner.empty() ? "a rule of the host's administrator" : "a rule of " + owner + "'s";
}

/// Of iptables-legacy's the last one of a chain first, for the others behind it get other numbers.
std::string removal_of(std::vector<api::NatRule> rules) {
    std::ranges::stable_sort(rules, std::ranges::greater(),
                             [](const api::NatRule& rule) { return rule.number.value_or(0); });
    std::string out;
    for (const auto& rule : rules) {
        if (rule.owner_port) return ask_owner(rule.owner_port);
        const auto command = delete_command(rule);
        if (command.empty()) return {};
        out += (out.empty() ? "" : " && ") + command;
    }
    return out;
}

}  // namespace

std::optional<SourceNat> find_source_nat(const std::vector<kernel::RuleChain>& chains, std::uint32_t hook,
                                         const kernel::PacketFacts& packet) {
    const auto met = kernel::find_nat(chains, hook, packet);
    if (met.uncertain || kernel::is_drop(met)) return std::nullopt;
    SourceNat out;
    if (met.rule != nullptr) {
        out.rule = describe_rule(*met.chain, *met.rule);
        if (met.action == RuleAction::snat) out.to = met.rule->to_address;
        return out;
    }
    const auto unmet = kernel::find_unmet_nat(chains, hook, packet);
    if (!unmet) return out;
    out.rule = describe_rule(*unmet->unmet.chain, *unmet->unmet.rule);
    if (unmet->unmet.rule->action == RuleAction::snat) out.to = unmet->unmet.rule->to_address;
    for (const auto& one : unmet->ending)
        out.shadowed_by.push_back(describe_rule(*one.chain, *one.rule));
    return out;
}

Explanation explain_shadowed_nat(const SourceNat& nat) {
    std::vector<std::string> ending;
    for (const auto& rule : nat.shadowed_by)
        ending.push_back(place_of(rule) + " (" + rule.text + "), " + whose(rule) + ",");
    return {list_and(ending) + (ending.size() == 1 ? " ends" : " end") + " the chain before " +
                place_of(*nat.rule) + " (" + nat.rule->text + ") is met",
            removal_of(nat.shadowed_by)};
}

}  // namespace netlab::operations
