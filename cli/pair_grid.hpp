#pragma once

#include "common/api/pairs.hpp"

#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

namespace netlab::cli {

/// What came of one pair.
struct PairResult {
    api::PairOutcome outcome = api::PairOutcome::lost;
    std::optional<double> rtt_us;
    std::string message;
    std::optional<Family> family;  ///< of the address that was tried
};

[[nodiscard]] inline bool is_good(api::PairOutcome outcome) {
    return outcome == api::PairOutcome::answered || outcome == api::PairOutcome::connected;
}

/// Who reaches whom, as it is gathered from the rows of a matrix.
class PairGrid {
  public:
    PairGrid() = default;
    explicit PairGrid(const std::vector<std::string>& names);

    /// Names that are not known are taken in; a pair that comes twice counts once, as it came last.
    void add(const api::PairRow& row);

    [[nodiscard]] const std::vector<std::string>& names() const { return names_; }
    [[nodiscard]] std::size_t size() const { return names_.size(); }
    /// Pairs of which something is known.
    [[nodiscard]] std::size_t heard() const;
    /// Of two places; nullptr where nothing is known of that pair.
    [[nodiscard]] const PairResult* at(std::size_t from, std::size_t to) const;

  private:
    std::size_t place_of(const std::string& name);

    std::vector<std::string> names_;
    std::unordered_map<std::string, std::size_t> places_;
    std::vector<std::unordered_map<std::size_t, PairResult>> rows_;  ///< by from, then by to
};

}  // namespace netlab::cli
