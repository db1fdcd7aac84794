#include "daemon/operations/packet_text_parts.hpp"

#include <algorithm>
#include <array>

namespace netlab::operations {

namespace {

bool is_printable(char c) {
    return c >= 0x20 && c < 0x7F;
}

/// RFC 9110, 9.3, and RFC 5789.
bool is_method(std::string_view word) {
    constexpr std::array<std::string_view, 9> methods{"GET",     "HEAD",    "POST",  "PUT",  "DELETE",
                                                      "CONNECT", "OPTIONS", "TRACE", "PATCH"};
    return std::ranges::find(methods, word) != methods.end();
}

/// "HTTP/1.1 200 OK"
bool is_status_line(std::string_view line) {
    constexpr std::size_t code_at = 9;
    if (!line.starts_with("HTTP/") || line.size() < code_at + 3 || line[code_at - 1] != ' ') return false;
    return std::ranges::all_of(line.substr(code_at, 3), [](char c) { return c >= '0' && c <= '9'; });
}

}  // namespace

void http_text(PacketText& text, const PacketPart& data) {
    constexpr std::size_t longest = 1024;
    text.protocol = "HTTP";
    text.info += ": HTTP";
    const auto bytes = data.captured();
    const std::string_view all(reinterpret_cast<const char*>(bytes.data()), std::min(bytes.size(), longest));
    const auto line = all.substr(0, all.find_first_of("\r\n"));
    if (!is_method(line.substr(0, line.find(' '))) && !is_status_line(line)) return;
    if (!std::ranges::all_of(line, is_printable)) return;
    text.info += ": " + std::string(line);
    // Its end was not captured, or is not looked for.
    if (line.size() == all.size() && (all.size() == longest || data.length() > bytes.size()))
        text.info += "...";
}

}  // namespace netlab::operations
