#pragma once

#include "common/api/pairs.hpp"
#include "daemon/operations/inspection.hpp"
#include "daemon/operations/pair_end.hpp"
#include "daemon/operations/pair_side.hpp"

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

    /// The next target takes part, or its error is told: its namespace is asked for its addresses.
    void add(const Result<const PairSide*>& side);
    /// After the last: chooses the ways.
    void choose();

    [[nodiscard]] const std::vector<Pair>& pairs() const { return pairs_; }
    [[nodiscard]] const PairEnd& end(std::size_t place) const { return ends_[place]; }
    [[nodiscard]] std::size_t size() const { return ends_.size(); }

    /// Writes the row of a pair and counts it; from and to are filled in.
    void tell(const Pair& pair, api::PairRow row);
    /// Writes the report.
    void report(double elapsed_ms);

  private:
    const api::Context& context_;
    std::optional<Family> family_;
    Output& output_;
    std::vector<PairEnd> ends_;  ///< a name alone for who cannot take part
    std::vector<bool> takes_part_;
    std::vector<Pair> pairs_;
    api::PairsReport counts_;
};

/// Adds what was opened in each target's namespace (a type that is a PairSide) and chooses the ways. The
/// sides in their order, nullptr for who could not be opened.
template <class Side>
std::vector<const PairSide*> add_sides(PairMatrix& matrix, const std::vector<Result<Side>>& sides) {
    std::vector<const PairSide*> all;
    for (const auto& side : sides) {
        matrix.add(side ? Result<const PairSide*>(&*side) : Result<const PairSide*>(side.error()));
        all.push_back(side ? &*side : nullptr);
    }
    matrix.choose();
    return all;
}

}  // namespace netlab::operations
