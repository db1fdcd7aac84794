#pragma once

#include "cli/stream_events.hpp"
#include "common/api/ping.hpp"

namespace netlab::cli {

using PingEvent = StreamEvent<api::PingStart, api::PingProgress, api::PingReply, api::PingLost,
                              api::PingError, api::PingReport>;

/// One line of POST /v1/ping. errc::protocol_error where it is not one.
[[nodiscard]] Result<PingEvent> decode_ping_event(std::string_view line);

}  // namespace netlab::cli
