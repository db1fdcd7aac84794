#include "cli/pair_grid.hpp"

namespace netlab::cli {

PairGrid::PairGrid(const std::vector<std::string>& names) {
    for (const auto& name : names)
        (void)place_of(name);
}

std::size_t PairGrid::place_of(const std::string& name) {
    const auto [place, fresh] = places_.try_emplace(name, names_.size());
    if (fresh) {
        names_.push_back(name);
        rows_.emplace_back();
    }
    return place->second;
}

void PairGrid::add(const api::PairRow& row) {
    const auto from = place_of(row.from);
    const auto to = place_of(row.to);
    const auto family = row.address ? std::optional(row.address->family()) : std::nullopt;
    rows_[from][to] = PairResult{row.outcome, row.rtt_us, row.message.value_or(""), family};
}

std::size_t PairGrid::heard() const {
    std::size_t count = 0;
    for (const auto& row : rows_)
        count += row.size();
    return count;
}

const PairResult* PairGrid::at(std::size_t from, std::size_t to) const {
    const auto found = rows_[from].find(to);
    return found == rows_[from].end() ? nullptr : &found->second;
}

}  // namespace netlab::cli
