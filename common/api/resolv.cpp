#include "common/api/resolv.hpp"

namespace netlab::api {

Result<void> check(const ResolvRequest& request, Roles) {
    if (request.from.empty()) return Error{errc::bad_request, "from: a target is needed", {}, {}};
    constexpr double longest_ms = 30'000;
    if (!(request.wait_ms > 0) || request.wait_ms > longest_ms)
        return Error{errc::bad_request, "wait: more than 0, up to 30 seconds", {}, {}};
    return {};
}

std::uint32_t deadline_ms(const ResolvRequest& request) {
    // The kernel's tables, a look at all processes and an engine that hangs each have seconds of their own.
    constexpr double reading = 15'000;
    return static_cast<std::uint32_t>(reading + 2 * request.wait_ms);
}

}  // namespace netlab::api
