#include "daemon/operations/connect_attempt.hpp"
#include "daemon/operations/pair_neighbours.hpp"
#include "daemon/operations/request_time.hpp"

#include <algorithm>
#include <cerrno>
#include <numeric>
#include <set>

#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/socket.h>

/// `netlab connect --all-pairs`: a TCP connection from every namespace to every other.
namespace netlab::operations {

namespace {

using api::ConnectOutcome;
using api::ConnectPairsRequest;
using api::Context;
using api::PairOutcome;
using api::PairRow;
using Clock = Output::Clock;

/// A socket is used for one pair after the other (connect(2), AF_UNSPEC): only `prepare` can make one in a
/// namespace that is not the last.
struct Pool {
    std::vector<UniqueFd> sockets;
    std::vector<std::size_t> idle;  ///< places in `sockets`
};

struct Side : PairSide {
    Pool v4;
    Pool v6;
};

struct Handles {
    std::vector<Result<Side>> sides;
};

constexpr std::size_t sockets_in_all = 2048;

/// As many as wanted and as there are descriptors for, one at least.
Result<Pool> open_pool(Family family, std::size_t count) {
    Pool pool;
    while (pool.sockets.size() < count) {
        UniqueFd socket(::socket(family == Family::ipv4 ? AF_INET : AF_INET6,
                                 SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
        if (!socket && (errno == EMFILE || errno == ENFILE) && !pool.sockets.empty()) break;
        if (!socket && errno == EAFNOSUPPORT) break;
        if (!socket) return system_error(errc::operation_failed, "open a socket", errno);
        (void)ask_for_errors(socket.get(), family);
        pool.idle.push_back(pool.sockets.size());
        pool.sockets.push_back(std::move(socket));
    }
    return pool;
}

Result<Side> open_side(const TargetHandle& target, std::optional<Family> family, std::size_t sockets) {
    auto common = open_pair_side(target, family);
    if (!common) return common.error();
    Side side{std::move(*common), {}, {}};
    if (family != Family::ipv6) {
        auto pool = open_pool(Family::ipv4, sockets);
        if (!pool) return pool.error();
        side.v4 = std::move(*pool);
    }
    if (family != Family::ipv4) {
        // Where both are allowed IPv4 is what is taken of two addresses.
        auto pool = open_pool(Family::ipv6, family ? sockets : std::max<std::size_t>(1, sockets / 4));
        if (!pool) return pool.error();
        side.v6 = std::move(*pool);
    }
    return side;
}

Result<Handles> prepare(Namespaces& namespaces, const ConnectPairsRequest& request, const Context& context) {
    if (auto enough = need_two(context); !enough) return enough.error();
    const auto count = std::max<std::size_t>(context.targets.size(), 2);
    const auto sockets = std::clamp<std::size_t>(sockets_in_all / count, 1, count - 1);
    Handles handles;
    handles.sides = open_in_each(namespaces, 0, context.targets.size(), [&](std::size_t i) {
        return open_side(namespaces[i], request.family, sockets);
    });
    return handles;
}

PairOutcome outcome_of(ConnectOutcome outcome) {
    if (outcome == ConnectOutcome::refused) return PairOutcome::refused;
    return outcome == ConnectOutcome::timed_out ? PairOutcome::timed_out : PairOutcome::unreachable;
}

class ConnectMatrix {
  public:
    ConnectMatrix(Handles& handles, const ConnectPairsRequest& request, const Context& context,
                  Output& output)
        : handles_(handles), request_(request), output_(output), matrix_(context, request.family, output) {}

    Result<void> run() {
        const auto start = Clock::now();
        neighbours_.emplace(matrix_, add_sides(matrix_, handles_.sides));
        if (auto looked = neighbours_->look(output_); !looked) return looked;
        std::deque<std::size_t> line(matrix_.pairs().size());
        std::iota(line.begin(), line.end(), std::size_t{0});
        while (!line.empty()) {
            const auto batch = neighbours_->take_batch(line, output_);
            neighbours_->introduce(batch);
            connect_batch(batch);
        }
        matrix_.report(to_ms(Clock::now() - start));
        return {};
    }

  private:
    /// One connection under way.
    struct Running {
        std::size_t place = 0;   ///< of the pair
        std::size_t socket = 0;  ///< of the source's pool
        Clock::time_point deadline;
    };

    [[nodiscard]] Pool& pool_of(const Pair& pair) {
        auto& side = *handles_.sides[pair.from];
        return pair.way.address.is_v4() ? side.v4 : side.v6;
    }

    /// The pairs of each source wait in its own line: one whose destinations are silent must not hold up the
    /// others.
    void connect_batch(std::span<const std::size_t> batch) {
        std::vector<std::deque<std::size_t>> lines(matrix_.size());
        for (const auto place : batch)
            lines[matrix_.pairs()[place].from].push_back(place);
        for (auto& line : lines)
            start_line(line);
        while (!running_.empty()) {
            descriptors_.clear();
            auto until = running_.front().deadline;
            for (const auto& one : running_) {
                const auto& pair = matrix_.pairs()[one.place];
                descriptors_.push_back({pool_of(pair).sockets[one.socket].get(), POLLOUT, 0});
                until = std::min(until, one.deadline);
            }
            (void)output_.wait(descriptors_, until);
            const auto now = Clock::now();
            std::vector<Running> still;
            std::set<std::uint32_t> freed;
            for (std::size_t i = 0; i < running_.size(); ++i) {
                const bool ready = descriptors_[i].revents != 0;
                if (!ready && now < running_[i].deadline) {
                    still.push_back(running_[i]);
                    continue;
                }
                finish(running_[i], ready);
                freed.insert(matrix_.pairs()[running_[i].place].from);
            }
            running_ = std::move(still);
            for (const auto from : freed)
                start_line(lines[from]);
        }
    }

    void start_line(std::deque<std::size_t>& line) {
        while (!line.empty()) {
            const auto& pair = matrix_.pairs()[line.front()];
            auto& pool = pool_of(pair);
            if (pool.sockets.empty()) {
                PairRow row;
                row.outcome = PairOutcome::unreachable;
                row.message = "this kernel has no IPv6";
                matrix_.tell(pair, std::move(row));
                line.pop_front();
                continue;
            }
            // The first in line waits for a socket of its family, and the others with it.
            if (pool.idle.empty()) return;
            start(line.front(), pool);
            line.pop_front();
        }
    }

    void start(std::size_t place, Pool& pool) {
        const auto& pair = matrix_.pairs()[place];
        Running one{place, pool.idle.back(), Clock::now() + from_ms(request_.wait_ms)};
        pool.idle.pop_back();
        sockaddr_storage address;
        const auto length = pair.way.address.to_sockaddr(address, request_.port);
        const int socket = pool.sockets[one.socket].get();
        const int error =
            ::connect(socket, reinterpret_cast<const sockaddr*>(&address), length) == 0 ? 0 : errno;
        if (error == EINPROGRESS) {
            running_.push_back(one);
        } else {
            decide(one, error);
        }
    }

    void finish(const Running& one, bool ready) {
        const int socket = pool_of(matrix_.pairs()[one.place]).sockets[one.socket].get();
        int error = 0;
        socklen_t length = sizeof error;
        if (!ready) {
            error = ETIMEDOUT;
        } else if (::getsockopt(socket, SOL_SOCKET, SO_ERROR, &error, &length) != 0) {
            error = errno;
        }
        decide(one, error);
    }

    void decide(const Running& one, int error) {
        const auto& pair = matrix_.pairs()[one.place];
        auto& pool = pool_of(pair);
        const int socket = pool.sockets[one.socket].get();
        PairRow row;
        if (error == 0 || is_reset_since(error)) {
            row.outcome = PairOutcome::connected;
            ::tcp_info info{};
            socklen_t length = sizeof info;
            if (::getsockopt(socket, IPPROTO_TCP, TCP_INFO, &info, &length) == 0) row.rtt_us = info.tcpi_rtt;
        } else if (error == ETIMEDOUT) {
            row.outcome = PairOutcome::timed_out;
            if (auto why = neighbours_->why_silent(pair); !why.empty()) row.message = std::move(why);
        } else {
            const auto failure = failure_of(pair.way.address.family(), error, take_icmp_error(socket));
            row.outcome = outcome_of(failure.outcome);
            row.message = failure.refusal.message;
            row.by = failure.refusal.from;
        }
        matrix_.tell(pair, std::move(row));
        release(pool, one.socket);
    }

    /// Makes the socket new again: a connection is given up with a reset (tcp_disconnect() in
    /// net/ipv4/tcp.c).
    static void release(Pool& pool, std::size_t place) {
        const int socket = pool.sockets[place].get();
        sockaddr none{};
        none.sa_family = AF_UNSPEC;
        (void)::connect(socket, &none, sizeof none);
        (void)take_icmp_error(socket);
        // It is left with an error where it was connecting.
        int error = 0;
        socklen_t length = sizeof error;
        (void)::getsockopt(socket, SOL_SOCKET, SO_ERROR, &error, &length);
        pool.idle.push_back(place);
    }

    Handles& handles_;
    const ConnectPairsRequest& request_;
    Output& output_;
    PairMatrix matrix_;
    std::optional<PairNeighbours> neighbours_;
    std::vector<Running> running_;
    std::vector<pollfd> descriptors_;
};

Result<void> run(Handles& handles, const ConnectPairsRequest& request, const Context& context,
                 Output& output) {
    return ConnectMatrix(handles, request, context, output).run();
}

const Registration<ConnectPairsRequest> registered{
    operation<prepare, run>({.net_raw = true,
                             .ip_sockets = true,
                             .cpu_seconds = 120,
                             .address_space = 1ULL << 30,
                             .descriptors = 4 * many_descriptors})};

}  // namespace

}  // namespace netlab::operations
