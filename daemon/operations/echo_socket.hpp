#pragma once

#include "common/address.hpp"
#include "common/unique_fd.hpp"
#include "daemon/operations/icmp.hpp"
#include "daemon/operations/scoped_address.hpp"

#include <chrono>
#include <cstdint>
#include <deque>
#include <optional>
#include <span>
#include <variant>
#include <vector>

namespace netlab::operations {

/// An echo reply with our identifier. `reply.payload` is valid until the next receive().
struct ReceivedEcho {
    IpAddress from;
    icmp::EchoReply reply;
    std::optional<std::chrono::nanoseconds> kernel_time;  ///< CLOCK_REALTIME
};

/// The kernel says when the packet left that it counts as `key`.
struct TransmitNotice {
    std::uint32_t key = 0;
    std::chrono::nanoseconds kernel_time{};  ///< CLOCK_REALTIME
};

/// An ICMP error about an echo request from this namespace, perhaps another program's.
struct IcmpErrorNotice {
    IpAddress destination;  ///< of the request
    icmp::QuotedEcho echo;
    std::optional<IpAddress> from;
    std::uint8_t type = 0;
    std::uint8_t code = 0;
    std::uint32_t mtu = 0;
};

using EchoNotice = std::variant<TransmitNotice, IcmpErrorNotice>;

/// What sendto(2) said; `mtu` comes with EMSGSIZE where the kernel told it.
struct SendFailure {
    int error_number = 0;
    std::uint32_t mtu = 0;
};

struct EchoOptions {
    bool dont_fragment = false;
    bool transmit_times = true;    ///< the kernel tells when each request left
    std::size_t largest = 65'535;  ///< bytes of a reply that are looked at
};

/// A raw ICMP socket of one family that is woken for the replies to one identifier only, with kernel
/// timestamps in both directions. Opened in `prepare`, used in `run`.
class EchoSocket {
  public:
    /// errc::operation_failed; errc::unsupported where the kernel has no such family.
    [[nodiscard]] static Result<EchoSocket> open(Family family, std::uint16_t id, const EchoOptions& options);

    /// Sends by that interface from now on. Not by SO_BINDTODEVICE: a socket bound to a device never hears of
    /// an unanswered ARP or neighbour solicitation, because the kernel's own "host unreachable" comes over
    /// the loopback.
    [[nodiscard]] Result<void> send_through(std::uint32_t interface_index);

    [[nodiscard]] int descriptor() const { return socket_.get(); }
    [[nodiscard]] Family family() const { return family_; }

    /// Sends an echo request. Nothing where it went.
    [[nodiscard]] std::optional<SendFailure> send(const ScopedAddress& to, std::uint16_t sequence,
                                                  std::span<const std::uint8_t> payload);
    /// The next reply that has arrived; nothing where there is none. errc::operation_failed.
    [[nodiscard]] Result<std::optional<ReceivedEcho>> receive();
    /// The next thing that the error queue tells; nothing where it is empty.
    [[nodiscard]] std::optional<EchoNotice> notice();

  private:
    EchoSocket(UniqueFd socket, Family family, std::uint16_t id, const EchoOptions& options)
        : socket_(std::move(socket)),
          family_(family),
          id_(id),
          transmit_times_(options.transmit_times),
          buffer_(options.largest) {}
    void read_error_queue();

    UniqueFd socket_;
    Family family_;
    std::uint16_t id_;
    bool transmit_times_;
    std::vector<std::uint8_t> buffer_;
    std::deque<EchoNotice> notices_;
    std::uint32_t local_mtu_ = 0;  // of the last "message too long" that the kernel queued for us
};

}  // namespace netlab::operations
