#include "cli/stream_events.hpp"

namespace netlab::cli {

Result<TypedLine> read_typed_line(std::string_view line) {
    auto value = json::parse(line);
    if (!value) {
        return Error{
            errc::protocol_error, "netlabd's answer is not understood: " + value.error().message, {}, {}};
    }
    TypedLine out;
    const auto* object = value->if_object();
    const auto* field = object ? object->if_contains("type") : nullptr;
    if (field && field->is_string()) {
        out.type = std::string(field->get_string());
    } else if (out.error = error_of(*value); !out.error) {
        return Error{
            errc::protocol_error, "netlabd's answer is not understood: a line without a type", {}, {}};
    }
    out.value = std::move(*value);
    return out;
}

Result<bool> follow_events(Exchange& exchange, const Interrupt& interrupt, std::string_view what,
                           const TakeEvent& take) {
    bool reported = false;
    for (;;) {
        const auto received = exchange.next(interrupt);
        // What else comes in the place of the end no longer matters.
        if (reported && (!received || received->event != Exchange::Event::line)) return true;
        if (!received) return received.error();
        if (received->event == Exchange::Event::interrupted) return false;
        if (received->event == Exchange::Event::end) {
            return Error{
                errc::protocol_error, "netlabd ended the " + std::string(what) + " without a report", {}, {}};
        }
        const auto last = take(received->line);
        if (!last) return last.error();
        reported = reported || *last;
    }
}

}  // namespace netlab::cli
