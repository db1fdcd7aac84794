#pragma once

#include "daemon/kernel/rule.hpp"

#include <string>

/// Policy rules in ip(8)'s words. Where they lead a packet is walk_rules()' (route_refusal). Pure.
namespace netlab::operations {

/// As ip(8) takes it: "from 172.17.0.0/16 blackhole", "from all fwmark 0x1/0xff lookup 100".
[[nodiscard]] std::string policy_rule_text(const kernel::Rule& rule);

/// "100: from all lookup 52", as ip(8) lists it.
[[nodiscard]] std::string listed_rule(const kernel::Rule& rule);

/// Removes the first rule that has its priority and its words: "ip rule del pref 5 from 172.17.0.0/16
/// blackhole". The priority alone where a name is more than a word, or ip(8) takes one of the words otherwise
/// than netlab writes it.
[[nodiscard]] std::string delete_command(const kernel::Rule& rule);

/// It says on purpose that nothing goes there: blackhole, unreachable, prohibit.
[[nodiscard]] bool refuses(const kernel::Rule& rule);

/// It compares the packet's mark.
[[nodiscard]] bool asks_for_mark(const kernel::Rule& rule);

/// It is for some users' packets alone.
[[nodiscard]] bool asks_for_user(const kernel::Rule& rule);

/// One of those that every kernel begins with: the tables local, main and default.
[[nodiscard]] bool is_default_rule(const kernel::Rule& rule);

}  // namespace netlab::operations
