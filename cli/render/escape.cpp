#include "cli/render/escape.hpp"

#include <array>
#include <cstdint>
#include <cstdio>

namespace netlab::cli {

namespace {

struct Character {
    std::size_t length = 1;
    std::uint32_t code = 0;
    bool valid = false;
};

/// The first character of `s`, which is not empty, by RFC 3629.
Character first_character(std::string_view s) {
    const auto byte = [&](std::size_t i) { return static_cast<std::uint8_t>(s[i]); };
    const auto lead = byte(0);
    if (lead < 0x80) return {1, lead, true};
    const std::size_t length = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
    if (lead < 0xC2 || lead > 0xF4 || s.size() < length) return {1, lead, false};
    std::uint32_t code = lead & (0x7FU >> length);
    for (std::size_t i = 1; i < length; ++i) {
        if ((byte(i) & 0xC0) != 0x80) return {1, lead, false};
        code = code << 6 | (byte(i) & 0x3FU);
    }
    constexpr std::array<std::uint32_t, 5> smallest{0, 0, 0x80, 0x800, 0x10000};
    const bool surrogate = code >= 0xD800 && code <= 0xDFFF;
    if (code < smallest[length] || code > 0x10FFFF || surrogate) return {1, lead, false};
    return {length, code, true};
}

bool is_dangerous(std::uint32_t code) {
    const auto within = [&](std::uint32_t first, std::uint32_t last) {
        return code >= first && code <= last;
    };
    return code < 0x20 || within(0x7F, 0x9F) || code == 0x061C ||  // C0, DEL, C1; Arabic letter mark
           within(0x200E, 0x200F) || within(0x202A, 0x202E) ||
           within(0x2066, 0x2069) ||  // marks, embeddings, isolates
           within(0x2028, 0x2029);    // line and paragraph separator
}

template <class Write>
std::string escape_with(std::string_view text, Write write) {
    std::string out;
    out.reserve(text.size());
    while (!text.empty()) {
        const auto character = first_character(text);
        if (character.valid && !is_dangerous(character.code)) {
            out.append(text.substr(0, character.length));
        } else {
            std::array<char, 16> buffer{};
            write(buffer, character);
            out.append(buffer.data());
        }
        text.remove_prefix(character.length);
    }
    return out;
}

}  // namespace

std::string escape(std::string_view text) {
    return escape_with(text, [](auto& buffer, const Character& character) {
        const bool one_byte = !character.valid || character.code < 0x80;
        std::snprintf(buffer.data(), buffer.size(), one_byte ? "\\x%02x" : "\\u{%x}", character.code);
    });
}

std::string escape_json(std::string_view line) {
    return escape_with(line, [](auto& buffer, const Character& character) {
        // JSON has these as such between its words alone, where no escape may stand.
        const bool is_space =
            character.valid && (character.code == '\t' || character.code == '\n' || character.code == '\r');
        if (is_space) {
            std::snprintf(buffer.data(), buffer.size(), " ");
            return;
        }
        // A byte that is no UTF-8 is no JSON either; what stands for it is U+FFFD.
        std::snprintf(buffer.data(), buffer.size(), "\\u%04x", character.valid ? character.code : 0xFFFDU);
    });
}

}  // namespace netlab::cli
