#include "common/rtt_statistics.hpp"

#include <algorithm>
#include <bit>
#include <cmath>

namespace netlab {

namespace {

// Below 256 ns a bucket is one nanosecond; above, each octave has 128 of them.
constexpr unsigned octave_bits = 7;
constexpr std::uint64_t linear = 2ULL << octave_bits;
constexpr std::size_t buckets = linear + (64 - octave_bits - 1) * (1U << octave_bits);

std::size_t bucket_of(std::int64_t sample) {
    const auto value = static_cast<std::uint64_t>(sample);
    if (value < linear) return value;
    const auto shift = static_cast<unsigned>(std::bit_width(value)) - octave_bits - 1;
    return linear + (shift - 1) * (1U << octave_bits) + (value >> shift) - (1U << octave_bits);
}

double middle_of(std::size_t bucket) {
    if (bucket < linear) return static_cast<double>(bucket);
    const auto shift = (bucket - linear) / (1U << octave_bits) + 1;
    const auto mantissa = (bucket - linear) % (1U << octave_bits) + (1U << octave_bits);
    return (static_cast<double>(mantissa) + 0.5) * std::ldexp(1.0, static_cast<int>(shift));
}

}  // namespace

void RttStatistics::add(std::chrono::nanoseconds rtt) {
    const auto sample = std::max<std::int64_t>(0, rtt.count());
    min_ = count_ == 0 ? sample : std::min(min_, sample);
    max_ = std::max(max_, sample);
    ++count_;
    const auto value = static_cast<double>(sample);
    const double distance = value - mean_;
    mean_ += distance / static_cast<double>(count_);
    squares_ += distance * (value - mean_);

    if (histogram_.empty() && samples_.size() < most_exact) {
        samples_.push_back(sample);
        return;
    }
    if (histogram_.empty()) {
        histogram_.resize(buckets);
        for (const auto kept : samples_)
            ++histogram_[bucket_of(kept)];
        samples_ = {};
    }
    ++histogram_[bucket_of(sample)];
}

double RttStatistics::percentile(double fraction) const {
    const auto rank = std::max<std::uint64_t>(
        1, static_cast<std::uint64_t>(std::ceil(fraction * static_cast<double>(count_))));
    if (histogram_.empty()) {
        auto samples = samples_;
        const auto nth = samples.begin() + static_cast<std::ptrdiff_t>(rank - 1);
        std::nth_element(samples.begin(), nth, samples.end());
        return static_cast<double>(*nth);
    }
    std::uint64_t seen = 0;
    for (std::size_t bucket = 0; bucket < histogram_.size(); ++bucket) {
        seen += histogram_[bucket];
        // No percentile lies outside of what was measured.
        if (seen >= rank)
            return std::clamp(middle_of(bucket), static_cast<double>(min_), static_cast<double>(max_));
    }
    return static_cast<double>(max_);
}

std::optional<api::RttSummary> RttStatistics::summary() const {
    if (count_ == 0) return std::nullopt;
    const auto us = [](double ns) { return std::round(ns) / 1000; };
    api::RttSummary summary;
    summary.min = us(static_cast<double>(min_));
    summary.avg = us(mean_);
    summary.max = us(static_cast<double>(max_));
    summary.mdev = us(std::sqrt(squares_ / static_cast<double>(count_)));
    summary.p50 = us(percentile(0.50));
    summary.p99 = us(percentile(0.99));
    return summary;
}

}  // namespace netlab
