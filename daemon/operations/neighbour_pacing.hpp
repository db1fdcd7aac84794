#pragma once

#include "common/api/pairs.hpp"
#include "daemon/kernel/neighbour_table.hpp"

#include <chrono>
#include <span>

/// How many pairs may be tried at once: each needs entries in the kernel's one neighbour table, and where
/// that is full every namespace of the machine loses packets, not only those of the matrix.
namespace netlab::operations {

/// Entries that may be made now: some are left to others.
[[nodiscard]] std::uint32_t room_in(const kernel::NeighbourTable& table);

/// How many of the first pairs have room together; `needed`: the new entries of each.
[[nodiscard]] std::size_t fitting(std::span<const std::uint32_t> needed, std::uint32_t room);

/// How long it takes, about, to make so many entries one batch after the other: the kernel throws out an
/// entry (down to its soft limit) only when nobody has confirmed it for some 15 to 45 seconds
/// (base_reachable_time; neigh_forced_gc() in net/core/neighbour.c).
[[nodiscard]] std::chrono::seconds time_for(std::uint64_t entries, const kernel::NeighbourTable& table);

/// What is said where not all have room.
[[nodiscard]] api::PairsPacing pacing_of(std::uint64_t entries, const kernel::NeighbourTable& table,
                                         Family family);

}  // namespace netlab::operations
