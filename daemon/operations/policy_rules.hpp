#pragma once

#include "daemon/kernel/packet_rule.hpp"
#include "daemon/kernel/rule.hpp"
#include "daemon/operations/explanation.hpp"

#include <string>
#include <vector>

/// Policy rules, by which of them a packet may be concerned; the kernel itself is asked what becomes of it.
/// Pure.
namespace netlab::operations {

/// As ip(8) takes it: "from 172.17.0.0/16 blackhole", "fwmark 0x1 lookup 100".
[[nodiscard]] std::string policy_rule_text(const kernel::Rule& rule);

/// Removes that one, also where others have its priority: "ip rule del pref 5 from 172.17.0.0/16 blackhole".
[[nodiscard]] std::string delete_command(const kernel::Rule& rule);

/// It says on purpose that nothing goes there: blackhole, unreachable, prohibit.
[[nodiscard]] bool refuses(const kernel::Rule& rule);

/// One of those that every kernel begins with: the tables local, main and default.
[[nodiscard]] bool is_default_rule(const kernel::Rule& rule);

/// The rule that may be why the packet does not go the usual way, one that refuses before one that leads to
/// another table, and what removes it; empty where there is none.
[[nodiscard]] Explanation find_policy_rule(const std::vector<kernel::Rule>& rules,
                                           const kernel::PacketFacts& packet);

/// A rule that concerns the packet if it has some mark; "" where there is none.
[[nodiscard]] std::string find_rule_by_mark(const std::vector<kernel::Rule>& rules,
                                            const kernel::PacketFacts& packet);

}  // namespace netlab::operations
