#include "common/api/capture.hpp"

#include "common/api/context.hpp"

#include <algorithm>

namespace netlab::api {

Result<void> check(const CaptureRequest& request, Roles roles) {
    const auto bad = [](std::string message, std::string hint = {}) -> Error {
        return {errc::bad_request, std::move(message), std::move(hint), {}};
    };
    if (request.points.empty()) return bad("points: at least one is needed", "co1, co1:eth0, net:NAME");
    if (request.points.size() > CaptureLimits::points)
        return bad("points: " + std::to_string(CaptureLimits::points) + " at most");
    if (std::ranges::any_of(request.points, &std::string::empty)) return bad("points: one is empty");
    if (request.filter.size() > CaptureLimits::filter) {
        return bad("filter: " + std::to_string(request.filter.size()) + " bytes",
                   std::to_string(CaptureLimits::filter) + " bytes at most");
    }
    if (std::ranges::any_of(request.filter, [](char c) { return c == '\0'; }))
        return bad("filter: it holds a zero byte");
    if (request.snap_length > CaptureLimits::snap)
        return bad("snap_length: " + std::to_string(CaptureLimits::snap) + " bytes at most");
    constexpr double longest_ms = 366.0 * 24 * 3'600'000;
    if (!(request.duration_ms >= 0) || request.duration_ms > longest_ms)
        return bad("duration: from 0 to 366 days");
    if (request.buffer_kib == 0) return {};
    if (request.buffer_kib < CaptureLimits::smallest_buffer_kib)
        return bad("buffer: " + std::to_string(CaptureLimits::smallest_buffer_kib) + " KiB at least");
    if (request.buffer_kib > CaptureLimits::host_buffer_kib)
        return bad("buffer: " + std::to_string(CaptureLimits::host_buffer_kib) + " KiB at most");
    if (request.buffer_kib > CaptureLimits::buffer_kib && !roles.has(Role::host)) {
        return Error{errc::limit_exceeded,
                     "a buffer over " + std::to_string(CaptureLimits::buffer_kib) +
                         " KiB for each source needs the host role",
                     {},
                     {}};
    }
    return {};
}

Result<void> check(const PacketsRequest& request, Roles roles) {
    return check(static_cast<const CaptureRequest&>(request), roles);
}

std::uint32_t deadline_ms(const CaptureRequest&) {
    return 0;
}

std::uint32_t deadline_ms(const PacketsRequest&) {
    return 0;
}

Cost cost(const CaptureRequest& request, const Context& context) {
    // A point without an interface is all of its target's, of which the registry knows those on networks; the
    // worker holds a buffer of the caller's own size to what is admitted here.
    std::uint64_t sources = 0;
    bool whole = false;
    for (const auto& point : context.points) {
        sources += point.bridge ? 2 : 1;
        if (!point.interface.empty() || !point.network.empty() || point.target >= context.targets.size())
            continue;
        whole = true;
        sources += std::max<std::size_t>(1, context.targets[point.target].networks.size()) - 1;
    }
    constexpr std::uint64_t largest_kib = 16 * 1024;  // of one source, where nothing is said
    const auto least_kib = whole ? CaptureLimits::together_kib : 0;
    const auto each_kib =
        request.buffer_kib > 0
            ? std::uint64_t{request.buffer_kib}
            : std::clamp<std::uint64_t>(CaptureLimits::together_kib / std::max<std::uint64_t>(1, sources),
                                        CaptureLimits::smallest_buffer_kib, largest_kib);
    return {.capture_bytes = std::max(least_kib, sources * each_kib) * 1024};
}

Cost cost(const PacketsRequest& request, const Context& context) {
    return cost(static_cast<const CaptureRequest&>(request), context);
}

}  // namespace netlab::api
