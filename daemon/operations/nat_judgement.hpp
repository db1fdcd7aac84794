#pragma once

#include "common/api/nat.hpp"
#include "daemon/operations/nat_trace.hpp"

/// Which rules change the addresses of what goes out and comes in. Pure.
namespace netlab::operations {

/// Puts verdict, rule, address and words into a row that has the rest.
void judge_way_out(const FamilyRules& rules, const WayOut& way, api::NatOutRow& row);

/// A rule that changes destinations, wherever it is; those in the order of their chains.
struct DnatRule {
    const kernel::RuleChain* chain = nullptr;  ///< points into the chains
    const kernel::PacketRule* rule = nullptr;
    bool reached = false;       ///< a chain that packets come to by themselves leads there
    bool from_outside = false;  ///< one that sees what comes in does
};
[[nodiscard]] std::vector<DnatRule> find_dnat_rules(const std::vector<kernel::RuleChain>& chains);

/// The rule that gives a target the host's address where it comes to itself by its published port.
[[nodiscard]] std::optional<api::NatRule> find_hairpin(const std::vector<kernel::RuleChain>& chains,
                                                       const api::Endpoint& target);

/// The rule that comes first for what comes to that one's port from outside, and leads elsewhere; nullopt:
/// there is none, or it is not known. `host_address` is for a rule that asks for none; the client comes in by
/// `interface`.
[[nodiscard]] std::optional<api::NatRule> find_shadowing(const std::vector<kernel::RuleChain>& chains,
                                                         const DnatRule& found, const IpAddress& host_address,
                                                         const IpAddress& client,
                                                         const std::string& interface);

/// Without target and network.
[[nodiscard]] api::NatInRow describe_dnat(const DnatRule& found, Family family,
                                          const std::vector<kernel::RuleChain>& chains);

}  // namespace netlab::operations
