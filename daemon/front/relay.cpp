#include "daemon/front/relay.hpp"

#include "common/json.hpp"
#include "daemon/front/frames.hpp"

#include <array>
#include <vector>

#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core/buffers_suffix.hpp>

namespace netlab::front {

using namespace asio::experimental::awaitable_operators;

namespace {

constexpr std::chrono::seconds write_patience{60};
constexpr std::chrono::seconds notice_patience{1};
constexpr std::chrono::seconds counts_patience{1};
/// A worker's stream is read in pieces of this size: enough for thousands of events a second, small enough
/// for hundreds of streams. One that fills them is a long dump, and gets larger ones.
constexpr std::size_t piece_size = 16 * 1024;
constexpr std::size_t largest_piece = 128 * 1024;

using Buffers = std::vector<asio::const_buffer>;

asio::awaitable<bool> write_buffers(ClientStream& client, const Buffers& buffers) {
    beast::buffers_suffix<Buffers> rest(buffers);
    while (beast::buffer_bytes(rest) > 0) {
        // For some of it: a reader may be slow.
        client.expires_after(write_patience);
        const auto [error, size] = co_await client.async_write_some(rest, awaiting);
        client.expires_never();
        if (error) co_return false;
        rest.consume(size);
    }
    co_return true;
}

asio::const_buffer as_buffer(std::string_view text) {
    return asio::buffer(text.data(), text.size());
}

std::string_view name_of(std::uint16_t code) {
    return boost::describe::enum_to_string(static_cast<errc>(code), "worker_died");
}

/// One response, from its first byte to its last.
class Response {
  public:
    Response(ClientStream& client, api::Kind kind, Form form, Relayed& out)
        : client_(client), kind_(kind), form_(form), out_(out) {}

    /// Sends the pieces, and before the first of them the head; `last` ends the body.
    asio::awaitable<bool> send(Buffers pieces, bool last) {
        std::size_t size = asio::buffer_size(pieces);
        std::string before;
        if (!begun_) {
            before = response_head(200, kind_ == api::Kind::capture ? capture_type : stream_type,
                                   std::nullopt, form_);
        }
        begun_ = true;
        const bool chunked = form_.version >= 11;
        if (size > 0) line_open_ = last_byte(pieces) != '\n';
        if (chunked && size > 0) before += chunk_size(size);
        std::string after;
        if (chunked) after = (size > 0 ? std::string("\r\n") : std::string()) + (last ? "0\r\n\r\n" : "");
        pieces.insert(pieces.begin(), as_buffer(before));
        pieces.push_back(as_buffer(after));
        const bool sent = co_await write_buffers(client_, pieces);
        if (sent) out_.bytes += size;
        co_return sent;
    }

    /// Ends the response with an error, by what of it has been sent. `body` is {"error":…}.
    asio::awaitable<void> fail(std::string_view result, unsigned status, std::string body) {
        bool sent = false;
        if (!begun_) {
            const auto size = body.size() + 1;
            sent = co_await write_all(client_, json_response(status, body, form_));
            out_.bytes += size;
            out_.client_usable = sent && form_.keep_alive;
        } else if (kind_ == api::Kind::capture) {
            // JSON in a capture would be garbage to every reader: it ends in the middle of the body, which
            // HTTP tells apart.
            sent = true;
        } else {
            body.insert(0, line_open_ ? "\n" : "");
            body += '\n';
            Buffers line(1, as_buffer(body));
            sent = co_await send(std::move(line), true);
            out_.client_usable = sent && form_.keep_alive && form_.version >= 11;
        }
        if (sent) out_.result = result;
    }

    asio::awaitable<void> fail(const Error& error) {
        return fail(described::enumerator_name(error.code), http_status(error.code),
                    json::write_error(error));
    }

    asio::awaitable<void> finish(Buffers pieces) {
        const bool sent = co_await send(std::move(pieces), true);
        if (!sent) co_return;
        out_.result = "ok";
        out_.client_usable = form_.keep_alive && form_.version >= 11;
    }

  private:
    static std::string chunk_size(std::size_t size) {
        std::array<char, 20> text{};
        const int length = std::snprintf(text.data(), text.size(), "%zx\r\n", size);
        return std::string(text.data(), static_cast<std::size_t>(length));
    }
    static char last_byte(const Buffers& pieces) {
        const auto& last = pieces.back();
        return static_cast<const char*>(last.data())[last.size() - 1];
    }

    ClientStream& client_;
    api::Kind kind_;
    Form form_;
    Relayed& out_;
    bool begun_ = false;
    bool line_open_ = false;  ///< the last byte sent was in the middle of a line
};

/// What one read of the worker's stream came to.
struct Harvest {
    Buffers data;
    std::optional<frame::Counts> counts{};
    Frames::Kind last = Frames::Kind::none;  ///< none: go on reading
    std::uint16_t code = 0;
    std::string error;
};

Harvest harvest(Frames& frames, std::span<const std::byte> input) {
    Harvest out;
    while (out.last == Frames::Kind::none) {
        const auto piece = frames.next(input);
        if (piece.kind == Frames::Kind::none) break;
        if (piece.kind == Frames::Kind::data) {
            out.data.emplace_back(piece.bytes.data(), piece.bytes.size());
            continue;
        }
        if (piece.kind == Frames::Kind::counts) {
            out.counts = piece.counts;
            continue;
        }
        out.last = piece.kind;
        out.code = piece.code;
        if (piece.kind == Frames::Kind::error) {
            out.error.assign(reinterpret_cast<const char*>(piece.bytes.data()), piece.bytes.size());
        }
    }
    return out;
}

Error broken_worker() {
    return {errc::worker_died,
            "the operation's process said something that no operation says",
            "this is a fault of netlab: please report it",
            {}};
}

/// The client is gone. What the worker has counted is still wanted for the audit: it is told to finish, and
/// the rest of what it says is read for it.
asio::awaitable<void> last_counts(Worker& worker, Frames& frames, std::vector<std::byte>& memory,
                                  Relayed& out) {
    worker.finish();
    for (;;) {
        const auto [error, size] = co_await worker.stream().async_read_some(asio::buffer(memory), awaiting);
        if (error) co_return;
        const auto got = harvest(frames, std::span(memory).first(size));
        if (got.counts) out.counts = got.counts;
        if (got.last != Frames::Kind::none) co_return;
    }
}

asio::awaitable<void> sleep_for(std::chrono::milliseconds time) {
    asio::steady_timer timer(co_await asio::this_coro::executor, time);
    co_await timer.async_wait(awaiting);
}

}  // namespace

asio::awaitable<bool> write_all(ClientStream& client, std::string text) {
    const Buffers buffers(1, as_buffer(text));
    co_return co_await write_buffers(client, buffers);
}

asio::awaitable<void> relay(ClientStream& client, Worker& worker, const Route& route, Form form,
                            Relayed& out) {
    Response response(client, route.kind, form, out);
    Frames frames;
    std::vector<std::byte> memory(piece_size);
    for (;;) {
        const auto [error, size] = co_await worker.stream().async_read_some(asio::buffer(memory), awaiting);
        if (error || worker.stopped()) {
            const auto why = co_await worker.why_it_ended(notice_patience);
            co_return co_await response.fail(why);
        }
        auto got = harvest(frames, std::span(memory).first(size));
        if (got.counts) out.counts = got.counts;
        if (got.last == Frames::Kind::end) {
            worker.said_all();
            co_return co_await response.finish(std::move(got.data));
        }
        if (!got.data.empty()) {
            const bool sent = co_await response.send(std::move(got.data), false);
            if (!sent && route.finishing) {
                auto counting = last_counts(worker, frames, memory, out);
                co_await (std::move(counting) || sleep_for(counts_patience));
            }
            if (!sent) co_return;
        }
        if (got.last == Frames::Kind::error) {
            worker.said_all();
            co_return co_await response.fail(name_of(got.code), http_status(static_cast<errc>(got.code)),
                                             std::move(got.error));
        }
        if (got.last != Frames::Kind::none) co_return co_await response.fail(broken_worker());
        if (size == memory.size() && size < largest_piece) memory.resize(2 * size);
    }
}

}  // namespace netlab::front
