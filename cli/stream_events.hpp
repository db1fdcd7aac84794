#pragma once

#include "cli/client.hpp"

#include <functional>
#include <string_view>
#include <variant>

/// What the commands that follow a stream of events (ping, connect) have in common.
namespace netlab::cli {

/// Something that a newer daemon says in a stream; it is passed over.
struct UnknownEvent {};

/// The error that ends a stream, in its last line.
struct StreamError {
    Error error;
};

/// One line of a stream; each of `Events` has its `type`.
template <class... Events>
using StreamEvent = std::variant<Events..., StreamError, UnknownEvent>;

/// A line and its "type"; the error of a stream has none, where a failure of one target has one.
/// errc::protocol_error where it is not one.
struct TypedLine {
    boost::json::value value;
    std::string type;
    std::optional<Error> error;
};
[[nodiscard]] Result<TypedLine> read_typed_line(std::string_view line);

/// errc::protocol_error where the line is none of a stream, or one of `Events` that is not understood.
template <class... Events>
[[nodiscard]] Result<StreamEvent<Events...>> decode_stream_event(std::string_view line) {
    using Event = StreamEvent<Events...>;
    auto typed = read_typed_line(line);
    if (!typed) return typed.error();
    if (typed->error) return Event(StreamError{std::move(*typed->error)});
    Result<Event> out = Event(UnknownEvent{});
    const auto try_one = [&]<class One>(std::type_identity<One>) {
        if (typed->type != One::type) return;
        auto event = decode_answer<One>(typed->value);
        if (event) {
            out = Event(std::move(*event));
        } else {
            out = event.error();
        }
    };
    (try_one(std::type_identity<Events>{}), ...);
    return out;
}

/// Of a probe whose name had no address: nothing was sent and there is nothing to count, so the report is one
/// line that says why. errc::unresolved_name.
template <class Report>
[[nodiscard]] Error unresolved(const Report& report) {
    return {errc::unresolved_name,
            report.explanation.value_or(report.from + " cannot resolve '" + report.to + "'"),
            report.suggestion ? "try: " + *report.suggestion : std::string(),
            {}};
}

/// Takes one line; true once it was the last that counts (the report).
using TakeEvent = std::function<Result<bool>(const std::string& line)>;

/// Hands on each line as it comes. True where the report came, false where the user interrupted it. After the
/// report only the end is due: to leave before it would look like a client that gave up, in the daemon's
/// audit. `what` names the operation in an error. errc as Exchange::next()'s and `take`'s.
[[nodiscard]] Result<bool> follow_events(Exchange& exchange, const Interrupt& interrupt,
                                         std::string_view what, const TakeEvent& take);

}  // namespace netlab::cli
