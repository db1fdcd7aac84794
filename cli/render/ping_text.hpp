#pragma once

#include "common/api/ping.hpp"

#include <string>

/// Ping in the words of iputils' ping(8), so that eyes and scripts that know it can read it. Each text ends
/// with a newline; what came from the daemon is escaped.
namespace netlab::cli::ping_text {

[[nodiscard]] std::string line(const api::PingStart& start);
[[nodiscard]] std::string line(const api::PingReply& reply);
/// `wait_ms` is how long the reply was waited for.
[[nodiscard]] std::string line(const api::PingLost& lost, double wait_ms);
[[nodiscard]] std::string line(const api::PingError& error);

/// The statistics, then the explanation and the suggestion. `wide` adds percentiles.
[[nodiscard]] std::string summary(const api::PingReport& report, bool wide);

/// A round trip in ms with the digits that iputils gives it.
[[nodiscard]] std::string milliseconds(double rtt_us);

}  // namespace netlab::cli::ping_text
