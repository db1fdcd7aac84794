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

/// Calls `each(number, whole, line)` for every line, `line` without its comment.
template <class Each>
void for_each_line(std::string_view text, Each each) {
    for (std::size_t number = 1; !text.empty(); ++number) {
        const auto end = std::min(text.size(), text.find('\n'));
        const auto whole = text.substr(0, end);
        text.remove_prefix(std::min(text.size(), end + 1));
        each(number, whole, whole.substr(0, whole.find_first_of(std::string_view("#\0", 2))));
    }
}

}  // namespace

std::vector<IpAddress> hosts_addresses(std::string_view text, std::string_view name,
                                       std::optional<Family> family) {
    std::vector<IpAddress> found;
    for_each_line(text, [&](std::size_t, std::string_view, std::string_view line) {
        const auto word = next_word(line);
        if (!names(line, name)) return;
        const auto address = IpAddress::parse(word);
        if (!address || (family && address->family() != *family)) return;
        if (std::ranges::find(found, *address) == found.end()) found.push_back(*address);
    });
    return found;
}

std::vector<std::string> hosts_names(std::string_view text, const IpAddress& address) {
    for (auto& line : read_hosts(text).lines) {
        if (line.address == address) return std::move(line.names);
    }
    return {};
}

HostsReading read_hosts(std::string_view text) {
    HostsReading reading;
    for_each_line(text, [&](std::size_t number, std::string_view whole, std::string_view line) {
        const auto word = next_word(line);
        if (word.empty()) return;
        const auto address = IpAddress::parse(word);
        HostsLine entry{number, {}, {}};
        for (auto name = next_word(line); !name.empty(); name = next_word(line))
            entry.names.emplace_back(name);
        const auto skip = [&](const char* reason) {
            reading.skipped.push_back({number, std::string(whole), reason});
        };
        if (!address) return skip("it does not begin with an IP address");
        if (entry.names.empty()) return skip("no name follows the address");
        entry.address = *address;
        reading.lines.push_back(std::move(entry));
    });
    return reading;
}

}  // namespace netlab::operations
