#pragma once

#include <cstdint>

namespace netlab::api {

struct Context;

/// What one request may come to while it runs, as far as that can be said before it begins: a user's quota is
/// held against the sum of his.
struct Cost {
    double packets_per_second =
        0;  ///< that it sends; nothing of a caller with the host role, who has no caps
    std::uint64_t capture_bytes = 0;  ///< of the kernel's memory, in which packets wait
    friend bool operator==(const Cost&, const Cost&) = default;
};

}  // namespace netlab::api
