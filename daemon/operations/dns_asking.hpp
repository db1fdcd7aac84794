#pragma once

#include "daemon/operations/dns_message.hpp"
#include "daemon/operations/dns_sockets.hpp"
#include "daemon/operations/name_search.hpp"

#include <memory>
#include <optional>
#include <string>
#include <vector>

struct ares_channeldata;

namespace netlab::operations {

/// One question to one server.
struct DnsCall {
    NameServer server;
    std::string name;  ///< with or without a dot at its end; "." is the root
    std::uint16_t type = dns_type::a;
    api::DnsTransport transport =
        api::DnsTransport::udp;  ///< over UDP, a truncated answer is asked for over TCP
    bool recursion = true;       ///< the RD bit
    bool insist =
        false;  ///< over UDP: put once more when half of the time is over, and either answer will do
};

/// What came of it.
struct DnsExchange {
    NameOutcome outcome = NameOutcome::timed_out;
    std::optional<DnsMessage> message;  ///< the answer, whatever its response code
    api::DnsTransport transport = api::DnsTransport::udp;
    double elapsed_us = 0;                  ///< of the last attempt
    std::vector<api::DnsAttempt> attempts;  ///< one, or UDP and TCP
};

/// Why there is no record in it, in words: "SERVFAIL", "port unreachable, from 192.0.2.1"; "" where nothing
/// is known, as of silence.
[[nodiscard]] std::string reason_of(const DnsExchange& exchange);

/// What a message means to somebody who asked for `type` of `name`.
[[nodiscard]] NameOutcome outcome_of(const DnsMessage& message, std::string_view name, std::uint16_t type);

struct AresDestroy {
    void operator()(ares_channeldata* channel) const noexcept;
};

/// One channel of c-ares and the one question that it is busy with. c-ares never chooses a server or a moment
/// here: it has one server at a time, tries once, and the caller's clock decides.
class DnsAsking {
  public:
    /// For `prepare`: c-ares reads /dev/urandom here. errc::operation_failed.
    [[nodiscard]] static Result<std::unique_ptr<DnsAsking>> open(api::DnsTransport transport);
    DnsAsking(const DnsAsking&) = delete;
    DnsAsking& operator=(const DnsAsking&) = delete;

    /// `call` must last until finish(). False where there is nothing that DNS could be asked for.
    /// errc::operation_failed.
    [[nodiscard]] Result<bool> start(const DnsCall& call);
    [[nodiscard]] bool done() const { return done_; }
    /// The sockets that it waits for now.
    void append_sockets(std::vector<pollfd>& out) const;
    /// Puts the question once more, if it is under way over UDP: one lost datagram is no silence.
    void repeat();
    /// After poll(2): of one of those.
    void process(const pollfd& socket);
    /// Ends it, whether there is an answer or not.
    [[nodiscard]] DnsExchange finish();

  private:
    using Clock = Output::Clock;
    using Channel = std::unique_ptr<ares_channeldata, AresDestroy>;

    explicit DnsAsking(Channel channel);
    [[nodiscard]] static Result<Channel> open_channel(api::DnsTransport transport);
    static void told(void* asking, int status, int timeouts, unsigned char* message, int length);
    [[nodiscard]] Result<void> set_server();
    [[nodiscard]] api::DnsAttempt attempt_of(const DnsSocketFacts& facts) const;
    void take_answer(DnsExchange& exchange) const;

    DnsSockets sockets_;
    const DnsCall* call_ = nullptr;
    std::vector<std::uint8_t> query_;
    std::vector<std::uint8_t> answer_;
    bool done_ = true;
    Clock::time_point begin_{};
    Clock::time_point end_{};
    Channel channel_;  // the first to be destroyed: it closes by sockets_ and tells this object
};

}  // namespace netlab::operations
