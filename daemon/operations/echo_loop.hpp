#pragma once

#include "common/api/ping.hpp"
#include "daemon/operations/echo_payload.hpp"
#include "daemon/operations/echo_socket.hpp"
#include "daemon/operations/echo_tracker.hpp"
#include "daemon/operations/output.hpp"
#include "daemon/operations/target_watch.hpp"

#include <optional>

namespace netlab::operations {

/// Which echoes are sent, and where.
struct EchoPlan {
    ScopedAddress to;
    std::optional<IpAddress> source;  ///< what they leave from: named where the kernel refuses to send
    std::uint16_t id = 0;             ///< the socket's
    EchoCookie cookie{};
    std::uint32_t count = 0;  ///< 0: without end
    std::chrono::nanoseconds interval{};
    std::chrono::nanoseconds wait{};
    std::uint32_t payload = 0;
    bool flood = false;
};

struct EchoResult {
    EchoCounts counts;
    std::optional<api::RttSummary> rtt;
    std::optional<api::PingError> error;  ///< the last one
    bool no_route = false;                ///< the kernel would not send the last one for want of a route
    bool prohibited = false;              ///< nor for a route or rule that prohibits it
    std::chrono::nanoseconds elapsed{};   ///< from the first echo to the last news
};

/// Sends the echoes on an absolute schedule and tells of each reply, loss and error as it happens; returns
/// once every echo's fate is known. In a flood the next echo goes out when a reply comes, after 10 ms at the
/// latest, and replies are not told. errc::target_gone,
/// errc::operation_failed.
[[nodiscard]] Result<EchoResult> send_echoes(EchoSocket& socket, const EchoPlan& plan,
                                             const TargetWatch& watch, Output& output);

}  // namespace netlab::operations
