#include "cli/render/local_time.hpp"

#include "cli/render/escape.hpp"

#include <array>
#include <charconv>
#include <cstdio>
#include <ctime>
#include <optional>

namespace netlab::cli {

namespace {

/// The decimal number at a place of `text`; nullopt where it is none.
std::optional<int> number(std::string_view text, std::size_t at, std::size_t length) {
    if (text.size() < at + length) return std::nullopt;
    int value = 0;
    const auto* begin = text.data() + at;
    const auto [end, error] = std::from_chars(begin, begin + length, value);
    if (error != std::errc{} || end != begin + length) return std::nullopt;
    return value;
}

}  // namespace

std::string local_time(std::string_view text) {
    const auto year = number(text, 0, 4);
    const auto month = number(text, 5, 2);
    const auto day = number(text, 8, 2);
    const auto hour = number(text, 11, 2);
    const auto minute = number(text, 14, 2);
    const auto second = number(text, 17, 2);
    if (!year || !month || !day || !hour || !minute || !second || !text.ends_with('Z')) return escape(text);
    std::tm utc{};
    utc.tm_year = *year - 1900;
    utc.tm_mon = *month - 1;
    utc.tm_mday = *day;
    utc.tm_hour = *hour;
    utc.tm_min = *minute;
    utc.tm_sec = *second;
    const auto seconds = ::timegm(&utc);
    std::tm local{};
    ::localtime_r(&seconds, &local);
    auto fraction = std::string(text.size() > 20 && text[19] == '.' ? text.substr(20, text.size() - 21) : "");
    fraction.resize(6, '0');
    std::array<char, 64> buffer{};
    std::snprintf(buffer.data(), buffer.size(), "%02d:%02d:%02d.", local.tm_hour, local.tm_min, local.tm_sec);
    return buffer.data() + escape(fraction);
}

}  // namespace netlab::cli
