#pragma once

#include "daemon/kernel/packet_rule.hpp"
#include "daemon/operations/ruleset_text.hpp"

#include <string>
#include <string_view>
#include <vector>

/// Whose tables, chains and rules are, by the names that programs give them; anybody may give such a name.
namespace netlab::operations {

/// "docker", "podman", "kubernetes", "ufw", "firewalld", "libvirt", "fail2ban", "tailscale", "netlab", …; ""
/// of an administrator, or not known.
[[nodiscard]] std::string table_owner(const TableText& table);
/// The same; "iptables" of a chain of a hook that iptables brings along.
[[nodiscard]] std::string chain_owner(const TableText& table, const ChainText& chain);
/// A rule in a chain of iptables' own is his whose chain it jumps to, and Docker's if it is what that writes
/// there for a bridge; one in DOCKER-USER an administrator's.
[[nodiscard]] std::string rule_owner(const TableText& table, const ChainText& chain, const RuleText& rule);

/// Whose chains that one leads to: "ufw", "docker"; of a hook's chain, who has a hand in its policy.
[[nodiscard]] std::vector<std::string> programs_behind(const kernel::RuleChain& chain);

/// Of a rule that drops by itself, where no more is known than the names.
[[nodiscard]] std::string owner_by_names(std::string_view table, std::string_view chain);

/// The chains that a rule (or a map) jumps or goes to, as its text says.
[[nodiscard]] std::vector<std::string> jumps_of(RuleBackend backend, std::string_view text);

/// "iptables-nft" or "ip6tables-nft" where that has the table, otherwise "": it reads no chain of its own in
/// which a rule has nft's `ct state`
/// ("is incompatible, use 'nft' tool"), and iptables-save leaves the table out then.
[[nodiscard]] std::string iptables_program(std::string_view family, std::string_view table);

}  // namespace netlab::operations
