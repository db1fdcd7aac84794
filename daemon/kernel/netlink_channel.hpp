#pragma once

#include "daemon/kernel/netlink.hpp"

#include <chrono>
#include <span>

/// What the dumps and the single questions of netlink.hpp are made of; for those two files, and for whoever
/// follows events.
namespace netlab::kernel::channel {

using Clock = std::chrono::steady_clock;

/// One for the process, which has one thread: 1 MiB, which no datagram of the kernel's exceeds.
[[nodiscard]] std::span<std::byte> receive_buffer();

/// One datagram at the beginning of the buffer, or what came instead.
struct Received {
    std::size_t size = 0;
    bool overrun = false;    ///< messages were lost
    bool truncated = false;  ///< this one was longer than the buffer
    bool nothing = false;
};

/// Does not wait. Empty where somebody else than the kernel sent it. errc::operation_failed.
[[nodiscard]] Result<Received> receive(int socket, std::span<std::byte> buffer);

/// To the kernel. errc::operation_failed.
[[nodiscard]] Result<void> send(int socket, std::span<const std::byte> message);

/// False where nothing came until then.
[[nodiscard]] bool wait_readable(int socket, Clock::time_point until);

/// Fills in the rest of the header that `message` begins with and returns its sequence number.
[[nodiscard]] std::uint32_t complete_header(std::span<std::byte> message, std::uint16_t flags);

/// The kernel's refusal; `attributes` may have its own words (NETLINK_EXT_ACK).
[[nodiscard]] Error refused(int error_number, std::span<const std::byte> attributes);

}  // namespace netlab::kernel::channel
