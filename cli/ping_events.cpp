#include "cli/ping_events.hpp"

#include "cli/client.hpp"

namespace netlab::cli {

namespace {

template <class T>
Result<PingEvent> decode_as(const boost::json::value& value) {
    auto event = decode_answer<T>(value);
    if (!event) return event.error();
    return PingEvent(std::move(*event));
}

}  // namespace

Result<PingEvent> decode_ping_event(std::string_view line) {
    const auto value = json::parse(line);
    if (!value) {
        return Error{
            errc::protocol_error, "netlabd's answer is not understood: " + value.error().message, {}, {}};
    }
    if (auto error = error_of(*value)) return PingEvent(StreamError{std::move(*error)});
    const auto* object = value->if_object();
    const auto* field = object ? object->if_contains("type") : nullptr;
    if (!field || !field->is_string()) {
        return Error{
            errc::protocol_error, "netlabd's answer is not understood: a line without a type", {}, {}};
    }
    const std::string_view type = field->get_string();
    if (type == api::PingStart::type) return decode_as<api::PingStart>(*value);
    if (type == api::PingProgress::type) return decode_as<api::PingProgress>(*value);
    if (type == api::PingReply::type) return decode_as<api::PingReply>(*value);
    if (type == api::PingLost::type) return decode_as<api::PingLost>(*value);
    if (type == api::PingError::type) return decode_as<api::PingError>(*value);
    if (type == api::PingReport::type) return decode_as<api::PingReport>(*value);
    return PingEvent(UnknownEvent{});
}

}  // namespace netlab::cli
