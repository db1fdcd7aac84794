#pragma once

#include "common/error.hpp"

#include <string>
#include <string_view>

namespace netlab::cli {

/// The one line that an error is to the user: "netlab: MESSAGE: DETAIL, DETAIL — HINT" and a newline,
/// escaped. Where the details are a text and a caret under a place in it, they are two lines more.
[[nodiscard]] std::string error_line(const Error& error);

/// Writes it to standard error.
void complain(const Error& error);

/// Writes `text` as it is to standard error, where what is told beside the output goes.
void tell(std::string_view text);

}  // namespace netlab::cli
