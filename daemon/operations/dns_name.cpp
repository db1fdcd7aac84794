#include "daemon/operations/dns_name.hpp"

#include <algorithm>
#include <array>

#include <arpa/nameser.h>

namespace netlab::operations {

std::optional<std::string> dns_wire_name(std::string_view text) {
    if (text.empty()) return std::string(1, '\0');
    // To the C library the name would end there.
    if (text.find('\0') != text.npos) return std::nullopt;
    std::array<unsigned char, NS_MAXCDNAME> wire{};
    if (::ns_name_pton(std::string(text).c_str(), wire.data(), wire.size()) < 0) return std::nullopt;
    std::size_t size = 0;
    while (wire.at(size) != 0)
        size += wire.at(size) + std::size_t{1};
    return std::string(wire.begin(), wire.begin() + static_cast<std::ptrdiff_t>(size + 1));
}

bool is_dns_name(std::string_view name) {
    const auto wire = dns_wire_name(name);
    return wire && wire->size() > 1;
}

bool is_absolute_dns_name(std::string_view name) {
    if (!name.ends_with('.')) return false;
    const auto last = name.substr(0, name.size() - 1).find_last_not_of('\\');
    const auto backslashes = name.size() - 1 - (last == name.npos ? 0 : last + 1);
    return backslashes % 2 == 0;
}

std::string dns_name_key(std::string_view text) {
    auto key = dns_wire_name(text).value_or(std::string(text));
    // A label's length is less than any letter.
    std::ranges::transform(
        key, key.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
    return key;
}

bool same_dns_name(std::string_view a, std::string_view b) {
    return dns_name_key(a) == dns_name_key(b);
}

std::string shown_dns_name(std::string_view text) {
    std::array<char, NS_MAXDNAME> shown{};
    const auto wire = dns_wire_name(text);
    const auto* bytes = wire ? reinterpret_cast<const unsigned char*>(wire->data()) : nullptr;
    if (!wire || ::ns_name_ntop(bytes, shown.data(), shown.size()) < 0) {
        return std::string(text) + (text.ends_with('.') ? "" : ".");
    }
    const std::string name = shown.data();
    return name == "." ? name : name + ".";
}

}  // namespace netlab::operations
