#include "daemon/operations/pair_matrix.hpp"

namespace netlab::operations {

void PairMatrix::add(const Result<const PairSide*>& side) {
    auto end = side ? read_pair_end((*side)->route.get()) : Result<PairEnd>(side.error());
    const auto& name = context_.targets[ends_.size()].name;
    takes_part_.push_back(static_cast<bool>(end));
    if (end) {
        ++counts_.targets;
        ends_.push_back(std::move(*end));
    } else {
        ++counts_.failures;
        output_.row(api::TargetFailure{name, end.error()});
        ends_.emplace_back();
    }
    ends_.back().name = name;
    if (!side) return;
    ends_.back().device = (*side)->device;
    ends_.back().inode = (*side)->inode;
}

void PairMatrix::choose() {
    const auto add_pair = [&](std::uint32_t from, std::uint32_t to) {
        Pair pair{from, to, {}};
        if (auto way = choose_way(ends_[from], ends_[to], family_)) {
            pair.way = *way;
            pairs_.push_back(pair);
            return;
        }
        api::PairRow row;
        row.outcome = api::PairOutcome::no_address;
        tell(pair, std::move(row));
    };
    const auto count = static_cast<std::uint32_t>(ends_.size());
    api::PairsStart start;
    for (std::uint32_t i = 0; i < count; ++i) {
        if (takes_part_[i]) start.targets.push_back(ends_[i].name);
    }
    output_.row(start);
    for (std::uint32_t i = 0; i < count; ++i) {
        for (std::uint32_t j = i + 1; j < count; ++j) {
            if (!takes_part_[i] || !takes_part_[j]) continue;
            add_pair(i, j);
            add_pair(j, i);
        }
    }
}

void PairMatrix::tell(const Pair& pair, api::PairRow row) {
    using api::PairOutcome;
    row.from = ends_[pair.from].name;
    row.to = ends_[pair.to].name;
    if (row.outcome != PairOutcome::no_address) row.address = pair.way.address;
    ++counts_.pairs;
    const bool good = row.outcome == PairOutcome::answered || row.outcome == PairOutcome::connected;
    ++(good ? counts_.good : counts_.bad);
    output_.row(row);
}

void PairMatrix::report(double elapsed_ms) {
    counts_.elapsed_ms = elapsed_ms;
    output_.event(counts_);
}

}  // namespace netlab::operations
