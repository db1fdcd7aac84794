#include "common/api/ping.hpp"

#include "common/api/context.hpp"

#include <algorithm>
#include <cmath>

namespace netlab::api {

Result<void> check(const PingRequest& request, Roles roles) {
    const auto bad = [](std::string message, std::string hint = {}) -> Error {
        return {errc::bad_request, std::move(message), std::move(hint), {}};
    };
    if (request.from.empty()) return bad("from: a target is needed");
    if (request.to.empty()) return bad("to: a name, an address or a target is needed");
    constexpr double longest_ms = 3'600'000;
    if (!(request.interval_ms >= 0) || request.interval_ms > longest_ms)
        return bad("interval: from 0 to 3600 seconds");
    if (!(request.wait_ms > 0) || request.wait_ms > longest_ms)
        return bad("wait: more than 0, up to 3600 seconds");
    if (request.payload > PingLimits::payload) {
        return bad("payload: " + std::to_string(request.payload) + " bytes do not fit into an IP packet",
                   "65507 at most");
    }
    if (roles.has(Role::host)) return {};
    const auto capped = [](std::string message, std::string hint) -> Error {
        return {errc::limit_exceeded, std::move(message), std::move(hint), {}};
    };
    if (request.flood) {
        return Error{errc::permission_denied,
                     "flooding needs the host role",
                     "ask for a group of [access] host in netlabd.toml, or leave out --flood",
                     {}};
    }
    if (request.count == 0) {
        return capped("an endless ping needs the host role", "without it up to 10000 echoes: -c 10000");
    }
    if (request.count > PingLimits::count) {
        return capped("more than 10000 echoes need the host role", "without it up to 10000 echoes: -c 10000");
    }
    if (request.interval_ms < PingLimits::interval_ms) {
        return capped("an interval under 10 ms needs the host role", "without it down to -i 0.01");
    }
    return {};
}

std::uint32_t deadline_ms(const PingRequest& request) {
    if (request.count == 0) return 0;
    // Two attempts at three servers of five seconds each, for each of six search domains, is what a resolver
    // may take.
    constexpr double resolving = 60'000;
    constexpr double longest = 4'000'000'000;
    // However short the interval, an echo takes its time to be sent and told.
    constexpr double shortest_gap = 1;
    const double gap =
        request.flood ? std::max(10.0, request.wait_ms) : std::max(shortest_gap, request.interval_ms);
    return static_cast<std::uint32_t>(
        std::min(longest, resolving + gap * request.count + 2 * request.wait_ms + 5'000));
}

Cost cost(const PingRequest& request, const Context& context) {
    constexpr double fragment = 1472;  // bytes of an echo in an Ethernet frame
    if (is_uncapped(context)) return {};
    const auto echoes = 1000 / std::max(PingLimits::interval_ms, request.interval_ms);
    return {.packets_per_second = echoes * std::ceil(std::max(1.0, request.payload / fragment))};
}

}  // namespace netlab::api
