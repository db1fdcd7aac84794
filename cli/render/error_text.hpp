#pragma once

#include "common/error.hpp"

#include <string>

namespace netlab::cli {

/// The one line that an error is to the user: "netlab: MESSAGE: DETAIL, DETAIL — HINT" and a newline,
/// escaped.
[[nodiscard]] std::string error_line(const Error& error);

/// Writes it to standard error.
void complain(const Error& error);

}  // namespace netlab::cli
