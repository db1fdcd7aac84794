#include "cli/render/error_text.hpp"

#include "cli/render/escape.hpp"

#include <algorithm>

#include <unistd.h>

namespace netlab::cli {

namespace {

/// The last of two details is nothing but a caret under a place in the first.
bool marks_place(const Error& error) {
    const auto& details = error.details;
    return details.size() == 2 && details[1].find('^') != std::string::npos &&
           details[1].find_first_not_of(" ^") == std::string::npos;
}

bool begins_character(char byte) {
    return (static_cast<unsigned char>(byte) & 0xC0) != 0x80;
}

/// Of text that is valid UTF-8.
std::size_t characters(std::string_view text) {
    return static_cast<std::size_t>(std::ranges::count_if(text, begins_character));
}

/// The first `count` characters.
std::string_view front_of(std::string_view text, std::size_t count) {
    const auto end =
        std::ranges::find_if(text, [&](char byte) { return begins_character(byte) && count-- == 0; });
    return text.substr(0, static_cast<std::size_t>(end - text.begin()));
}

/// Both lines. What is escaped is longer than it was, so that the caret moves with it.
std::string marked_place(const std::string& text, const std::string& marks) {
    constexpr std::string_view margin = "    ";
    const auto place = marks.find('^');
    const auto moved = characters(escape(front_of(text, place)));
    const auto beyond = place - std::min(place, characters(text));
    return std::string(margin) + escape(text) + "\n" + std::string(margin) +
           std::string(moved + beyond, ' ') + marks.substr(place) + "\n";
}

}  // namespace

std::string error_line(const Error& error) {
    std::string details;
    const bool place = marks_place(error);
    for (const auto& detail : error.details) {
        if (place) break;
        // Most messages and hints name them already.
        if (error.message.find(detail) != std::string::npos || error.hint.find(detail) != std::string::npos)
            continue;
        details.append(details.empty() ? ": " : ", ").append(detail);
    }
    std::string line = "netlab: " + escape(error.message + details);
    if (!error.hint.empty()) line += " — " + escape(error.hint);
    line += "\n";
    return place ? line + marked_place(error.details[0], error.details[1]) : line;
}

void complain(const Error& error) {
    tell(error_line(error));
}

void tell(std::string_view text) {
    [[maybe_unused]] const auto written = ::write(STDERR_FILENO, text.data(), text.size());
}

}  // namespace netlab::cli
