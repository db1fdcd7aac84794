#include "tests/netns/operation_stream.hpp"

#include <cstring>
#include <stdexcept>

#include <boost/json/parse.hpp>

namespace netlab::test {

namespace {

void take(Told& told, const OperationProcess::Frame& frame) {
    const std::string text(reinterpret_cast<const char*>(frame.payload.data()), frame.payload.size());
    if (frame.kind == frame::Kind::data) {
        std::size_t begin = 0;
        for (auto end = text.find('\n'); end != text.npos; end = text.find('\n', begin)) {
            told.events.push_back(boost::json::parse(text.substr(begin, end - begin)).as_object());
            begin = end + 1;
        }
    } else if (frame.kind == frame::Kind::error) {
        std::uint16_t code = 0;
        std::memcpy(&code, frame.payload.data(), sizeof code);
        told.error = static_cast<errc>(code);
        told.error_text = text.substr(sizeof code);
    } else if (frame.kind == frame::Kind::end) {
        told.ended = true;
    }
}

}  // namespace

std::vector<boost::json::object> Told::of(std::string_view type) const {
    std::vector<boost::json::object> found;
    for (const auto& event : events) {
        if (event.at("type").as_string() == type) found.push_back(event);
    }
    return found;
}

const boost::json::object& Told::report() const {
    if (events.empty() || events.back().at("type").as_string() != "report")
        throw std::runtime_error("no report; the error says: " + error_text);
    return events.back();
}

std::string Told::text(std::string_view member) const {
    const auto* value = report().if_contains(member);
    return value == nullptr ? "" : std::string(value->as_string());
}

std::uint64_t Told::number(std::string_view member) const {
    return report().at(member).to_number<std::uint64_t>();
}

Told listen_to(OperationProcess& process, std::chrono::milliseconds patience) {
    Told told;
    const auto start = std::chrono::steady_clock::now();
    while (!told.ended && std::chrono::steady_clock::now() - start < patience) {
        const auto frame = process.next(patience);
        if (!frame) break;
        take(told, *frame);
    }
    told.took = std::chrono::steady_clock::now() - process.started();
    return told;
}

}  // namespace netlab::test
