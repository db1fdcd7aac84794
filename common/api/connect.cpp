#include "common/api/connect.hpp"

#include "common/api/context.hpp"

#include <algorithm>

namespace netlab::api {

namespace {

Error bad(std::string message, std::string hint = {}) {
    return {errc::bad_request, std::move(message), std::move(hint), {}};
}

Error capped(std::string message, std::string hint) {
    return {errc::limit_exceeded, std::move(message), std::move(hint), {}};
}

Result<void> check_roles(const ConnectRequest& request, Roles roles) {
    if (roles.has(Role::host)) return {};
    if (request.count == 0)
        return capped("attempts without end need the host role", "without it up to 10000: -c 10000");
    if (request.count > ConnectLimits::count)
        return capped("more than 10000 attempts need the host role", "without it up to 10000: -c 10000");
    if (request.count > 1 && request.interval_ms < ConnectLimits::interval_ms)
        return capped("an interval under 10 ms needs the host role", "without it down to -i 0.01");
    return {};
}

/// The member that counts an outcome.
std::uint64_t& counter(ConnectReport& report, ConnectOutcome outcome) {
    switch (outcome) {
        case ConnectOutcome::connected:
            return report.connected;
        case ConnectOutcome::answered:
            return report.answered;
        case ConnectOutcome::silent:
            return report.silent;
        case ConnectOutcome::refused:
            return report.refused;
        case ConnectOutcome::timed_out:
            return report.timed_out;
        default:
            return report.unreachable;
    }
}

}  // namespace

Result<void> check(const ConnectRequest& request, Roles roles) {
    if (request.from.empty()) return bad("from: a target is needed");
    if (request.to.empty()) return bad("to: a name, an address or a target is needed");
    if (request.port == 0) return bad("port: from 1 to 65535");
    constexpr double longest_ms = 3'600'000;
    if (!(request.interval_ms >= 0) || request.interval_ms > longest_ms)
        return bad("interval: from 0 to 3600 seconds");
    if (!(request.wait_ms > 0) || request.wait_ms > longest_ms)
        return bad("wait: more than 0, up to 3600 seconds");
    if (request.udp && request.tls) return bad("tls is of TCP connections", "leave out --udp or --tls");
    if (request.banner && request.tls)
        return bad("a banner or TLS, not both", "who speaks TLS waits for the ClientHello");
    if (!request.udp && !request.data.empty()) return bad("data is sent by UDP only", "add --udp");
    if (request.data.size() > ConnectLimits::data) return bad("data: 1200 bytes at most");
    return check_roles(request, roles);
}

std::uint32_t deadline_ms(const ConnectRequest& request) {
    if (request.count == 0) return 0;
    // As for a ping: what a resolver may take.
    constexpr double resolving = 60'000;
    constexpr double longest = 4'000'000'000;
    // However short the interval, an attempt takes its time to be made and told.
    constexpr double shortest_gap = 2;
    const double steps = request.banner || request.tls ? 2 : 1;
    const double gap = std::max({shortest_gap, request.interval_ms, steps * request.wait_ms});
    return static_cast<std::uint32_t>(std::min(longest, resolving + gap * request.count + 5'000));
}

void count(ConnectReport& report, ConnectOutcome outcome) {
    ++report.attempts;
    ++counter(report, outcome);
    const auto good = report.connected + report.answered;
    report.outcome = good > 0 && good < report.attempts ? ConnectOutcome::partial : outcome;
}

Cost cost(const ConnectRequest& request, const Context& context) {
    constexpr double packets = 10;  // of an attempt with a handshake, some data, and its end
    if (is_uncapped(context)) return {};
    return {.packets_per_second = packets * 1000 / std::max(ConnectLimits::interval_ms, request.interval_ms)};
}

}  // namespace netlab::api
