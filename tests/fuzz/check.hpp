#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>
#include <string_view>

/// What the fuzzers share.
namespace netlab::fuzz {

/// What must hold whatever the input was: ends the fuzzer where it does not.
inline void check(bool holds) {
    if (!holds) std::abort();
}

inline std::string_view as_text(std::span<const std::uint8_t> bytes) {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// Printable ASCII alone: what may go to a log or a terminal.
inline bool is_printable(std::string_view text) {
    return std::ranges::all_of(text, [](char c) { return c >= 0x20 && c < 0x7F; });
}

}  // namespace netlab::fuzz
