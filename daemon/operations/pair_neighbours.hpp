#pragma once

#include "daemon/kernel/neighbour.hpp"
#include "daemon/operations/neighbour_pacing.hpp"
#include "daemon/operations/pair_matrix.hpp"

#include <deque>

namespace netlab::operations {

/// What a matrix needs to know and to do about link-layer addresses before its packets go out. A pair is
/// meant by its place among PairMatrix::pairs().
class PairNeighbours {
  public:
    /// `sides` are the matrix' in its order, nullptr for who could not be opened. Borrowed.
    PairNeighbours(const PairMatrix& matrix, std::vector<const PairSide*> sides);

    /// Tells the client where not all pairs have room in the neighbour table at once. errc::limit_exceeded
    /// where it would take more than half an hour.
    [[nodiscard]] Result<void> look(Output& output);
    /// Waits until there is room for the first of `line`, and takes as many of them as there is room for.
    [[nodiscard]] std::vector<std::size_t> take_batch(std::deque<std::size_t>& line, Output& output) const;
    /// Makes the source of each pair known to its other end, where they are on one link. Several threads may
    /// do so at once.
    void introduce(std::span<const std::size_t> pairs) const;
    /// Nobody has answered for the pair's address, which is on one of the source's links; else "".
    [[nodiscard]] std::string why_silent(const Pair& pair);

  private:
    [[nodiscard]] std::vector<std::uint32_t> entries_needed(Family family) const;
    [[nodiscard]] std::size_t wait_for_room(const std::deque<std::size_t>& line, Output& output) const;
    [[nodiscard]] std::optional<kernel::NeighbourTable> table() const;

    const PairMatrix& matrix_;
    std::vector<const PairSide*> sides_;
    Family family_ = Family::ipv4;  ///< whose table counts: of the one that needs more
    std::vector<std::uint32_t> needed_;
    bool all_fit_ = true;
    std::optional<std::uint32_t> read_;  ///< whose neighbours those are
    std::vector<kernel::Neighbour> neighbours_;
};

}  // namespace netlab::operations
