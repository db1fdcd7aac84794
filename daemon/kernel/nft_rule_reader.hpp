#pragma once

#include "daemon/kernel/packet_rule.hpp"

#include <map>
#include <memory>
#include <optional>
#include <string_view>
#include <tuple>

/// A rule of nf_tables by its expressions (net/netfilter/nf_tables_core.c).
namespace netlab::kernel {

/// By family, table and name.
using NftSets =
    std::map<std::tuple<std::uint8_t, std::string_view, std::string_view>, std::shared_ptr<const NftSet>>;

/// As packets of one family meet it; nullopt: it is for the other family's.
[[nodiscard]] std::optional<PacketRule> read_rule(const NftRule& rule, Family packets, const NftSets& sets);
/// The same as ARP's frames meet it.
[[nodiscard]] std::optional<PacketRule> read_arp_rule(const NftRule& rule, const NftSets& sets);

}  // namespace netlab::kernel
