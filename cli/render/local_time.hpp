#pragma once

#include <string>
#include <string_view>

namespace netlab::cli {

/// "12:00:01.123456" in local time of "2026-11-26T11:00:01.123456789Z"; what is no such time as it is.
/// Escaped.
[[nodiscard]] std::string local_time(std::string_view text);

}  // namespace netlab::cli
