#pragma once

#include "daemon/kernel/nftables.hpp"

#include <string_view>

/// What the order of a rule's expressions means: the kernel goes through them one after the other, and what
/// fails later takes nothing back. Pure.
namespace netlab::kernel {

/// Of an expression that is not taken apart (NftOther): it changes something and lets the rule go on.
[[nodiscard]] bool goes_on(std::string_view expression);
/// It decides what becomes of the packet, in a way that is not looked at.
[[nodiscard]] bool decides(std::string_view expression);

/// What stands behind a map of verdicts is met where that finds nothing, or says continue: two ways that one
/// rule cannot tell.
[[nodiscard]] bool goes_on_behind_map(const NftRule& rule);
/// The packet's mark is set, or conntrack kept from it, before a condition that may fail.
[[nodiscard]] bool effects_come_first(const NftRule& rule);

}  // namespace netlab::kernel
