#pragma once

#include "daemon/kernel/packet_rule.hpp"

#include <array>
#include <optional>
#include <span>
#include <string>
#include <string_view>

/// Parts of rules that iptables-nft, nft and iptables-legacy have in common, as the kernel writes them.
namespace netlab::kernel::rule_parts {

[[nodiscard]] std::uint16_t big_endian(std::span<const std::byte> bytes);  ///< of two bytes at least

[[nodiscard]] IpAddress address_of(std::array<std::uint8_t, 4> octets);
/// As many bytes of an address as are there, of the beginning; the others are zero.
[[nodiscard]] IpAddress address_of(std::span<const std::byte> bytes, Family family = Family::ipv4);

/// The number of leading ones; nullopt where ones follow a zero.
[[nodiscard]] std::optional<unsigned> prefix_length(std::span<const std::byte> mask);

/// How a rule names an interface by its number, which is not that of any name: name_interfaces().
[[nodiscard]] std::string interface_by_index(std::uint32_t index);

/// A match or target of x_tables (include/uapi/linux/netfilter/xt_*.h); what is not understood is noted in
/// the rule.
void take_match(PacketRule& rule, const XtExtension& match);
void take_target(PacketRule& rule, const XtExtension& target, Family family = Family::ipv4);

/// What the match `comment` of x_tables says.
[[nodiscard]] std::string comment_of(std::span<const std::byte> info);
/// As nft(8) writes a comment behind a rule: ` comment "words"`; what would end the string is escaped.
[[nodiscard]] std::string comment_text(std::string_view comment);

/// "192.0.2.0/24"; of one address alone "192.0.2.1".
[[nodiscard]] std::string prefix_text(const IpPrefix& prefix);
/// "80", or "80-90": first and last.
[[nodiscard]] std::string ports_text(const std::pair<std::uint16_t, std::uint16_t>& ports);
/// "0x1", or "0x1/0xff" where only those bits are compared.
[[nodiscard]] std::string mark_text(std::uint32_t mark, std::uint32_t mask);
/// "tcp", or the number.
[[nodiscard]] std::string protocol_name(std::uint8_t protocol);
/// "echo-request", or the number.
[[nodiscard]] std::string icmp_type_text(std::uint8_t type, bool v6);
/// "established,related".
[[nodiscard]] std::string flow_text(std::uint32_t bits);

/// Bytes of a field in a set's key, where an address has `address` of them.
[[nodiscard]] std::size_t field_length(PacketField field, std::size_t address);

/// "tcp dport { 22, 80 }", "ip saddr != @blocked"; as nft(8) writes it where that is short. `transport` is
/// whose ports they are: "tcp", or "th" of any.
[[nodiscard]] std::string set_text(const SetCondition& condition, const std::string& transport);
/// "ct state vmap { established : accept, invalid : drop }".
[[nodiscard]] std::string vmap_text(const SetCondition& condition, const std::string& transport);

/// An NF_ or NFT_ verdict; `chain` of a jump.
void take_verdict(PacketRule& rule, std::int32_t code, const std::string& chain);

}  // namespace netlab::kernel::rule_parts
