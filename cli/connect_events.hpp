#pragma once

#include "cli/stream_events.hpp"
#include "common/api/connect.hpp"

namespace netlab::cli {

using ConnectEvent = StreamEvent<api::ConnectStart, api::ConnectAttempt, api::ConnectReport>;

/// The report that the client makes itself where the user interrupted it before anything was known of the
/// first attempt: one line in the form of the daemon's, with the outcome "interrupted", which is no daemon's.
[[nodiscard]] std::string interrupted_report(const api::ConnectReport& seen);

/// One line of POST /v1/connect. errc::protocol_error where it is not one.
[[nodiscard]] Result<ConnectEvent> decode_connect_event(std::string_view line);

}  // namespace netlab::cli
