#include "daemon/operations/missed_chain.hpp"

#include "daemon/operations/host_command.hpp"
#include "daemon/operations/rule_owner.hpp"

#include <algorithm>
#include <set>
#include <string_view>

namespace netlab::operations {

namespace {

using kernel::PacketFacts;
using kernel::RuleChain;

bool in_one_table(const RuleChain& a, const RuleChain& b) {
    return a.legacy == b.legacy && a.table == b.table;
}

/// The chains that rules lead the packet to from that one.
std::set<std::string_view> led_to(const std::vector<RuleChain>& chains, const RuleChain& base,
                                  const PacketFacts& packet) {
    std::set<std::string_view> reached{base.name};
    for (bool found = true; found;) {
        found = false;
        for (const auto& chain : chains) {
            if (!in_one_table(chain, base) || !reached.contains(chain.name)) continue;
            for (const auto& rule : chain.rules) {
                if (!kernel::meets(rule, packet)) continue;
                for (const auto& next : kernel::next_chains(rule)) {
                    const auto there = std::ranges::find_if(chains, [&](const RuleChain& one) {
                        return in_one_table(one, base) && one.name == next;
                    });
                    if (there != chains.end()) found = reached.insert(there->name).second || found;
                }
            }
        }
    }
    return reached;
}

bool is_dockers(std::string_view chain) {
    return owner_by_names({}, chain) == "docker";
}

/// Some rule leads there from a chain that the packet does not come to: then it is an earlier jump that is
/// gone, and this one's would lead past what comes before.
bool is_led_to(const std::vector<RuleChain>& chains, const RuleChain& wanted) {
    return std::ranges::any_of(chains, [&](const RuleChain& chain) {
        return in_one_table(chain, wanted) &&
               std::ranges::any_of(chain.rules, [&](const kernel::PacketRule& rule) {
                   const auto next = kernel::next_chains(rule);
                   return is_dockers(chain.name) && std::ranges::find(next, wanted.name) != next.end();
               });
    });
}

bool accepts(const RuleChain& chain, const PacketFacts& packet) {
    return std::ranges::any_of(chain.rules, [&](const kernel::PacketRule& rule) {
        return rule.action == kernel::RuleAction::accept && kernel::meets(rule, packet);
    });
}

}  // namespace

const RuleChain* find_missed_chain(const std::vector<RuleChain>& chains,
                                   const kernel::FilterDecision& decision, const PacketFacts& packet) {
    if (!decision.dropped || decision.rule != nullptr || decision.base == nullptr || decision.left_early)
        return nullptr;
    const auto& base = *decision.base;
    const auto reached = led_to(chains, base, packet);
    // Where none that Docker made is reached the base has been flushed: one jump would not mend that.
    const auto is_made = [](std::string_view chain) { return is_dockers(chain) || chain == "DOCKER-USER"; };
    if (std::ranges::none_of(reached, is_made)) return nullptr;
    const auto found = std::ranges::find_if(chains, [&](const RuleChain& chain) {
        return in_one_table(chain, base) && !chain.hook && is_dockers(chain.name) &&
               !reached.contains(chain.name) && !is_led_to(chains, chain) && accepts(chain, packet);
    });
    return found == chains.end() ? nullptr : &*found;
}

Explanation explain_missed_chain(const std::string& family, const std::string& table, const std::string& base,
                                 const std::string& chain, const std::string& output) {
    const std::string text = "; a rule of Docker's in " + chain +
                             " accepts it, and none leads it there: the jump to that chain is gone";
    const bool v6 = family.starts_with("ip6");
    const auto program =
        family.ends_with(" (legacy)") ? legacy_program(v6 ? "ip6" : "ip") : iptables_program(family, table);
    if (program.empty() || !is_plain_word(base) || !is_plain_word(chain) || !is_plain_word(output))
        return {text, "systemctl restart docker"};
    return {text, program + " -t " + table + " -A " + base + " -o " + output + " -j " + chain};
}

}  // namespace netlab::operations
