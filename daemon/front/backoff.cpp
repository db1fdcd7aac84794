#include "daemon/front/backoff.hpp"

#include <algorithm>

namespace netlab::front {

using std::chrono::milliseconds;

milliseconds Backoff::after(milliseconds lived) {
    constexpr milliseconds first{100};
    constexpr milliseconds longest{5'000};
    if (lived >= lively_) {
        quick_ends_ = 0;
        return milliseconds(0);
    }
    if (quick_ends_++ == 0) return milliseconds(0);
    return std::min(longest, first * (1 << std::min(quick_ends_ - 2, 6U)));
}

}  // namespace netlab::front
