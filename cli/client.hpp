#pragma once

#include "cli/interrupt.hpp"
#include "cli/lenient.hpp"
#include "cli/options.hpp"
#include "cli/response.hpp"
#include "common/api/catalogue.hpp"

#include <chrono>
#include <memory>
#include <optional>
#include <string>

namespace netlab::cli {

/// One request, as it goes over the wire.
struct Call {
    std::string verb;
    std::string path;
    std::string body;  ///< JSON, or empty
};

/// Of a request only what differs from its defaults: an older daemon refuses fields that it does not know.
template <class Request>
[[nodiscard]] std::string request_body(const Request& request) {
    const auto all = json::encode(request);
    const auto defaults = json::encode(Request{});
    boost::json::object body;
    for (const auto& field : all.as_object()) {
        const auto* fallback = defaults.as_object().if_contains(field.key());
        if (!fallback || *fallback != field.value()) body[field.key()] = field.value();
    }
    return json::write(body);
}

/// The call of a request by its row in the catalogue.
template <class Request>
[[nodiscard]] Call call_of(const Request& request) {
    constexpr auto row = std::get<api::operation_number<Request>()>(api::catalogue);
    if constexpr (row.verb == api::Verb::get) return {"GET", std::string(row.path), {}};
    return {"POST", std::string(row.path), request_body(request)};
}

/// {"error":{…}} as netlabd writes it, in a body or as a stream's last line; none where `value` is something
/// else. A code that this program does not know counts as errc::operation_failed.
[[nodiscard]] std::optional<Error> error_of(const boost::json::value& value);

/// One request to netlabd and its answer, on a connection of its own.
class Exchange {
  public:
    /// Connects and sends. errc::bad_request (the host's form), errc::daemon_unreachable (not running),
    /// errc::permission_denied (saying which group may).
    [[nodiscard]] static Result<Exchange> start(const Options& options, const Call& call);

    static constexpr std::chrono::seconds patience{10};

    /// Waits for all of the answer, but no longer than `limit`. The error that netlabd said, or
    /// errc::protocol_error.
    [[nodiscard]] Result<std::string> body(std::chrono::milliseconds limit = patience);

    enum class Event : std::uint8_t {
        line,
        end,
        interrupted,
        unwanted,  ///< the pipe that watch() named has lost its reader
    };
    struct Received {
        Event event = Event::end;
        std::string line;
    };
    /// The next line of a stream as soon as it is there. The error that netlabd answered in place of a
    /// stream, or errc::protocol_error. An error in a stream's last line is a line like any other.
    [[nodiscard]] Result<Received> next(const Interrupt& interrupt);
    /// The next line where it is there already.
    [[nodiscard]] std::optional<std::string> ready_line();

    using Clock = std::chrono::steady_clock;
    enum class PieceEvent : std::uint8_t {
        bytes,
        end,
        interrupted,
        late,
        unwanted,
    };
    struct Piece {
        PieceEvent event = PieceEvent::end;
        std::string_view bytes;  ///< all that has come and was not taken; borrowed until the next call
    };
    /// Waits for more bytes of a body that is no lines, as soon as some are there, but not beyond `until`.
    /// The caller take()s what he has done with. The error that netlabd answered instead, or
    /// errc::protocol_error: what came before the connection broke has been told by then.
    [[nodiscard]] Result<Piece> next_piece(const Interrupt& interrupt,
                                           std::optional<Clock::time_point> until = std::nullopt);
    void take(std::size_t bytes) { response_.take(bytes); }

    /// A pipe that the body goes to; borrowed. While nothing comes, nobody else would notice its end.
    void watch(int pipe) { watched_ = pipe; }
    /// Says that no more is wanted: the operation ends and sends the rest. From now on an interrupt is not
    /// waited for; a second one ends the process.
    void finish();

  private:
    enum class Ready : std::uint8_t { bytes, interrupted, late, unwanted };

    explicit Exchange(UniqueFd connection) : connection_(std::move(connection)) {}
    Result<void> send(const Call& call, const std::string& path);
    Result<Ready> wait(int interrupt, std::optional<Clock::time_point> until);
    Result<void> receive();
    Result<void> check_head();

    UniqueFd connection_;
    ResponseReader response_;
    std::unique_ptr<char[]> buffer_;
    std::optional<Error> broken_;  ///< what next_piece() says when it has told what came before
    int watched_ = -1;
    bool finishing_ = false;
    bool head_checked_ = false;
};

}  // namespace netlab::cli
