#include "daemon/front/server.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <exception>

#include <boost/asio/co_spawn.hpp>
#include <fcntl.h>
#include <spdlog/spdlog.h>
#include <sys/socket.h>

namespace netlab::front {

namespace {

constexpr std::chrono::milliseconds out_of_descriptors{100};
constexpr std::chrono::seconds longest_turn{1};  ///< then it is looked again, whoever forgot to wake
/// A container that has the socket may not fill the journal, which would then leave others' lines out.
constexpr std::chrono::seconds foreign_period{10};
constexpr std::size_t foreign_lines = 10;

bool out_of_room(int error) {
    return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}

}  // namespace

Limits Limits::for_descriptors(std::size_t descriptors) {
    constexpr std::size_t own = 24;               // a dozen, and two for each of its watchers
    constexpr std::size_t for_eight = 8 * 3 + 2;  // a client, its worker's stream and pidfd; see `some`
    Limits limits;
    const auto room = descriptors > own ? (descriptors - own) * 8 / for_eight : 0;
    // One user's are never all: whoever holds them would keep everybody else out.
    limits.connections = std::clamp<std::size_t>(room, 2, limits.connections);
    limits.of_one_user = limits.connections / 2;
    const auto some = std::max<std::size_t>(1, limits.connections / 8);
    limits.refused = std::min(limits.refused, some);
    limits.unchecked = std::min(limits.unchecked, some);
    return limits;
}

Server::Server(asio::any_io_executor executor, UniqueFd listener, Service service, Limits limits)
    : executor_(std::move(executor)),
      acceptor_(executor_, asio::local::stream_protocol(), listener.release()),
      service_(service),
      limits_(limits),
      foreign_period_(executor_) {
    acceptor_.non_blocking(true);
    keep_spare();
}

void Server::start() {
    asio::co_spawn(executor_, accept(), [](const std::exception_ptr& exception) {
        if (exception) std::rethrow_exception(exception);
    });
}

void Server::drain(std::function<void()> done) {
    draining_ = true;
    done_ = std::move(done);
    boost::system::error_code ignored;
    acceptor_.close(ignored);
    spare_.reset();
    room_.wake();
    turn_.wake();
    foreign_period_.cancel();  // which tells the rest
    for (auto& session : sessions_)
        session.drain();
    if (sessions_.empty()) done_();
}

void Server::cut() {
    for (auto& session : sessions_)
        session.cut();
}

asio::awaitable<void> Server::accept() {
    while (!draining_) {
        if (unchecked_ >= limits_.unchecked) {
            co_await turn_.wait(std::chrono::steady_clock::now() + longest_turn);
            continue;
        }
        const auto [waited] = co_await acceptor_.async_wait(asio::socket_base::wait_read, awaiting);
        if (waited || draining_) co_return;
        int error = 0;
        // Whoever connects without end is not to keep the others' handlers, and the supervisor, from their
        // turn.
        int left = 32;
        while (left > 0 && unchecked_ < limits_.unchecked && accept_one(error))
            --left;
        if (out_of_room(error)) {
            // The connection stays in the queue, and waiting for it would return at once, for ever.
            spdlog::warn("cannot accept a connection: {}", std::strerror(error));
            give_up_spare();
            co_await room_.wait(std::chrono::steady_clock::now() + out_of_descriptors);
        }
    }
}

bool Server::accept_one(int& error) {
    UniqueFd connection(::accept4(acceptor_.native_handle(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (connection) {
        check(std::move(connection));
        return true;
    }
    error = errno;
    return error == EINTR || error == ECONNABORTED;
}

void Server::check(UniqueFd connection) {
    auto peer = peer_of(connection.get());
    if (!peer) {
        spdlog::warn("a connection is refused: {}", peer.error().message);
        return;
    }
    ++unchecked_;
    asio::co_spawn(executor_, admit(std::move(connection), std::move(*peer)),
                   [this](const std::exception_ptr& exception) {
                       --unchecked_;
                       turn_.wake();
                       try {
                           if (exception) std::rethrow_exception(exception);
                       } catch (const std::exception& fault) {
                           spdlog::error("a connection was not admitted by a fault: {}", fault.what());
                       }
                   });
}

asio::awaitable<void> Server::admit(UniqueFd connection, Peer peer) {
    const auto place = co_await service_.workers.check_peer(connection.get());
    if (draining_) co_return;
    const bool foreign = !place && place.error().code == errc::permission_denied;
    if (foreign || (!place && place.error().code == errc::target_gone)) {
        if (foreign) log_foreign(peer);
        connection.reset();
        keep_spare();
        room_.wake();
        co_return;
    }
    serve(std::move(connection), std::move(peer), place ? std::nullopt : std::optional(place.error()));
}

void Server::serve(UniqueFd connection, Peer peer, std::optional<Error> cannot_tell) {
    auto& of_user = by_user_[peer.uid];
    // Root can end the daemon anyhow, and is who has to find out why it is full.
    const bool full = sessions_.size() - refused_ >= limits_.connections;
    const bool refused = peer.uid != 0 && (full || of_user >= limits_.of_one_user);
    if (refused && refused_ >= limits_.refused) {
        if (of_user == 0) by_user_.erase(peer.uid);
        return;
    }
    // Where it fails the descriptor is still the connection's.
    Socket socket(executor_, asio::local::stream_protocol(), connection.get());
    (void)connection.release();  // it is the socket's now
    sessions_.emplace_front(service_, std::move(socket), std::move(peer), refused);
    ++of_user;
    if (refused) ++refused_;
    const auto session = sessions_.begin();
    try {
        asio::co_spawn(
            executor_, cannot_tell ? session->turn_away(std::move(*cannot_tell)) : session->serve(),
            [this, session, refused](const std::exception_ptr& exception) {
                try {
                    if (exception) std::rethrow_exception(exception);
                } catch (const std::exception& fault) {
                    spdlog::error("uid={} a session ended by a fault: {}", session->peer().uid, fault.what());
                }
                ended(session, refused);
            });
    } catch (const std::exception&) {
        ended(session, refused);
        throw;
    }
}

void Server::log_foreign(const Peer& peer) {
    if (foreign_++ == 0) {
        foreign_period_.expires_after(foreign_period);
        foreign_period_.async_wait([this](const boost::system::error_code&) { tell_rest_of_foreign(); });
    }
    if (foreign_ > foreign_lines) return;
    AuditEntry entry;
    entry.request = service_.workers.next_id();
    log_decision(entry, peer, foreign_peer);
}

void Server::tell_rest_of_foreign() {
    if (foreign_ > foreign_lines)
        spdlog::warn("{} more clients that live in another user or PID namespace were let go",
                     foreign_ - foreign_lines);
    foreign_ = 0;
}

void Server::ended(Sessions::iterator session, bool refused) {
    const auto user = by_user_.find(session->peer().uid);
    if (--user->second == 0) by_user_.erase(user);
    if (refused) --refused_;
    sessions_.erase(session);
    if (draining_) {
        if (sessions_.empty() && done_) std::exchange(done_, nullptr)();
        return;
    }
    keep_spare();
    room_.wake();
}

/// With the spare descriptor's place one client is taken from the queue and dropped: it sees an end instead
/// of a hang.
void Server::give_up_spare() {
    spare_.reset();
    UniqueFd dropped(::accept4(acceptor_.native_handle(), nullptr, nullptr, SOCK_CLOEXEC));
    dropped.reset();
    keep_spare();
}

void Server::keep_spare() {
    if (!spare_) spare_.reset(::fcntl(acceptor_.native_handle(), F_DUPFD_CLOEXEC, 0));
}

}  // namespace netlab::front
