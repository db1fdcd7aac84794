#pragma once

#include "daemon/kernel/packet_rule.hpp"
#include "daemon/operations/explanation.hpp"

#include <string>

namespace netlab::operations {

/// A chain of Docker's in the same table whose rule would accept what a policy has dropped, and to which
/// no rule that the packet meets leads: the jump to it is gone. nullptr where there is none, or the packet
/// has not gone past all rules of the policy's chain. Pure; points into the chains.
[[nodiscard]] const kernel::RuleChain* find_missed_chain(const std::vector<kernel::RuleChain>& chains,
                                                         const kernel::FilterDecision& decision,
                                                         const kernel::PacketFacts& packet);

/// "; no rule leads it to DOCKER, …", and the command that makes the jump anew behind the rules that are
/// there, which the packet has passed. `family` as api::WhyRule has it, `output` the interface that it leaves
/// by.
[[nodiscard]] Explanation explain_missed_chain(const std::string& family, const std::string& table,
                                               const std::string& base, const std::string& chain,
                                               const std::string& output);

}  // namespace netlab::operations
