#pragma once

#include "daemon/operations/dns_asking.hpp"
#include "daemon/operations/target_watch.hpp"

#include <memory>
#include <span>
#include <vector>

namespace netlab::operations {

/// Asks DNS servers by c-ares, and tells all that can be told of each question: what was answered, whole, and
/// else why it was not. Whom to ask, and when, is the caller's business. Sockets open in whatever namespace
/// the process is in.
class DnsClient {
  public:
    /// For `prepare`: so many questions can be under way at once over UDP (and TCP, where an answer was
    /// truncated), and so many over TCP from the start. errc::operation_failed.
    [[nodiscard]] static Result<DnsClient> open(std::size_t udp, std::size_t tcp);

    /// For `run`. Puts all the questions at once, each to its server, and waits for all the answers until
    /// `until`; more than were prepared for are put in turns, which share the time. The results are in the
    /// order of the calls. errc::target_gone, errc::operation_failed; a server that says no or nothing is no
    /// error.
    [[nodiscard]] Result<std::vector<DnsExchange>> ask(std::span<const DnsCall> calls,
                                                       Output::Clock::time_point until,
                                                       const TargetWatch& watch, Output& output);

  private:
    using Channels = std::vector<std::unique_ptr<DnsAsking>>;

    DnsClient(Channels udp, Channels tcp) : udp_(std::move(udp)), tcp_(std::move(tcp)) {}
    [[nodiscard]] Result<void> wait(std::span<DnsAsking* const> busy, Output::Clock::time_point until,
                                    const TargetWatch& watch, Output& output);

    Channels udp_;
    Channels tcp_;
};

/// Joins what a server said of each type that was asked at once: one that has records is success, "no such
/// name" counts less than "no data".
[[nodiscard]] NameOutcome join(std::span<const NameOutcome> outcomes);

/// reason_of() the first of the exchanges that came to `outcome`.
[[nodiscard]] std::string reason_of(std::span<const DnsExchange> exchanges, NameOutcome outcome);

/// A program goes by it and asks no other server.
[[nodiscard]] bool is_answer(NameOutcome outcome);

}  // namespace netlab::operations
