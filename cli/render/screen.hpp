#pragma once

#include "cli/options.hpp"

#include <cstddef>
#include <string_view>

namespace netlab::cli {

/// Where standard output goes.
struct Screen {
    bool terminal = false;
    std::size_t width = 80;  ///< columns; only of a terminal
    bool colours = false;

    [[nodiscard]] static Screen of_standard_output(const Options& options, const Environment& environment);
};

/// Writes to standard output and flushes: a person or a program waits for each line. errc::operation_failed
/// (a full disk); where the reader has gone away the process ends as SIGPIPE would have ended it.
[[nodiscard]] Result<void> print(std::string_view text);

}  // namespace netlab::cli
