#include "cli/ping_tally.hpp"

#include <algorithm>
#include <cmath>

namespace netlab::cli {

namespace {

/// The nearest-rank percentile of sorted values.
double percentile(const std::vector<double>& sorted, double share) {
    const auto rank = static_cast<std::size_t>(std::ceil(share * static_cast<double>(sorted.size())));
    return sorted[std::clamp<std::size_t>(rank, 1, sorted.size()) - 1];
}

api::PingOutcome outcome_of(const api::PingReport& report) {
    if (report.received > 0) {
        return report.received == report.transmitted ? api::PingOutcome::answered : api::PingOutcome::partial;
    }
    return report.errors > 0 ? api::PingOutcome::unreachable : api::PingOutcome::lost;
}

}  // namespace

void PingTally::add(const PingEvent& event) {
    if (const auto* start = std::get_if<api::PingStart>(&event)) {
        started_ = true;
        report_.from = start->from;
        report_.to = start->to;
        report_.address = start->address;
        report_.resolved_by = start->resolved_by;
    } else if (const auto* reply = std::get_if<api::PingReply>(&event)) {
        add_reply(*reply);
    } else if (const auto* progress = std::get_if<api::PingProgress>(&event)) {
        progress_ = *progress;
    } else if (const auto* lost = std::get_if<api::PingLost>(&event)) {
        saw(lost->seq);
    } else if (const auto* error = std::get_if<api::PingError>(&event)) {
        saw(error->seq);
        ++report_.errors;
    }
}

void PingTally::saw(std::uint64_t seq) {
    report_.transmitted = std::max(report_.transmitted, seq);
}

void PingTally::add_reply(const api::PingReply& reply) {
    saw(reply.seq);
    if (reply.reordered.value_or(false)) ++report_.reordered;
    if (reply.duplicate.value_or(false)) {
        ++report_.duplicates;
    } else if (reply.corrupt.value_or(false)) {
        ++report_.corrupt;
    } else if (reply.late.value_or(false)) {
        ++report_.late;
    } else {
        const double rtt = reply.rtt_us;
        min_ = report_.received == 0 ? rtt : std::min(min_, rtt);
        max_ = report_.received == 0 ? rtt : std::max(max_, rtt);
        sum_ += rtt;
        sum_of_squares_ += rtt * rtt;
        ++report_.received;
        if (last_.size() < most_kept) {
            last_.push_back(rtt);
        } else {
            last_[oldest_] = rtt;
            oldest_ = (oldest_ + 1) % most_kept;
        }
    }
}

api::PingReport PingTally::report(double elapsed_ms) const {
    auto report = report_;
    report.elapsed_ms = elapsed_ms;
    if (progress_) {
        report.transmitted = progress_->transmitted;
        report.received = progress_->received;
        report.duplicates = progress_->duplicates;
        report.late = progress_->late;
        report.reordered = progress_->reordered;
        report.corrupt = progress_->corrupt;
        report.errors = progress_->errors;
        report.elapsed_ms = progress_->elapsed_ms;
        report.rtt_us = progress_->rtt_us;
    }
    report.outcome = outcome_of(report);
    if (report.transmitted > 0) {
        const auto lost = report.transmitted - std::min(report.received, report.transmitted);
        report.loss_percent = 100.0 * static_cast<double>(lost) / static_cast<double>(report.transmitted);
    }
    if (report.received > 0 && !progress_) {
        auto sorted = last_;
        std::ranges::sort(sorted);
        const auto count = static_cast<double>(report.received);
        const double mean = sum_ / count;
        const double variance = std::max(0.0, sum_of_squares_ / count - mean * mean);
        report.rtt_us = api::RttSummary{
            min_, mean, max_, std::sqrt(variance), percentile(sorted, 0.5), percentile(sorted, 0.99)};
    }
    return report;
}

}  // namespace netlab::cli
