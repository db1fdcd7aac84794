#include "daemon/operations/server_probe.hpp"

#include <cerrno>
#include <charconv>
#include <cstring>

#include <netinet/in.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

namespace netlab::operations {

namespace {

using api::ResolvAnswer;
using api::ResolvOutcome;
using Clock = Output::Clock;

/// Without privilege since Linux 5.7; before, a server with a zone cannot be asked.
bool bind_to_zone(int socket, const std::string& zone) {
    int index = 0;
    const auto [end, error] = std::from_chars(zone.data(), zone.data() + zone.size(), index);
    if (error == std::errc{} && end == zone.data() + zone.size())
        return ::setsockopt(socket, SOL_SOCKET, SO_BINDTOIFINDEX, &index, sizeof index) == 0;
    return ::setsockopt(socket, SOL_SOCKET, SO_BINDTODEVICE, zone.data(),
                        static_cast<socklen_t>(zone.size())) == 0;
}

ResolvOutcome outcome_of(int error) {
    switch (error) {
        case ECONNREFUSED:
            return ResolvOutcome::refused;
        case ETIMEDOUT:
            return ResolvOutcome::timed_out;
        case ENETUNREACH:
        case EHOSTUNREACH:
        case ENETDOWN:
        case EHOSTDOWN:
        case ENONET:
        case EADDRNOTAVAIL:
        case EACCES:  // prohibited, by a route or by ICMP
        case EPERM:   // a rule of the target's own
            return ResolvOutcome::unreachable;
        default:
            return ResolvOutcome::failed;
    }
}

/// One question over one transport. The socket is connected, so the kernel drops what others send.
class Probe {
  public:
    Probe(const ServerQuestion& question, int type, std::uint16_t id, Clock::time_point now)
        : question_(question), type_(type), id_(id), begin_(now), query_(dns_query(id, question.question)) {
        if (type_ == SOCK_STREAM) {
            const auto size = static_cast<std::uint16_t>(query_.size());
            query_.insert(query_.begin(),
                          {static_cast<std::byte>(size >> 8), static_cast<std::byte>(size & 0xFF)});
        }
        start();
    }

    [[nodiscard]] bool done() const { return done_; }
    [[nodiscard]] const ResolvAnswer& answer() const { return answer_; }

    [[nodiscard]] pollfd wanted() const {
        const short events = type_ == SOCK_STREAM && unsent() > 0 ? POLLOUT : POLLIN;
        return {socket_.get(), events, 0};
    }

    void ready(short events) {
        if (done_ || events == 0) return;
        if (type_ == SOCK_STREAM && unsent() > 0) return send_stream();
        if (type_ == SOCK_STREAM) return receive_stream();
        receive_datagrams();
    }

    /// The datagram or its answer may have been lost.
    void again() {
        if (!done_ && type_ == SOCK_DGRAM) send_datagram();
    }

    void give_up() {
        if (done_) return;
        end(wrong_answers_ > 0 ? ResolvOutcome::malformed : ResolvOutcome::timed_out);
        if (wrong_answers_ > 0) answer_.message = "what came is no answer to the question";
    }

  private:
    [[nodiscard]] std::size_t unsent() const { return query_.size() - sent_; }

    void end(ResolvOutcome outcome) {
        answer_.outcome = outcome;
        done_ = true;
        socket_.reset();
    }

    void fail(int error) {
        end(outcome_of(error));
        answer_.message = std::strerror(error);
    }

    void succeed(std::uint8_t rcode) {
        using Microseconds = std::chrono::duration<double, std::micro>;
        answer_.elapsed_us = Microseconds(Clock::now() - begin_).count();
        answer_.rcode = rcode_name(rcode);
        end(ResolvOutcome::answered);
    }

    void malformed() {
        end(ResolvOutcome::malformed);
        answer_.message = "what came is no answer to the question";
    }

    void start() {
        const auto& server = question_.server;
        socket_ = UniqueFd(
            ::socket(server.address.is_v4() ? AF_INET : AF_INET6, type_ | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
        if (!socket_) return fail(errno);
        if (!server.zone.empty() && !bind_to_zone(socket_.get(), server.zone)) return fail(errno);
        sockaddr_storage address{};
        const auto length = server.address.to_sockaddr(address, question_.port);
        if (::connect(socket_.get(), reinterpret_cast<const sockaddr*>(&address), length) != 0 &&
            errno != EINPROGRESS)
            return fail(errno);
        if (type_ == SOCK_DGRAM) send_datagram();
    }

    void send_datagram() {
        if (::send(socket_.get(), query_.data(), query_.size(), MSG_NOSIGNAL) >= 0) return;
        if (errno != EAGAIN && errno != ENOBUFS) fail(errno);
    }

    void send_stream() {
        const auto sent = ::send(socket_.get(), query_.data() + sent_, unsent(), MSG_NOSIGNAL);
        if (sent >= 0) {
            sent_ += static_cast<std::size_t>(sent);
        } else if (errno != EAGAIN && errno != EINTR) {
            fail(errno);
        }
    }

    void receive_datagrams() {
        std::array<std::byte, 4096> message;
        // What else is there now is seen at the next poll: nobody may keep the others waiting.
        const auto size = ::recv(socket_.get(), message.data(), message.size(), 0);
        if (size < 0) {
            if (errno != EAGAIN && errno != EINTR) fail(errno);
            return;
        }
        const auto rcode = dns_answer_rcode(std::span(message).first(static_cast<std::size_t>(size)), id_,
                                            question_.question);
        if (rcode) return succeed(*rcode);
        // A late answer to somebody else, or one who guesses: the right one may still come.
        constexpr int most = 100;
        if (++wrong_answers_ >= most) malformed();
    }

    void receive_stream() {
        std::array<std::byte, 4096> piece;
        const auto size = ::recv(socket_.get(), piece.data(), piece.size(), 0);
        if (size < 0) {
            if (errno != EAGAIN && errno != EINTR) fail(errno);
            return;
        }
        if (size == 0) {
            end(ResolvOutcome::failed);
            answer_.message = "it closed the connection without an answer";
            return;
        }
        received_.insert(received_.end(), piece.begin(), piece.begin() + size);
        if (received_.size() < 2) return;
        const auto length =
            std::to_integer<std::size_t>(received_[0]) << 8 | std::to_integer<std::size_t>(received_[1]);
        if (received_.size() - 2 < length) return;
        const auto rcode = dns_answer_rcode(std::span(received_).subspan(2, length), id_, question_.question);
        if (rcode) return succeed(*rcode);
        malformed();
    }

    const ServerQuestion& question_;
    int type_;
    std::uint16_t id_;
    Clock::time_point begin_;
    std::vector<std::byte> query_;
    std::size_t sent_ = 0;
    std::vector<std::byte> received_;  ///< 64 KiB and a piece at most
    int wrong_answers_ = 0;
    UniqueFd socket_;
    bool done_ = false;
    ResolvAnswer answer_;
};

std::uint16_t random_id() {
    std::uint16_t id = 0;
    // Where there is none to be had the connected socket's port is still what an answer must know.
    (void)::getrandom(&id, sizeof id, GRND_NONBLOCK);
    return id;
}

/// Until all are done or it is `until`.
Result<void> follow(std::vector<Probe>& probes, Clock::time_point until, const TargetWatch& watch,
                    Output& output) {
    std::vector<pollfd> sockets;
    while (Clock::now() < until) {
        sockets.clear();
        for (const auto& probe : probes) {
            // poll(2) skips a negative descriptor.
            sockets.push_back(probe.done() ? pollfd{-1, 0, 0} : probe.wanted());
        }
        if (std::ranges::all_of(probes, &Probe::done)) return {};
        if (auto waited = watch.wait(output, sockets, until); !waited) return waited.error();
        for (std::size_t i = 0; i < probes.size(); ++i)
            probes[i].ready(sockets[i].revents);
    }
    return {};
}

}  // namespace

Result<std::vector<ServerAnswers>> probe_servers(std::span<const ServerQuestion> questions,
                                                 std::chrono::microseconds wait, const TargetWatch& watch,
                                                 Output& output) {
    std::vector<Probe> probes;
    probes.reserve(2 * questions.size());
    for (const auto& question : questions) {
        for (const int type : {SOCK_DGRAM, SOCK_STREAM})
            probes.emplace_back(question, type, random_id(), Clock::now());
    }
    const auto begin = Clock::now();
    if (auto half = follow(probes, begin + wait / 2, watch, output); !half) return half.error();
    for (auto& probe : probes)
        probe.again();
    if (auto rest = follow(probes, begin + wait, watch, output); !rest) return rest.error();
    std::vector<ServerAnswers> answers;
    for (std::size_t i = 0; i < probes.size(); i += 2) {
        probes[i].give_up();
        probes[i + 1].give_up();
        answers.push_back({probes[i].answer(), probes[i + 1].answer()});
    }
    return answers;
}

}  // namespace netlab::operations
