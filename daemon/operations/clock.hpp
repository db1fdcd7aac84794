#pragma once

#include <chrono>
#include <ctime>

namespace netlab::operations {

/// A clock of the kernel as its own time stamps have it: CLOCK_REALTIME since 1970, CLOCK_MONOTONIC since
/// some moment.
[[nodiscard]] inline std::chrono::nanoseconds now_on(clockid_t clock) {
    timespec time{};
    ::clock_gettime(clock, &time);
    return std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
}

}  // namespace netlab::operations
