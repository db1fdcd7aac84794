#pragma once

#include "daemon/kernel/nftables.hpp"

/// Sets and maps that nf_tables' rules look things up in (net/netfilter/nf_tables_api.c, nft_set_*.c).
namespace netlab::kernel {

/// The NFT_MSG_NEWSET messages among `bytes`, without elements. What has no table, name or key is left out.
[[nodiscard]] std::vector<NftSet> parse_nft_sets(std::span<const std::byte> bytes);
/// The elements in the NFT_MSG_NEWSETELEM messages among `bytes`.
[[nodiscard]] std::vector<NftElement> parse_nft_elements(std::span<const std::byte> bytes);

/// Puts the elements in the order of their keys.
void sort_elements(NftSet& set);

/// The element that stands for all that no other has; nullptr: there is none.
[[nodiscard]] const NftElement* catch_all(const NftSet& set);

/// What a look-up finds.
struct NftFound {
    enum class Kind : std::uint8_t { none, one, unknown } kind = Kind::none;
    const NftElement* element = nullptr;  ///< of `one`; points into the set
};
/// `key` as the registers have it: fields of a concatenation each fill whole registers.
[[nodiscard]] NftFound look_up(const NftSet& set, std::span<const std::byte> key);

}  // namespace netlab::kernel
