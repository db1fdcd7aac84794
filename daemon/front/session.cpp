#include "daemon/front/session.hpp"

#include "common/json.hpp"
#include "daemon/front/relay.hpp"

#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/beast/core/error.hpp>
#include <boost/beast/http/read.hpp>
#include <spdlog/spdlog.h>

namespace netlab::front {

using namespace asio::experimental::awaitable_operators;
namespace http = beast::http;

namespace {

constexpr std::chrono::seconds idle_patience{60};
constexpr std::chrono::seconds request_patience{10};  ///< for all of one request
constexpr std::chrono::seconds busy_patience{1};      ///< for the request of one that is told `busy`
constexpr std::chrono::seconds linger_patience{1};
constexpr std::chrono::seconds begin_patience{2};    ///< for the first word of a capture that is to finish
constexpr std::chrono::seconds finish_patience{60};  ///< for some more of what it still says
constexpr std::size_t idle_piece = 512;

Error shutting_down() {
    return {errc::shutting_down,
            "the daemon is shutting down",
            "it will be back if it is being restarted: try again",
            {}};
}

}  // namespace

Session::Session(Service service, Socket socket, Peer peer, bool busy)
    : service_(service),
      stream_(std::move(socket)),
      peer_(std::move(peer)),
      roles_(roles_of(peer_, service_.access)),
      buffer_(buffer_limit),
      busy_(busy) {}

asio::awaitable<void> Session::serve() {
    for (;;) {
        const bool begun = co_await wait_for_request();
        if (!begun) break;
        auto request = co_await receive();
        if (!request) break;
        const bool again = co_await handle(std::move(*request));
        if (!again || draining_ || busy_) break;
    }
    if (unread_) co_await linger();
    stream_.close();
}

asio::awaitable<void> Session::turn_away(Error error) {
    stream_.expires_after(busy_patience);
    co_await refuse(std::move(error));
    co_await linger();
    stream_.close();
}

void Session::drain() {
    draining_ = true;
    if (idle_) stream_.cancel();
}

void Session::cut() {
    drain();
    cut_ = true;
    if (worker_ != nullptr) {
        worker_->stop(shutting_down());
    } else {
        stream_.cancel();
    }
}

asio::awaitable<bool> Session::wait_for_request() {
    if (draining_) co_return false;
    if (buffer_.size() > 0) co_return true;
    buffer_.shrink_to_fit();  // an idle connection holds no more than this piece
    idle_ = true;
    stream_.expires_after(busy_ ? busy_patience : idle_patience);
    const auto [error, size] = co_await stream_.async_read_some(buffer_.prepare(idle_piece), awaiting);
    idle_ = false;
    if (error) co_return false;
    buffer_.commit(size);
    co_return true;
}

asio::awaitable<std::optional<Received>> Session::receive() {
    RequestParser parser;
    stream_.expires_after(busy_ ? busy_patience : request_patience);
    auto [error, ignored] = co_await http::async_read_header(stream_, buffer_, parser, awaiting);
    if (!error) error = refused_header(parser);
    if (!error && wants_continue(parser)) {
        const std::string_view go_on = "HTTP/1.1 100 Continue\r\n\r\n";
        const auto [write_error, size] = co_await stream_.async_write_some(asio::buffer(go_on), awaiting);
        if (write_error) co_return std::nullopt;
    }
    if (!error) {
        const auto [body_error, size] = co_await http::async_read(stream_, buffer_, parser, awaiting);
        error = body_error;
    }
    if (error) {
        auto told = reading_error(error, parser);
        if (told) {
            unread_ = true;
            co_await refuse(std::move(*told));
        }
        co_return std::nullopt;
    }
    auto received = take_request(parser);
    received.form.keep_alive = received.form.keep_alive && !draining_;
    co_return received;
}

asio::awaitable<void> Session::refuse(Error error) {
    AuditEntry entry;
    entry.request = service_.workers.next_id();
    log_decision(entry, peer_, described::enumerator_name(error.code));
    const bool written = co_await write_all(stream_, error_response(error, Form{}));
    if (!written) spdlog::debug("req={:x} the client went away before it was refused", entry.request);
}

std::optional<Error> Session::refusal(const Route& route) const {
    if (draining_) return shutting_down();
    if (busy_) return Error{errc::busy, "too many connections", "try again when others have ended", {}};
    if (!roles_.has(route.role)) return missing_role(route.name, route.role, service_.access);
    return std::nullopt;
}

asio::awaitable<bool> Session::handle(Received request) {
    AuditEntry entry;
    entry.request = service_.workers.next_id();
    const auto found = find_route(request.method, request.target);
    auto error = found.route != nullptr ? refusal(*found.route) : std::optional(found.error);
    Plan plan;
    if (found.route != nullptr) {
        entry.operation = found.route->name;
        entry.roles.add(found.route->role);
    }
    if (!error) {
        co_await service_.watch.first_snapshot();
        auto planned = found.route->plan(request.body, Knowledge{service_.registry, roles_}, entry);
        request.body = {};
        if (planned) {
            plan = std::move(*planned);
        } else {
            error = planned.error();
        }
    }
    Quotas::Share share;
    if (!error && found.route->kind != api::Kind::registry) {
        auto taken = service_.quotas.take(peer_.uid, plan.cost);
        if (taken) {
            share = std::move(*taken);
        } else {
            error = taken.error();
        }
    }
    log_decision(entry, peer_, error ? described::enumerator_name(error->code) : "allowed");
    if (error) {
        const bool written = co_await write_all(stream_, error_response(*error, request.form, found.allow));
        co_return written&& request.form.keep_alive;
    }
    bool again = false;
    if (found.route->kind == api::Kind::registry) {
        entry.bytes = plan.answer.size() + 1;
        const bool written = co_await write_all(stream_, json_response(200, plan.answer, request.form));
        if (!written) entry.result = "client_gone";
        again = written && request.form.keep_alive;
    } else {
        again = co_await stream(*found.route, std::move(plan), std::move(share), request.form, entry);
    }
    log_result(entry);
    co_return again;
}

asio::awaitable<bool> Session::stream(const Route& route, Plan plan, Quotas::Share share, Form form,
                                      AuditEntry& entry) {
    auto worker = co_await service_.workers.start(std::move(plan.job), entry.request, std::move(share));
    if (!worker) {
        const auto error = worker.error();
        entry.result = described::enumerator_name(error.code);
        const bool written = co_await write_all(stream_, error_response(error, form));
        co_return written&& form.keep_alive;
    }
    Relayed relayed;
    worker_ = worker->get();
    if (cut_) worker_->stop(shutting_down());
    auto relaying = relay(stream_, **worker, route, form, relayed);
    auto watching = route.finishing ? finish_with_client(**worker, relayed) : client_gone();
    co_await (std::move(relaying) || std::move(watching));
    worker_ = nullptr;
    entry.result = relayed.result;
    entry.bytes = relayed.bytes;
    entry.counts = relayed.counts;
    co_return relayed.client_usable;
}

/// Returns when the client has closed its side. What it sends early is kept for the next request, up to the
/// buffer's limit.
asio::awaitable<void> Session::client_gone() {
    while (buffer_.size() + idle_piece <= buffer_limit) {
        const auto space = buffer_.prepare(idle_piece);
        // Not through stream_: its deadline is the writer's.
        const auto [error, size] = co_await stream_.socket().async_read_some(space, awaiting);
        if (error) co_return;
        buffer_.commit(size);
    }
}

/// A client that has shut down its sending side only wants no more packets: what its capture says at the end
/// is still passed on. One that is gone altogether shows by the relay's failing to write.
asio::awaitable<void> Session::finish_with_client(Worker& worker, const Relayed& relayed) {
    co_await client_gone();
    worker.finish();
    for (;;) {
        // One that has said nothing yet has nothing to finish, and may be long in coming to it.
        const auto before = relayed.bytes;
        const auto time = before == 0 ? begin_patience : finish_patience;
        asio::steady_timer patience(co_await asio::this_coro::executor, time);
        co_await patience.async_wait(awaiting);
        if (relayed.bytes == before) co_return;
    }
}

/// Lets a client that is still sending read why it was refused: closing at once would reset the connection
/// under it.
asio::awaitable<void> Session::linger() {
    boost::system::error_code ignored;
    stream_.socket().shutdown(Socket::shutdown_send, ignored);
    buffer_.clear();
    stream_.expires_after(linger_patience);
    constexpr std::size_t enough = 4 * body_limit;
    for (std::size_t total = 0; total < enough && !cut_;) {
        buffer_.clear();
        const auto [error, size] = co_await stream_.async_read_some(buffer_.prepare(4096), awaiting);
        if (error) break;
        total += size;
    }
}

}  // namespace netlab::front
