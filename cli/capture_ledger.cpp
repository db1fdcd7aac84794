#include "cli/capture_ledger.hpp"

#include <algorithm>

namespace netlab::cli {

Result<CaptureLedger::Point*> CaptureLedger::point(std::uint32_t interface) {
    if (interface < points_.size()) return &points_[interface];
    return Error{
        errc::protocol_error, "netlabd's capture names an interface that it has not described", {}, {}};
}

Result<void> CaptureLedger::note(const pcapng::Block& block) {
    switch (block.type) {
        case pcapng::block::packet: {
            const auto interface = pcapng::packet_interface(block);
            if (!interface) return interface.error();
            const auto its = point(*interface);
            if (!its) return its.error();
            ++(*its)->packets;
            ++packets_;
            return {};
        }
        case pcapng::block::section:
            if (std::exchange(section_, true))
                return Error{errc::protocol_error, "netlabd's capture has a second section", {}, {}};
            return {};
        case pcapng::block::interface: {
            auto interface = pcapng::decode_interface(block);
            if (!interface) return interface.error();
            points_.push_back({std::move(interface->interface.name), 0, std::nullopt});
            return {};
        }
        case pcapng::block::statistics: {
            auto statistics = pcapng::decode_statistics(block);
            if (!statistics) return statistics.error();
            const auto its = point(statistics->interface);
            if (!its) return its.error();
            (*its)->statistics = std::move(*statistics);
            return {};
        }
        default:
            return {};
    }
}

std::optional<std::uint64_t> CaptureLedger::dropped() const {
    std::optional<std::uint64_t> dropped;
    for (const auto& point : points_) {
        if (point.statistics) dropped = dropped.value_or(0) + point.statistics->dropped;
    }
    return dropped;
}

bool CaptureLedger::complete() const {
    return section_ &&
           std::ranges::all_of(points_, [](const Point& point) { return point.statistics.has_value(); });
}

std::vector<api::CaptureCounts> CaptureLedger::points() const {
    std::vector<api::CaptureCounts> out;
    out.reserve(points_.size());
    for (const auto& [name, packets, statistics] : points_) {
        auto& counts = out.emplace_back(api::CaptureCounts{name, packets, packets, 0, std::nullopt});
        if (!statistics) continue;
        counts.received = statistics->received;
        counts.delivered = statistics->delivered;
        counts.dropped = statistics->dropped;
        if (!statistics->comment.empty()) counts.ended = statistics->comment;
    }
    return out;
}

}  // namespace netlab::cli
