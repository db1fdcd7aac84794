#include "daemon/operations/numeric_host.hpp"

#include <algorithm>
#include <array>

#include <arpa/inet.h>

namespace netlab::operations {

std::optional<NumericHost> parse_numeric_host(std::string_view text) {
    const auto percent = text.find('%');
    if (const auto address = IpAddress::parse(text.substr(0, percent))) {
        if (percent == text.npos) return NumericHost{*address, {}};
        const auto zone = text.substr(percent + 1);
        if (!address->is_v6() || zone.empty()) return std::nullopt;
        return NumericHost{*address, std::string(zone)};
    }
    // inet_aton(3) reads up to the first blank; getaddrinfo(3) wants the whole word.
    const auto is_digit = [](char c) {
        return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
    };
    const bool plausible =
        !text.empty() && text.front() >= '0' && text.front() <= '9' &&
        std::ranges::all_of(text, [&](char c) { return is_digit(c) || c == '.' || c == 'x' || c == 'X'; });
    in_addr v4{};
    if (!plausible || ::inet_aton(std::string(text).c_str(), &v4) != 1) return std::nullopt;
    std::array<std::uint8_t, 4> bytes;
    std::copy_n(reinterpret_cast<const std::uint8_t*>(&v4.s_addr), bytes.size(), bytes.begin());
    return NumericHost{IpAddress::from_bytes(bytes), {}};
}

}  // namespace netlab::operations
