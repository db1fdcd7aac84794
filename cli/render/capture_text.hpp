#pragma once

#include "common/api/capture.hpp"

#include <optional>
#include <span>
#include <string>

/// Captures in the words of tcpdump(8), so that eyes that know it can read them. Each text ends with a
/// newline where nothing else is said; what came from the daemon is escaped.
namespace netlab::cli::capture_text {

enum class Names : bool { no, yes };

/// "12:00:01.123456 co1:eth0 Out IP co1.34567 > co2.80: Flags [S], …", in local time.
[[nodiscard]] std::string line(const api::PacketRow& packet, Names names);

/// "co1:eth0: 5 packets captured, 5 received by filter, 0 dropped" of each point, and of all where there are
/// several; with why a point ended.
[[nodiscard]] std::string counts(std::span<const api::CaptureCounts> points);

struct Progress {
    std::uint64_t packets = 0;
    std::uint64_t bytes = 0;  ///< written
    std::optional<std::uint64_t> dropped;
    double packets_per_second = 0;
};
/// Without a newline: it is written over.
[[nodiscard]] std::string line(const Progress& progress);

/// "812 bytes", "1.5 MiB".
[[nodiscard]] std::string size(std::uint64_t bytes);
/// "1 packet", "2 packets".
[[nodiscard]] std::string packets(std::uint64_t number);

}  // namespace netlab::cli::capture_text
