#include "daemon/operations/neighbour_pacing.hpp"

#include <algorithm>

namespace netlab::operations {

namespace {

std::uint32_t reserve_of(const kernel::NeighbourTable& table) {
    return std::max(32U, table.hard / 16);
}

std::uint32_t room_above(const kernel::NeighbourTable& table, std::uint32_t used) {
    const auto taken = used + reserve_of(table);
    return table.hard > taken ? table.hard - taken : 0;
}

}  // namespace

std::uint32_t room_in(const kernel::NeighbourTable& table) {
    return room_above(table, table.entries);
}

std::size_t fitting(std::span<const std::uint32_t> needed, std::uint32_t room) {
    std::uint64_t sum = 0;
    for (std::size_t i = 0; i < needed.size(); ++i) {
        sum += needed[i];
        if (sum > room) return i;
    }
    return needed.size();
}

std::chrono::seconds time_for(std::uint64_t entries, const kernel::NeighbourTable& table) {
    constexpr std::chrono::seconds life{45};
    const std::uint64_t now = room_in(table);
    if (entries <= now) return std::chrono::seconds(0);
    const std::uint64_t each = std::max(1U, room_above(table, table.soft));
    return life * static_cast<std::int64_t>((entries - now + each - 1) / each);
}

api::PairsPacing pacing_of(std::uint64_t entries, const kernel::NeighbourTable& table, Family family) {
    api::PairsPacing out;
    out.entries = static_cast<std::uint32_t>(entries);
    out.room = room_in(table);
    out.capacity = table.hard;
    out.seconds = static_cast<double>(time_for(entries, table).count());
    const auto name =
        std::string("net.") + (family == Family::ipv4 ? "ipv4" : "ipv6") + ".neigh.default.gc_thresh";
    out.explanation = "the pairs need " + std::to_string(entries) +
                      " entries of the kernel's neighbour table, which holds " + std::to_string(table.hard) +
                      " of all namespaces together (" + name + "3) and has " + std::to_string(table.entries);
    const auto enough = 2 * (entries + table.entries);
    out.suggestion = "on the host: sysctl -w " + name + "2=" + std::to_string(enough) + " " + name +
                     "3=" + std::to_string(2 * enough);
    return out;
}

}  // namespace netlab::operations
