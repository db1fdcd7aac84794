#include "daemon/operations/hosts_file.hpp"

#include <algorithm>

namespace netlab::operations {

namespace {

constexpr std::string_view blanks = " \t\r\v\f";

std::string_view next_word(std::string_view& text) {
    text.remove_prefix(std::min(text.size(), text.find_first_not_of(blanks)));
    const auto word = text.substr(0, text.find_first_of(blanks));
    text.remove_prefix(word.size());
    return word;
}

/// ASCII only: a locale has no say in names.
bool same_name(std::string_view a, std::string_view b) {
    const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; };
    return std::ranges::equal(a, b, {}, lower, lower);
}

bool names(std::string_view words, std::string_view name) {
    for (auto word = next_word(words); !word.empty(); word = next_word(words)) {
        if (same_name(word, name)) return true;
    }
    return false;
}

}  // namespace

std::vector<IpAddress> hosts_addresses(std::string_view text, std::string_view name,
                                       std::optional<Family> family) {
    std::vector<IpAddress> found;
    while (!text.empty()) {
        const auto end = std::min(text.size(), text.find('\n'));
        auto line = text.substr(0, end);
        text.remove_prefix(std::min(text.size(), end + 1));
        line = line.substr(0, line.find_first_of(std::string_view("#\0", 2)));
        const auto word = next_word(line);
        if (!names(line, name)) continue;
        const auto address = IpAddress::parse(word);
        if (!address || (family && address->family() != *family)) continue;
        if (std::ranges::find(found, *address) == found.end()) found.push_back(*address);
    }
    return found;
}

std::vector<std::string> hosts_names(std::string_view text, const IpAddress& address) {
    while (!text.empty()) {
        const auto end = std::min(text.size(), text.find('\n'));
        auto line = text.substr(0, end);
        text.remove_prefix(std::min(text.size(), end + 1));
        line = line.substr(0, line.find_first_of(std::string_view("#\0", 2)));
        const auto parsed = IpAddress::parse(next_word(line));
        if (!parsed || *parsed != address) continue;
        std::vector<std::string> names;
        for (auto word = next_word(line); !word.empty(); word = next_word(line))
            names.emplace_back(word);
        if (!names.empty()) return names;
    }
    return {};
}

}  // namespace netlab::operations
