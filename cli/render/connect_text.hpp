#pragma once

#include "common/api/connect.hpp"

#include <string>

/// A connect in words. Each text ends with a newline; what came from the daemon is escaped.
namespace netlab::cli::connect_text {

[[nodiscard]] std::string line(const api::ConnectStart& start);
/// One line, and one more for a banner and for TLS. `wait_ms` is how long each step was waited for.
[[nodiscard]] std::string line(const api::ConnectAttempt& attempt, double wait_ms);

struct SummaryForm {
    bool wide = false;    ///< with what listens at the other end
    bool counts = false;  ///< of one attempt too, whose line was not shown
};
/// Counts and times where there were several attempts, then the explanation and the suggestion.
[[nodiscard]] std::string summary(const api::ConnectReport& report, SummaryForm form = {});

}  // namespace netlab::cli::connect_text
