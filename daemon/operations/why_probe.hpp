#pragma once

#include "common/api/why.hpp"
#include "daemon/operations/connect_attempt.hpp"
#include "daemon/operations/echo_socket.hpp"
#include "daemon/operations/flow_view.hpp"
#include "daemon/operations/scoped_address.hpp"

#include <algorithm>
#include <optional>
#include <string>

#include <poll.h>

namespace netlab::operations {

/// What came of one packet that was sent.
struct ProbeEnd {
    enum class Kind : std::uint8_t {
        answered,  ///< an echo's reply, a SYN-ACK, a datagram
        reset,     ///< TCP's refusal
        error,     ///< an ICMP error
        not_sent,  ///< the kernel of FROM would not
    };
    Kind kind = Kind::answered;
    std::string what;               ///< of the others: in words, "host unreachable"
    int error_number = 0;           ///< of `not_sent`
    std::uint32_t mtu = 0;          ///< that an error told
    bool no_port = false;           ///< an error that says that nothing has that port
    std::optional<IpAddress> from;  ///< who sent the error
    friend bool operator==(const ProbeEnd&, const ProbeEnd&) = default;
};

/// One real packet from FROM's namespace: an echo, a SYN, a datagram, from a port (or with an identifier)
/// that is its own. Made in `run`, in that namespace.
class WhyProbe {
  public:
    /// `echo` is borrowed, and for icmp alone; its identifier is `id`. errc::operation_failed,
    /// errc::unsupported.
    [[nodiscard]] static Result<WhyProbe> open(const api::WhyRequest& request, const ScopedAddress& to,
                                               EchoSocket* echo, std::uint16_t id);

    [[nodiscard]] const Flow& flow() const { return flow_; }
    /// Before send(): of a datagram at least that many bytes.
    void fill(std::uint32_t bytes) { payload_ = std::max(payload_, bytes); }
    /// Once; an end where that is decided at once.
    [[nodiscard]] std::optional<ProbeEnd> send();
    /// To be waited for before look().
    [[nodiscard]] pollfd waiting() const;
    /// An end where there is one by now.
    [[nodiscard]] std::optional<ProbeEnd> look();
    /// Of TCP: the other end has accepted the connection and given it up again.
    [[nodiscard]] bool is_given_up() const;
    /// The address that it left from, where that is known.
    [[nodiscard]] std::optional<IpAddress> source() const;

  private:
    WhyProbe(const ScopedAddress& to, EchoSocket* echo) : to_(to), echo_(echo) {}
    Result<void> open_socket(bool dont_fragment);
    [[nodiscard]] std::optional<ProbeEnd> send_echo();
    [[nodiscard]] std::optional<ProbeEnd> look_for_reply();
    [[nodiscard]] ProbeEnd failure(int error_number, bool at_once) const;

    ScopedAddress to_;
    EchoSocket* echo_;
    Flow flow_;
    UniqueFd socket_;
    std::uint32_t payload_ = 0;
};

}  // namespace netlab::operations
