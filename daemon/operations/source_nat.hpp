#pragma once

#include "common/api/nat_rule.hpp"
#include "daemon/operations/explanation.hpp"
#include "daemon/operations/host_rules.hpp"

#include <optional>
#include <string>
#include <vector>

/// What the host's rules make of a packet's source, read as a table. Pure.
namespace netlab::operations {

struct SourceNat {
    std::optional<api::NatRule> rule;  ///< a SNAT or MASQUERADE; absent: none is there for it
    std::optional<IpAddress> to{};     ///< that a SNAT gives it
    /// Come before that rule and end the chain, so that it is not met: each of them has to go.
    std::vector<api::NatRule> shadowed_by{};
};

/// nullopt where it is not certain, or a rule of NAT's drops it.
[[nodiscard]] std::optional<SourceNat> find_source_nat(const std::vector<kernel::RuleChain>& chains,
                                                       std::uint32_t hook, const kernel::PacketFacts& packet);

/// Why a rule that is there is not met, and what takes away those that come before; SourceNat::shadowed_by
/// must not be empty. "ip nat POSTROUTING handle 9 (… accept), a rule of host's administrator, ends …"
[[nodiscard]] Explanation explain_shadowed_nat(const SourceNat& nat);

}  // namespace netlab::operations
