#pragma once

#include "common/api/ping.hpp"

#include <string_view>
#include <variant>

namespace netlab::cli {

/// Something that a newer daemon says in a stream; it is passed over.
struct UnknownEvent {};

/// The error that ends a stream, in its last line.
struct StreamError {
    Error error;
};

using PingEvent = std::variant<api::PingStart, api::PingProgress, api::PingReply, api::PingLost,
                               api::PingError, api::PingReport, StreamError, UnknownEvent>;

/// One line of POST /v1/ping. errc::protocol_error where it is not one.
[[nodiscard]] Result<PingEvent> decode_ping_event(std::string_view line);

}  // namespace netlab::cli
