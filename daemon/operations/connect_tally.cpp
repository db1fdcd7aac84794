#include "daemon/operations/connect_tally.hpp"

namespace netlab::operations {

using api::ConnectOutcome;

namespace {

/// The report's member that counts an outcome.
std::uint64_t& counter(api::ConnectReport& report, ConnectOutcome outcome) {
    switch (outcome) {
        case ConnectOutcome::connected:
            return report.connected;
        case ConnectOutcome::answered:
            return report.answered;
        case ConnectOutcome::silent:
            return report.silent;
        case ConnectOutcome::refused:
            return report.refused;
        case ConnectOutcome::timed_out:
            return report.timed_out;
        default:
            return report.unreachable;
    }
}

}  // namespace

void ConnectTally::add(const api::ConnectAttempt& attempt) {
    ++counts_.attempts;
    ++counter(counts_, attempt.outcome);
    last_ = attempt.outcome;
    const auto time = attempt.handshake_us ? attempt.handshake_us : attempt.rtt_us;
    if (time) times_.add(std::chrono::nanoseconds(static_cast<std::int64_t>(*time * 1000)));
}

void ConnectTally::fill(api::ConnectReport& report) const {
    report.attempts = counts_.attempts;
    report.connected = counts_.connected;
    report.answered = counts_.answered;
    report.silent = counts_.silent;
    report.refused = counts_.refused;
    report.unreachable = counts_.unreachable;
    report.timed_out = counts_.timed_out;
    report.handshake_us = times_.summary();
    const auto good = counts_.connected + counts_.answered;
    report.outcome = good > 0 && good < counts_.attempts ? ConnectOutcome::partial : last_;
}

}  // namespace netlab::operations
