#pragma once

#include "daemon/kernel/packet_rule.hpp"

#include <cstdint>
#include <optional>
#include <string>

/// Whether a packet has what one rule asks for.
namespace netlab::kernel::rule_match {

/// `maybe`: the rule asks for what is not known of the packet, or not understood of the rule.
enum class Match : std::uint8_t { no, maybe, yes };

[[nodiscard]] Match match(const PacketRule& rule, const PacketFacts& packet);

/// What a set, or a map of verdicts, has for the packet.
[[nodiscard]] NftFound find(const SetCondition& condition, const PacketFacts& packet);

/// As a packet's flow says them where the packet does not: of TCP's new flow SYN, of an answer ACK too; of
/// ICMP's an echo, or a reply. nullopt of other protocols, or not known.
[[nodiscard]] std::optional<std::uint8_t> tcp_flags_of(const PacketFacts& packet);
[[nodiscard]] std::optional<std::uint8_t> icmp_type_of(const PacketFacts& packet);

/// An interface's name; `wanted` ends in '*' where it is how names begin.
[[nodiscard]] bool is_called(const std::string& name, const std::string& wanted);

}  // namespace netlab::kernel::rule_match
