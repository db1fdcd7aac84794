#pragma once

#include "common/api/capture.hpp"
#include "common/pcapng_reader.hpp"

#include <optional>
#include <vector>

namespace netlab::cli {

/// What a capture's blocks tell while they pass: points, packets, and at the end the counts.
class CaptureLedger {
  public:
    /// One whole block. errc::protocol_error where it is one of netlab's kinds and does not decode, names an
    /// interface that no block before it has described, or begins a second section.
    [[nodiscard]] Result<void> note(const pcapng::Block& block);

    [[nodiscard]] std::uint64_t packets() const { return packets_; }
    /// Of all points that have said so by now; nullopt while none has.
    [[nodiscard]] std::optional<std::uint64_t> dropped() const;
    /// It began, and every point has said its counts: the capture ended as it should.
    [[nodiscard]] bool complete() const;
    /// In the order of the interface blocks. Of a point that has not said its counts, received and delivered
    /// are its packets that have come.
    [[nodiscard]] std::vector<api::CaptureCounts> points() const;

  private:
    struct Point {
        std::string name;
        std::uint64_t packets = 0;
        std::optional<pcapng::Statistics> statistics;
    };
    Result<Point*> point(std::uint32_t interface);

    std::vector<Point> points_;
    std::uint64_t packets_ = 0;
    bool section_ = false;
};

/// Whether a reader must have seen this block to understand the packets behind it.
[[nodiscard]] constexpr bool belongs_to_beginning(std::uint32_t type) {
    return type == pcapng::block::section || type == pcapng::block::interface || type == pcapng::block::names;
}

}  // namespace netlab::cli
