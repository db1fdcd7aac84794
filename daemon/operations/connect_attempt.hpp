#pragma once

#include "common/api/connect.hpp"
#include "daemon/operations/error_queue.hpp"
#include "daemon/operations/output.hpp"
#include "daemon/operations/scoped_address.hpp"
#include "daemon/operations/target_watch.hpp"
#include "daemon/operations/tls_client.hpp"

#include <cerrno>
#include <chrono>
#include <optional>
#include <span>
#include <string>

namespace netlab::operations {

/// How each attempt is made.
struct AttemptPlan {
    ScopedAddress to;
    std::uint16_t port = 0;
    bool udp = false;
    bool has_source = true;             ///< the kernel has an address to send from
    std::uint32_t interface_index = 0;  ///< 0: the routing table decides
    std::chrono::nanoseconds wait{};    ///< for each step
    bool banner = false;
    std::string data;          ///< of UDP
    TlsClient* tls = nullptr;  ///< where TLS is wanted; borrowed
};

/// One connection or datagram from the current namespace, from its first packet until its fate is known;
/// nothing of it is left. `seq` is the caller's to fill in. That it does not come through is no error.
/// errc::target_gone, errc::operation_failed (no socket to be had, no local port left).
[[nodiscard]] Result<api::ConnectAttempt> attempt_connection(const AttemptPlan& plan,
                                                             const TargetWatch& watch, Output& output);

/// What the kernel or an ICMP error means for an attempt: `error_number` is what connect(2) or send(2) said.
struct AttemptFailure {
    api::ConnectOutcome outcome = api::ConnectOutcome::unreachable;
    api::Refusal refusal;
};
[[nodiscard]] AttemptFailure failure_of(Family family, int error_number,
                                        const std::optional<QueuedError>& icmp);

/// The other end has reset the connection since it was made: before that a reset is ECONNREFUSED (tcp_reset()
/// in net/ipv4/tcp_input.c).
[[nodiscard]] constexpr bool is_reset_since(int error_number) {
    return error_number == ECONNRESET || error_number == EPIPE;
}

/// At most ConnectLimits::banner bytes as text: what is no printable ASCII as \n, \r, \t, \\ and \xNN.
[[nodiscard]] std::string banner_text(std::span<const char> bytes);

}  // namespace netlab::operations
