#include "daemon/operations/pair_neighbours.hpp"

#include <algorithm>
#include <numeric>

namespace netlab::operations {

std::vector<std::uint32_t> PairNeighbours::entries_needed(Family family) const {
    std::vector<std::uint32_t> needed;
    needed.reserve(matrix_.pairs().size());
    std::vector<bool> gateway_counted(matrix_.size());
    for (const auto& pair : matrix_.pairs()) {
        const auto& from = matrix_.end(pair.from);
        std::uint32_t entries = 0;
        if (pair.way.address.family() == family && !from.is_same_namespace(matrix_.end(pair.to))) {
            if (pair.way.link) {
                entries = from.neighbours.contains(pair.way.address) ? 0 : 1;
            } else if (!gateway_counted[pair.from]) {
                gateway_counted[pair.from] = true;
                entries = 1;
            }
        }
        needed.push_back(entries);
    }
    return needed;
}

PairNeighbours::PairNeighbours(const PairMatrix& matrix, std::vector<const PairSide*> sides)
    : matrix_(matrix), sides_(std::move(sides)) {}

std::optional<kernel::NeighbourTable> PairNeighbours::table() const {
    const auto any = std::ranges::find_if(sides_, [](const PairSide* side) { return side != nullptr; });
    if (any == sides_.end()) return std::nullopt;
    const auto read = kernel::read_neighbour_table((*any)->route.get(), family_);
    return read ? std::optional(*read) : std::nullopt;
}

Result<void> PairNeighbours::look(Output& output) {
    auto v4 = entries_needed(Family::ipv4);
    auto v6 = entries_needed(Family::ipv6);
    const auto sum = [](const std::vector<std::uint32_t>& values) {
        return std::accumulate(values.begin(), values.end(), std::uint64_t{0});
    };
    // There is a table for each family; a matrix that fills both is rare, and the fuller one is slower.
    family_ = sum(v4) >= sum(v6) ? Family::ipv4 : Family::ipv6;
    needed_ = family_ == Family::ipv4 ? std::move(v4) : std::move(v6);
    const auto entries = sum(needed_);
    const auto now = table();
    all_fit_ = !now || entries <= room_in(*now);
    if (all_fit_) return {};
    const auto pacing = pacing_of(entries, *now, family_);
    constexpr std::chrono::minutes longest{30};
    if (time_for(entries, *now) > longest) {
        return Error{
            errc::limit_exceeded, pacing.explanation, pacing.suggestion + ", or take fewer targets", {}};
    }
    output.event(pacing);
    return {};
}

std::size_t PairNeighbours::wait_for_room(const std::deque<std::size_t>& line, Output& output) const {
    if (all_fit_) return line.size();
    std::vector<std::uint32_t> needed;
    for (const auto place : line)
        needed.push_back(needed_[place]);
    using Clock = Output::Clock;
    constexpr std::chrono::milliseconds pause{500};
    // Only who makes an entry makes the kernel look for old ones, and that every five seconds.
    const auto attempt = Clock::now() + std::chrono::milliseconds(5'100);
    for (;;) {
        const auto now = table();
        if (!now) return line.size();
        if (const auto count = fitting(needed, room_in(*now)); count > 0) return count;
        if (Clock::now() >= attempt) return 1;
        (void)output.wait({}, Clock::now() + pause);
    }
}

std::vector<std::size_t> PairNeighbours::take_batch(std::deque<std::size_t>& line, Output& output) const {
    const auto end = line.begin() + static_cast<std::ptrdiff_t>(wait_for_room(line, output));
    std::vector<std::size_t> batch(line.begin(), end);
    line.erase(line.begin(), end);
    return batch;
}

void PairNeighbours::introduce(std::span<const std::size_t> pairs) const {
    for (const auto place : pairs) {
        const auto& [from, to, way] = matrix_.pairs()[place];
        const auto& arp = sides_[from]->arp;
        if (arp && way.link && !matrix_.end(to).neighbours.contains(way.link->source))
            arp->introduce(*way.link, way.address);
    }
}

std::string PairNeighbours::why_silent(const Pair& pair) {
    if (read_ != pair.from) {
        const auto dump = kernel::dump_neighbours(sides_[pair.from]->route.get());
        neighbours_ = dump ? dump->rows : std::vector<kernel::Neighbour>{};
        read_ = pair.from;
    }
    const auto& address = pair.way.address;
    const bool silent = std::ranges::any_of(neighbours_, [&](const kernel::Neighbour& neighbour) {
        return neighbour.address == address && neighbour.is_unanswered();
    });
    if (!silent) return {};
    return address.is_v4() ? "nobody answers ARP" : "nobody answers neighbour solicitations";
}

}  // namespace netlab::operations
