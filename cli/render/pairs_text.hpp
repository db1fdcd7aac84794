#pragma once

#include "cli/pair_grid.hpp"
#include "cli/render/screen.hpp"

#include <string>

/// A matrix of pairs in words.
namespace netlab::cli::pairs_text {

/// One row for each source and one column for each destination, with round trips in ms. Where that is too
/// wide the columns are numbered; where that is too wide as well, or there are very many, what fails is
/// listed instead of the matrix. `wide` is the whole matrix in any case.
[[nodiscard]] std::string matrix(const PairGrid& grid, const Screen& screen, bool wide);

/// "9900 pairs of 100 targets: 9890 answered, 10 lost; rtt min/median/max = 0.021/0.034/0.412 ms", then
/// explanation and suggestion.
[[nodiscard]] std::string summary(const PairGrid& grid, const api::PairsReport& report);

}  // namespace netlab::cli::pairs_text
