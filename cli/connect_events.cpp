#include "cli/connect_events.hpp"

namespace netlab::cli {

std::string interrupted_report(const api::ConnectReport& seen) {
    auto value = json::encode(seen);
    value.as_object()["outcome"] = "interrupted";
    return json::write(value) + "\n";
}

Result<ConnectEvent> decode_connect_event(std::string_view line) {
    return decode_stream_event<api::ConnectStart, api::ConnectAttempt, api::ConnectReport>(line);
}

}  // namespace netlab::cli
