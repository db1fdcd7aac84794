#pragma once

#include "daemon/front/session.hpp"

#include <chrono>
#include <functional>
#include <list>
#include <map>
#include <optional>

namespace netlab::front {

/// How many connections there may be.
struct Limits {
    std::size_t connections = 512;  ///< what comes above is told `busy`, uid 0 aside
    std::size_t of_one_user = 256;  ///< uid 0 aside
    std::size_t refused = 64;       ///< of those that are being told so; more are dropped at once
    /// Of whom the launcher has not said where they live; more wait to be accepted.
    std::size_t unchecked = 16;

    /// What `descriptors` open files are enough for: a stream takes three, the daemon itself a few.
    [[nodiscard]] static Limits for_descriptors(std::size_t descriptors);
};

/// Accepts connections and keeps the sessions. A client that lives in another user or PID namespace, a
/// container's, is let go without a byte, and before it counts as anybody's: its uid is not what it seems.
class Server {
  public:
    /// `listener` is a listening Unix socket. This object outlives the executor's last handler.
    Server(asio::any_io_executor executor, UniqueFd listener, Service service, Limits limits);

    void start();
    /// Accepts no more; `done` is called once, when the last session has ended.
    void drain(std::function<void()> done);
    /// Ends what is still under way.
    void cut();
    [[nodiscard]] std::size_t sessions() const { return sessions_.size(); }

  private:
    using Sessions = std::list<Session>;

    asio::awaitable<void> accept();
    [[nodiscard]] bool accept_one(int& error);
    void check(UniqueFd connection);
    asio::awaitable<void> admit(UniqueFd connection, Peer peer);
    void serve(UniqueFd connection, Peer peer, std::optional<Error> cannot_tell);
    void ended(Sessions::iterator session, bool refused);
    void log_foreign(const Peer& peer);
    void tell_rest_of_foreign();
    void give_up_spare();
    void keep_spare();

    asio::any_io_executor executor_;
    asio::local::stream_protocol::acceptor acceptor_;
    Service service_;
    Limits limits_;
    Sessions sessions_;
    std::map<uid_t, std::size_t> by_user_;
    std::size_t refused_ = 0;
    std::size_t unchecked_ = 0;
    asio::steady_timer foreign_period_;
    std::size_t foreign_ = 0;  ///< in this period
    UniqueFd spare_;           ///< given up for a moment where no descriptor is left, to tell a client so
    Waiters room_;             ///< a descriptor has been given back
    Waiters turn_;             ///< there is one unchecked less
    bool draining_ = false;
    std::function<void()> done_;
};

}  // namespace netlab::front
