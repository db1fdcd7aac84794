#pragma once

#include "daemon/front/quotas.hpp"
#include "daemon/front/relay.hpp"
#include "daemon/front/request.hpp"
#include "daemon/front/router.hpp"
#include "daemon/front/watch.hpp"

#include <optional>
#include <string>

#include <boost/beast/core/flat_buffer.hpp>

namespace netlab::front {

/// What every session works with; all of it outlives them.
struct Service {
    const AccessTable& access;
    const targets::Registry& registry;
    Workers& workers;
    Watch& watch;
    Quotas& quotas;
};

/// One connection: reads requests, decides, answers, one after the other.
class Session {
  public:
    /// With `busy` every request is refused with that: the peer has too many connections, or the daemon has.
    Session(Service service, Socket socket, Peer peer, bool busy);

    /// Until the client goes away, is idle for a minute, or drain().
    asio::awaitable<void> serve();
    /// Instead of serve(): says `error` before a byte has been read.
    asio::awaitable<void> turn_away(Error error);

    /// Ends at once where no request is under way, else after it.
    void drain();
    /// Ends what is under way with errc::shutting_down.
    void cut();

    [[nodiscard]] const Peer& peer() const { return peer_; }

  private:
    asio::awaitable<bool> wait_for_request();
    asio::awaitable<std::optional<Received>> receive();
    asio::awaitable<bool> handle(Received request);
    asio::awaitable<bool> stream(const Route& route, Plan plan, Quotas::Share share, Form form,
                                 AuditEntry& entry);
    asio::awaitable<void> refuse(Error error);
    asio::awaitable<void> client_gone();
    [[nodiscard]] asio::awaitable<void> finish_with_client(Worker& worker, const Relayed& relayed);
    asio::awaitable<void> linger();
    [[nodiscard]] std::optional<Error> refusal(const Route& route) const;

    Service service_;
    ClientStream stream_;
    Peer peer_;
    api::Roles roles_;
    beast::flat_buffer buffer_;
    Worker* worker_ = nullptr;  ///< whose stream is being relayed
    bool busy_;
    bool idle_ = false;
    bool unread_ = false;  ///< the last request was refused before all of it was read
    bool draining_ = false;
    bool cut_ = false;
};

}  // namespace netlab::front
