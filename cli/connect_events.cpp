#include "cli/connect_events.hpp"

namespace netlab::cli {

Result<ConnectEvent> decode_connect_event(std::string_view line) {
    return decode_stream_event<api::ConnectStart, api::ConnectAttempt, api::ConnectReport>(line);
}

}  // namespace netlab::cli
