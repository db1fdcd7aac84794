#pragma once

#include "common/address.hpp"

#include <cstdint>
#include <optional>

#include <sys/socket.h>

namespace netlab::operations {

/// What a socket's error queue tells (struct sock_extended_err, ip(7) IP_RECVERR).
struct QueuedError {
    std::uint8_t origin = 0;        ///< SO_EE_ORIGIN_
    std::uint8_t type = 0;          ///< of ICMP
    std::uint8_t code = 0;          ///< of ICMP
    std::uint32_t info = 0;         ///< the next hop's MTU, a timestamp's kind
    std::uint32_t data = 0;         ///< a timestamp's key
    int error_number = 0;           ///< what the next call fails with
    std::optional<IpAddress> from;  ///< who sent the ICMP error

    [[nodiscard]] bool is_icmp() const;
    friend bool operator==(const QueuedError&, const QueuedError&) = default;
};

/// Of one control message; nothing where it is another one or too short.
[[nodiscard]] std::optional<QueuedError> parse_queued_error(const cmsghdr& header);

/// Asks for ICMP errors of a socket of that family. False where the kernel refuses.
[[nodiscard]] bool ask_for_errors(int socket, Family family);

/// Empties the queue (256 entries at most); the last ICMP error in it, nothing where there was none.
[[nodiscard]] std::optional<QueuedError> take_icmp_error(int socket);

}  // namespace netlab::operations
