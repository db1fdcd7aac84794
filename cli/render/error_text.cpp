#include "cli/render/error_text.hpp"

#include "cli/render/escape.hpp"

#include <unistd.h>

namespace netlab::cli {

std::string error_line(const Error& error) {
    std::string details;
    for (const auto& detail : error.details) {
        // Most messages and hints name them already.
        if (error.message.find(detail) != std::string::npos || error.hint.find(detail) != std::string::npos)
            continue;
        details.append(details.empty() ? ": " : ", ").append(detail);
    }
    std::string line = "netlab: " + escape(error.message + details);
    if (!error.hint.empty()) line += " — " + escape(error.hint);
    return line + "\n";
}

void complain(const Error& error) {
    const auto line = error_line(error);
    [[maybe_unused]] const auto written = ::write(STDERR_FILENO, line.data(), line.size());
}

}  // namespace netlab::cli
