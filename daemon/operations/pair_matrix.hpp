#pragma once

#include "common/api/pairs.hpp"
#include "daemon/operations/inspection.hpp"
#include "daemon/operations/pair_end.hpp"

#include <string>
#include <vector>

/// What the matrices of echoes and of connections have in common: who takes part, and the pairs of them.
namespace netlab::operations {

/// One pair that is to be tried.
struct Pair {
    std::uint32_t from = 0;  ///< places in the matrix
    std::uint32_t to = 0;
    PairWay way;
};

/// The ends of a matrix and its pairs: both ways of two ends one after the other, so that what the one makes
/// known is there for the other. Those who cannot take part, and pairs without an address, are told at once.
class PairMatrix {
  public:
    PairMatrix(const api::Context& context, std::optional<Family> family, Output& output)
        : context_(context), family_(family), output_(output) {}

    /// Asks the namespace of a target for its addresses; the place is the target's.
    void add(std::size_t place, const Result<int>& route_socket, std::uint64_t device, std::uint64_t inode);
    /// After the last: chooses the ways.
    void choose();

    [[nodiscard]] const std::vector<Pair>& pairs() const { return pairs_; }
    [[nodiscard]] const PairEnd& end(std::size_t place) const { return ends_[place]; }
    [[nodiscard]] std::size_t size() const { return ends_.size(); }

    /// Writes the row of a pair and counts it; from and to are filled in.
    void tell(const Pair& pair, api::PairRow row);
    /// Writes the report.
    void report(double elapsed_ms, const std::string& explanation, const std::string& suggestion);

  private:
    const api::Context& context_;
    std::optional<Family> family_;
    Output& output_;
    std::vector<PairEnd> ends_;  ///< a name alone for who cannot take part
    std::vector<bool> takes_part_;
    std::vector<Pair> pairs_;
    api::PairsReport counts_;
};

}  // namespace netlab::operations
