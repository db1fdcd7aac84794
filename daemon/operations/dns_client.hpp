#pragma once

#include "daemon/operations/dns_channel.hpp"
#include "daemon/operations/dns_message.hpp"

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace netlab::operations {

/// One question to one server.
struct DnsCall {
    NameServer server;
    std::string name;  ///< with or without a dot at its end; "." is the root
    std::uint16_t type = dns_type::a;
    api::DnsTransport transport =
        api::DnsTransport::udp;  ///< over UDP, a truncated answer is asked for over TCP
    bool recursion = true;       ///< the RD bit
};

/// What came of it.
struct DnsExchange {
    NameOutcome outcome = NameOutcome::timed_out;
    std::optional<DnsMessage> message;  ///< the answer, whatever its response code
    api::DnsTransport transport = api::DnsTransport::udp;
    double elapsed_us = 0;                  ///< of the last attempt
    std::vector<api::DnsAttempt> attempts;  ///< one, or UDP and TCP
};

/// Asks DNS servers by c-ares, and tells all that can be told of each question: what was answered, whole, and
/// else why it was not. Whom to ask, and when, is the caller's business. Sockets open in whatever namespace
/// the process is in.
class DnsClient {
  public:
    /// For `prepare`: so many questions can be under way at once over UDP (and TCP, where an answer was
    /// truncated), and so many over TCP from the start. errc::operation_failed.
    [[nodiscard]] static Result<DnsClient> open(std::size_t udp, std::size_t tcp);
    DnsClient(DnsClient&&) noexcept;
    DnsClient& operator=(DnsClient&&) noexcept;
    ~DnsClient();

    /// For `run`. Puts all the questions at once, each to its server, and waits for all the answers until
    /// `until`; more than were prepared for are put in turns, which share the time. The results are in the
    /// order of the calls. errc::target_gone, errc::operation_failed; a server that says no or nothing is no
    /// error.
    [[nodiscard]] Result<std::vector<DnsExchange>> ask(std::span<const DnsCall> calls,
                                                       Output::Clock::time_point until,
                                                       const TargetWatch& watch, Output& output);

  private:
    class Asking;
    using Channels = std::vector<std::unique_ptr<Asking>>;

    DnsClient(Channels udp, Channels tcp);
    [[nodiscard]] Result<void> wait(std::span<Asking* const> busy, Output::Clock::time_point until,
                                    const TargetWatch& watch, Output& output);

    Channels udp_;
    Channels tcp_;
};

/// What a message means to somebody who asked for `type` of `name`.
[[nodiscard]] NameOutcome outcome_of(const DnsMessage& message, std::string_view name, std::uint16_t type);

}  // namespace netlab::operations
