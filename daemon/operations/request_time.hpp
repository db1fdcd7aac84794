#pragma once

#include "daemon/operations/output.hpp"

/// Requests and reports have their times in milliseconds (JSON's numbers); operations wait by the clock.
namespace netlab::operations {

[[nodiscard]] inline Output::Clock::duration from_ms(double milliseconds) {
    return std::chrono::duration_cast<Output::Clock::duration>(
        std::chrono::duration<double, std::milli>(milliseconds));
}

/// In whole microseconds: more digits say nothing.
[[nodiscard]] inline double to_ms(std::chrono::nanoseconds span) {
    const auto whole = std::chrono::floor<std::chrono::microseconds>(span);
    return std::chrono::duration<double, std::milli>(whole).count();
}

}  // namespace netlab::operations
