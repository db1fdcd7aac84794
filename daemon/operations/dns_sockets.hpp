#pragma once

#include "common/api/dns.hpp"
#include "daemon/operations/output.hpp"
#include "daemon/operations/resolv_conf.hpp"

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <sys/socket.h>

struct ares_channeldata;
struct iovec;

namespace netlab::operations {

/// What was seen on one socket of one question.
struct DnsSocketFacts {
    using Clock = Output::Clock;

    api::DnsTransport transport = api::DnsTransport::udp;
    Clock::time_point asked{};  ///< when the question was handed to the kernel, or the connection begun
    std::optional<Clock::time_point> ended;          ///< when an answer or an error came
    std::optional<std::chrono::milliseconds> again;  ///< when, after `asked`, it was put once more
    bool truncated = false;                          ///< a good answer, but for its TC bit
    std::optional<api::DnsAttemptOutcome> failure;   ///< that ended it
    std::optional<api::DnsAttemptOutcome> ignored;   ///< the last of what came and was no answer
    std::string detail;                              ///< about `failure`, else about `ignored`
};

/// The sockets that c-ares asks by, one question at a time. c-ares says of a question that failed only that
/// it failed; so it is given functions of our own in the place of the system's, which tell why: the ICMP
/// error and who sent it, a datagram from somewhere else, one that is no answer. Its UDP sockets are not
/// connected, or the kernel would keep the ones from elsewhere to itself.
class DnsSockets {
  public:
    DnsSockets() = default;
    DnsSockets(const DnsSockets&) = delete;
    DnsSockets& operator=(const DnsSockets&) = delete;

    /// From now on the channel opens its sockets here. Must outlive the channel.
    void attach(ares_channeldata* channel);

    /// A new question: `query` as it will be sent to `server`. Both must last until the next.
    void begin(const NameServer& server, std::span<const std::uint8_t> query);
    [[nodiscard]] std::span<const DnsSocketFacts> facts() const { return facts_; }
    /// A good answer over UDP that is longer than RFC 1035 lets it be. c-ares would ask again over TCP for
    /// it; glibc takes it, and so do we: to c-ares it is a failure.
    [[nodiscard]] std::span<const std::uint8_t> long_answer() const { return long_answer_; }
    /// The question once more, on the UDP socket that waits for its answer.
    void send_again();
    /// No answer has come and none is waited for any more: what was left unsaid is looked at.
    void give_up();

    // For c-ares (ares_set_socket_functions(3)): errno tells what went wrong.
    int open(int domain, int type, int protocol);
    int close(int socket);
    int connect(int socket, const sockaddr* address, socklen_t length);
    ssize_t receive(int socket, void* data, std::size_t size, sockaddr* from, socklen_t* from_length);
    ssize_t send(int socket, const iovec* parts, int count);

  private:
    struct Open {
        int socket = -1;
        std::size_t fact = 0;
        sockaddr_storage to{};
        socklen_t to_length = 0;
        std::vector<std::uint8_t> stream;  ///< what came over TCP: one message at most
    };

    [[nodiscard]] Open* find(int socket);
    [[nodiscard]] DnsSocketFacts& facts_of(const Open& open) { return facts_[open.fact]; }
    ssize_t receive_datagram(Open& open, std::span<std::uint8_t> buffer, sockaddr* from,
                             socklen_t* from_length);
    ssize_t receive_stream(Open& open, std::span<std::uint8_t> buffer);
    [[nodiscard]] bool is_answer(Open& open, std::span<const std::uint8_t> datagram,
                                 const sockaddr_storage& from);
    void fail(Open& open, int error);
    [[nodiscard]] bool bind_to_zone(int socket) const;

    const NameServer* server_ = nullptr;
    std::span<const std::uint8_t> query_;
    std::vector<Open> open_;
    std::vector<DnsSocketFacts> facts_;
    std::vector<std::uint8_t> long_answer_;
    unsigned ignored_ = 0;  ///< datagrams of this question
};

}  // namespace netlab::operations
