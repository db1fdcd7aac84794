#include "cli/ping_tally.hpp"

#include <algorithm>

namespace netlab::cli {

namespace {

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
        rtt_.add(nanoseconds_of(reply.rtt_us));
        ++report_.received;
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
    if (!progress_) report.rtt_us = rtt_.summary();
    return report;
}

}  // namespace netlab::cli
