#include "cli/render/error_text.hpp"

#include "cli/render/escape.hpp"

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

}  // namespace netlab::cli
