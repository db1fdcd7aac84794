#include "common/connect_tally.hpp"

namespace netlab {

void ConnectTally::add(const api::ConnectAttempt& attempt) {
    api::count(counts_, attempt.outcome);
    const auto time = attempt.handshake_us ? attempt.handshake_us : attempt.rtt_us;
    if (time) times_.add(nanoseconds_of(*time));
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
    report.outcome = counts_.outcome;
}

}  // namespace netlab
