#pragma once

#include "common/api/ping.hpp"

#include <chrono>
#include <cmath>
#include <cstdint>
#include <optional>
#include <vector>

namespace netlab {

/// Of a time as the API has it, in µs.
[[nodiscard]] inline std::chrono::nanoseconds nanoseconds_of(double us) {
    return std::chrono::nanoseconds(std::llround(us * 1000));
}

/// Round-trip times of any number of echoes in bounded memory. Minimum, average, maximum and mdev are always
/// exact; the percentiles (nearest rank) are exact for the first 100,000 samples and from then on come from a
/// histogram with 128 buckets to an octave: at most 0.4 % off. Under 900 KiB.
class RttStatistics {
  public:
    static constexpr std::size_t most_exact = 100'000;

    void add(std::chrono::nanoseconds rtt);

    /// In µs; nothing where there was no sample.
    [[nodiscard]] std::optional<api::RttSummary> summary() const;

  private:
    [[nodiscard]] double percentile(double fraction) const;

    std::uint64_t count_ = 0;
    std::int64_t min_ = 0;
    std::int64_t max_ = 0;
    double mean_ = 0;
    double squares_ = 0;  // sum of the squared distances from the mean (Welford)
    std::vector<std::int64_t> samples_;
    std::vector<std::uint64_t> histogram_;  // empty while the samples are kept
};

}  // namespace netlab
