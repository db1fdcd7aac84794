#pragma once

#include "cli/interrupt.hpp"
#include "cli/lenient.hpp"
#include "cli/options.hpp"
#include "cli/response.hpp"
#include "common/api/catalogue.hpp"

#include <chrono>
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

    /// Waits for all of the answer, ten seconds at most. The error that netlabd said, or
    /// errc::protocol_error.
    [[nodiscard]] Result<std::string> body();

    enum class Event : std::uint8_t { line, end, interrupted };
    struct Received {
        Event event = Event::end;
        std::string line;
    };
    /// The next line of a stream as soon as it is there. The error that netlabd answered in place of a
    /// stream, or errc::protocol_error. An error in a stream's last line is a line like any other.
    [[nodiscard]] Result<Received> next(const Interrupt& interrupt);

  private:
    using Clock = std::chrono::steady_clock;
    enum class Ready : std::uint8_t { bytes, interrupted, late };

    explicit Exchange(UniqueFd connection) : connection_(std::move(connection)) {}
    Result<void> send(const Call& call, const std::string& path);
    Result<Ready> wait(int interrupt, std::optional<Clock::time_point> until);
    Result<void> receive();
    Result<void> check_head();

    UniqueFd connection_;
    ResponseReader response_;
    bool head_checked_ = false;
};

}  // namespace netlab::cli
