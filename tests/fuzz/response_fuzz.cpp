#include "cli/connect_events.hpp"
#include "cli/ping_events.hpp"
#include "cli/render/error_text.hpp"
#include "cli/render/escape.hpp"
#include "cli/response.hpp"
#include "common/api/conntrack.hpp"
#include "common/api/dns.hpp"
#include "common/api/firewall.hpp"
#include "common/api/target.hpp"
#include "common/api/version.hpp"
#include "common/api/why.hpp"
#include "tests/fuzz/check.hpp"

#include <string>
#include <vector>

/// What a client reads from whoever answers at the socket, and of a true daemon what containers wrote. The
/// first byte says what comes: a whole response (and into which pieces it is cut), or a line of one.

using namespace netlab;
using namespace netlab::cli;
using netlab::fuzz::as_text;
using netlab::fuzz::check;

namespace {

struct Heard {
    bool fine = false;
    unsigned status = 0;
    std::string type;
    std::vector<std::string> lines;
    friend bool operator==(const Heard&, const Heard&) = default;
};

Heard read(std::string_view bytes, std::size_t piece) {
    ResponseReader reader;
    Heard heard;
    while (!bytes.empty() && !reader.done()) {
        if (!reader.feed(bytes.substr(0, piece))) return {};
        bytes.remove_prefix(std::min(piece, bytes.size()));
        while (auto line = reader.take_line())
            heard.lines.push_back(std::move(*line));
    }
    if (!reader.done() && !reader.feed_end()) return {};
    while (auto line = reader.take_line())
        heard.lines.push_back(std::move(*line));
    heard.fine = reader.has_head();
    if (heard.fine) {
        heard.status = reader.status();
        heard.type = reader.content_type();
    }
    return heard;
}

/// As a capture is read: in pieces that are not all taken.
void read_pieces(std::string_view bytes, std::size_t piece) {
    ResponseReader reader;
    while (!bytes.empty() && !reader.done()) {
        if (!reader.feed(bytes.substr(0, piece))) return;
        bytes.remove_prefix(std::min(piece, bytes.size()));
        reader.take(reader.body().size() / 2);
    }
    const auto left = std::string(reader.body());
    check(reader.take_body() == left && reader.body().empty());
}

/// Nothing moves the cursor: no control character, C1 or bidirectional, in what is valid UTF-8.
void check_terminal(std::string_view shown) {
    for (std::size_t i = 0; i < shown.size(); ++i) {
        const auto byte = static_cast<unsigned char>(shown[i]);
        const auto next = i + 1 < shown.size() ? static_cast<unsigned char>(shown[i + 1]) : 0U;
        check((byte >= 0x20 && byte != 0x7F) || byte == '\n');
        if (byte == 0xC2) check(next >= 0xA0);
    }
}

template <class T>
void answer(const boost::json::value& value) {
    const auto decoded = decode_answer<T>(value);
    // What a newer daemon says beside is passed over: the rest is said again as it was understood.
    if (decoded) {
        const auto said = json::encode(*decoded);
        const auto again = decode_answer<T>(said);
        check(again && json::encode(*again) == said);
    }
    if (!decoded) check_terminal(error_line(decoded.error()));
}

void look_at_line(std::string_view line) {
    check_terminal(escape(line));
    const auto value = json::parse(line);
    if (!value) {
        const auto event = decode_ping_event(line);
        check(!event);
        check_terminal(error_line(event.error()));
        return check_terminal(error_line(value.error()));
    }
    const auto safe = escape_json(line);
    check(json::parse(safe) == value);
    answer<std::vector<api::Target>>(*value);
    answer<api::Target>(*value);
    answer<api::Version>(*value);
    answer<api::ConntrackRow>(*value);
    answer<api::DnsReport>(*value);
    answer<api::FirewallRule>(*value);
    answer<api::WhyReport>(*value);
    if (const auto ping = decode_ping_event(line); !ping) check_terminal(error_line(ping.error()));
    if (const auto event = decode_connect_event(line)) {
        if (const auto* error = std::get_if<StreamError>(&*event)) check_terminal(error_line(error->error));
        if (const auto* report = std::get_if<api::ConnectReport>(&*event))
            check(json::parse(interrupted_report(*report)).has_value());
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    const auto text = as_text({data + 1, size - 1});
    if (data[0] % 2 == 0) {
        look_at_line(text);
        return 0;
    }
    const std::size_t piece = data[0] / 2U + std::size_t{1};
    check(read(text, piece) == read(text, text.size() + 1));
    read_pieces(text, piece);
    return 0;
}
