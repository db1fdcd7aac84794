#include "common/api/pairs.hpp"

#include "common/api/context.hpp"

#include <algorithm>

namespace netlab::api {

namespace {

Error bad(std::string message, std::string hint = {}) {
    return {errc::bad_request, std::move(message), std::move(hint), {}};
}

constexpr double longest_wait_ms = 60'000;

template <class Request>
Result<void> check_both(const Request& request) {
    const int ways =
        (request.targets.empty() ? 0 : 1) + (request.all ? 1 : 0) + (request.network.empty() ? 0 : 1);
    if (ways == 0) return bad("targets: at least two are needed, or a network, or all");
    if (ways > 1) return bad("targets, a network or all of them: one of the three");
    if (request.targets.size() == 1) return bad("a single target has nobody to reach", "name two at least");
    if (!(request.wait_ms > 0) || request.wait_ms > longest_wait_ms)
        return bad("wait: more than 0, up to 60 seconds");
    return {};
}

/// As if all were under way within one second.
Cost all_pairs(const Context& context, double packets) {
    if (is_uncapped(context)) return {};
    const auto targets = static_cast<double>(context.targets.size());
    return {.packets_per_second = packets * targets * std::max(0.0, targets - 1)};
}

}  // namespace

Result<void> check(const PingPairsRequest& request, Roles) {
    return check_both(request);
}

Result<void> check(const ConnectPairsRequest& request, Roles) {
    if (request.port == 0) return bad("port: from 1 to 65535");
    return check_both(request);
}

std::uint32_t deadline_ms(const PingPairsRequest&) {
    // 256 targets in a neighbour table of 1,024 entries.
    return 2'400'000;
}

std::uint32_t deadline_ms(const ConnectPairsRequest& request) {
    // Of 255 connections from each target eight at least are under way at once, of IPv6 beside IPv4 two.
    constexpr double rounds = 256.0 / 8 + 256.0 / 2;
    return static_cast<std::uint32_t>(2'400'000 + request.wait_ms * rounds);
}

Cost cost(const PingPairsRequest&, const Context& context) {
    return all_pairs(context, 1);
}

Cost cost(const ConnectPairsRequest&, const Context& context) {
    constexpr double packets = 3;  // SYN, ACK, RST
    return all_pairs(context, packets);
}

}  // namespace netlab::api
