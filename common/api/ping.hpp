#pragma once

#include "common/api/cost.hpp"
#include "common/api/role.hpp"
#include "common/api/target.hpp"

#include <optional>
#include <string_view>

namespace netlab::api {

/// POST /v1/ping: ICMP echoes from a target's namespace (RFC 792, RFC 4443). A stream of the events below,
/// the report last.
struct PingRequest {
    std::string from;         ///< a target
    std::string to;           ///< what a program in `from` would type, or another target's name, or "host"
    std::uint32_t count = 4;  ///< 0: until the client goes away
    double interval_ms = 1000;
    double wait_ms = 1000;       ///< how long a reply may take before it counts as lost
    std::uint32_t payload = 56;  ///< bytes after the ICMP header, 65,507 at most
    std::optional<Family> family;
    std::string interface;  ///< send through this interface of `from`
    bool dont_fragment = false;
    bool flood = false;    ///< as fast as replies come back, a hundred a second at least
    bool address = false;  ///< `to` is a target: take its address, ask no resolver

    friend bool operator==(const PingRequest&, const PingRequest&) = default;
};
BOOST_DESCRIBE_STRUCT(PingRequest, (),
                      (from, to, count, interval_ms, wait_ms, payload, family, interface, dont_fragment,
                       flood, address))

/// The caps of callers without the host role.
struct PingLimits {
    static constexpr std::uint32_t payload = 65'507;
    static constexpr std::uint32_t count = 10'000;
    static constexpr double interval_ms = 10;
};

/// errc::bad_request, or errc::limit_exceeded and errc::permission_denied where only the caller's roles
/// forbid it.
[[nodiscard]] Result<void> check(const PingRequest& request, Roles roles);

/// The time after which a worker with this request must have ended, in ms; 0 for an endless one.
[[nodiscard]] std::uint32_t deadline_ms(const PingRequest& request);

[[nodiscard]] Cost cost(const PingRequest& request, const Context& context);

/// First event: where the echoes go.
struct PingStart {
    static constexpr std::string_view type = "start";
    std::string from;
    std::string to;
    IpAddress address;
    std::string resolved_by;  ///< as in the report
    std::uint32_t payload = 0;
};
BOOST_DESCRIBE_STRUCT(PingStart, (), (from, to, address, resolved_by, payload))

struct PingReply {
    static constexpr std::string_view type = "reply";
    std::uint64_t seq = 0;  ///< counts from 1 and does not wrap
    IpAddress from;
    std::uint32_t bytes = 0;  ///< of the ICMP message
    std::optional<std::uint32_t> ttl;
    double rtt_us = 0;
    std::optional<bool> duplicate;
    std::optional<bool> late;       ///< after `wait_ms`: it counts as lost
    std::optional<bool> reordered;  ///< after the reply to a later echo
    std::optional<bool> corrupt;    ///< its payload is not what was sent: it counts as lost
};
BOOST_DESCRIBE_STRUCT(PingReply, (), (seq, from, bytes, ttl, rtt_us, duplicate, late, reordered, corrupt))

/// No reply within `wait_ms`, and no ICMP error either.
struct PingLost {
    static constexpr std::string_view type = "lost";
    std::uint64_t seq = 0;
};
BOOST_DESCRIBE_STRUCT(PingLost, (), (seq))

/// An ICMP error, or the kernel's own refusal to send (then `from` is the source's own address).
struct PingError {
    static constexpr std::string_view type = "icmp_error";
    std::uint64_t seq = 0;
    std::optional<IpAddress> from;
    std::optional<std::uint32_t> icmp_type;
    std::optional<std::uint32_t> icmp_code;
    std::optional<std::uint32_t> mtu;  ///< of the next hop, for "fragmentation needed" and "packet too big"
    std::string message;               ///< "host unreachable"
};
BOOST_DESCRIBE_STRUCT(PingError, (), (seq, from, icmp_type, icmp_code, mtu, message))

struct RttSummary {
    double min = 0;
    double avg = 0;
    double max = 0;
    double mdev = 0;  ///< as ping(8): sqrt(mean of squares - square of mean)
    double p50 = 0;
    double p99 = 0;
    friend bool operator==(const RttSummary&, const RttSummary&) = default;
};
BOOST_DESCRIBE_STRUCT(RttSummary, (), (min, avg, max, mdev, p50, p99))

/// How far a flood has come, five times a second: its replies are not told one by one. The counts are the
/// report's.
struct PingProgress {
    static constexpr std::string_view type = "progress";
    std::uint64_t transmitted = 0;
    std::uint64_t received = 0;
    std::uint64_t duplicates = 0;
    std::uint64_t late = 0;
    std::uint64_t reordered = 0;
    std::uint64_t corrupt = 0;
    std::uint64_t errors = 0;
    std::optional<RttSummary> rtt_us;
    double elapsed_ms = 0;
};
BOOST_DESCRIBE_STRUCT(PingProgress, (),
                      (transmitted, received, duplicates, late, reordered, corrupt, errors, rtt_us,
                       elapsed_ms))

enum class PingOutcome : std::uint8_t {
    answered,     ///< every echo
    partial,      ///< some
    lost,         ///< none, in silence
    unreachable,  ///< none, and an ICMP error or the kernel said why
    unresolved,   ///< no address for the name, nothing was sent
};
BOOST_DESCRIBE_ENUM(PingOutcome, answered, partial, lost, unreachable, unresolved)

struct PingReport {
    static constexpr std::string_view type = "report";
    std::string from;
    std::string to;
    std::optional<IpAddress> address;
    std::string resolved_by;  ///< the server that answered ("127.0.0.11"), "/etc/hosts", "numeric", "target";
                              ///< "" unresolved
    PingOutcome outcome = PingOutcome::lost;
    std::uint64_t transmitted = 0;
    std::uint64_t received = 0;  ///< in time, once, whole
    std::uint64_t duplicates = 0;
    std::uint64_t late = 0;
    std::uint64_t reordered = 0;
    std::uint64_t corrupt = 0;
    std::uint64_t errors = 0;
    std::optional<double> loss_percent;  ///< absent where nothing was sent
    std::optional<RttSummary> rtt_us;    ///< absent where nothing came back
    double elapsed_ms = 0;
    std::optional<std::string> explanation;  ///< why it is as it is, where netlab knows
    std::optional<std::string> suggestion;   ///< what to do about it, a command where there is one
};
BOOST_DESCRIBE_STRUCT(PingReport, (),
                      (from, to, address, resolved_by, outcome, transmitted, received, duplicates, late,
                       reordered, corrupt, errors, loss_percent, rtt_us, elapsed_ms, explanation, suggestion))

}  // namespace netlab::api
