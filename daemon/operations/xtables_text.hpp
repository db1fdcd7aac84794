#pragma once

#include "daemon/kernel/xtables.hpp"
#include "daemon/operations/ruleset_text.hpp"

/// Rules of iptables-legacy in iptables-save's form: "-i docker0 -o docker0 -j ACCEPT", without "-A CHAIN".
namespace netlab::operations {

/// A table as parse_xt_table() has it; chains in the kernel's order.
[[nodiscard]] TableText legacy_table(const kernel::XtTable& table, Family family, std::string name);

/// As iptables-save calls it: "state" is a form of conntrack.
[[nodiscard]] std::string match_name(const kernel::XtExtension& match);
/// What follows "-m NAME" or "-j NAME", with a blank in front of each word: " --dport 80". nullopt of one
/// that is not known here, or that has more to say than is known.
[[nodiscard]] std::optional<std::string> match_words(const kernel::XtExtension& match, Family family);
[[nodiscard]] std::optional<std::string> target_words(const kernel::XtExtension& target, Family family);

/// As iptables-save writes a string: in quotes where it is more than one word of plain letters.
[[nodiscard]] std::string quoted_word(std::string_view text);

}  // namespace netlab::operations
