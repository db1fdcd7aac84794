#pragma once

#include "cli/stream_events.hpp"
#include "common/api/connect.hpp"

namespace netlab::cli {

using ConnectEvent = StreamEvent<api::ConnectStart, api::ConnectAttempt, api::ConnectReport>;

/// One line of POST /v1/connect. errc::protocol_error where it is not one.
[[nodiscard]] Result<ConnectEvent> decode_connect_event(std::string_view line);

}  // namespace netlab::cli
