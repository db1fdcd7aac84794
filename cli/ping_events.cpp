#include "cli/ping_events.hpp"

namespace netlab::cli {

Result<PingEvent> decode_ping_event(std::string_view line) {
    return decode_stream_event<api::PingStart, api::PingProgress, api::PingReply, api::PingLost,
                               api::PingError, api::PingReport>(line);
}

}  // namespace netlab::cli
