#include "cli/options.hpp"

#include "common/text.hpp"

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <vector>

#include <sys/un.h>

namespace netlab::cli {

namespace {

std::string environment_variable(const char* name) {
    const char* value = std::getenv(name);
    return value ? value : "";
}

Error unknown_word(std::string_view word, const std::vector<std::string>& known) {
    const auto names = nearest(word, known);
    return {errc::bad_request,
            "'" + std::string(word) + "' is not " + join_or(known),
            names.empty() ? std::string() : "did you mean " + join_or(names) + "?",
            {}};
}

}  // namespace

Environment Environment::current() {
    return {environment_variable("NETLAB_HOST"), !environment_variable("NO_COLOR").empty()};
}

Result<Format> parse_format(std::string_view word) {
    if (word == "table") return Format::table;
    if (word == "wide") return Format::wide;
    if (word == "json") return Format::json;
    return unknown_word(word, {"table", "wide", "json"});
}

Result<Colour> parse_colour(std::string_view word) {
    if (word == "auto") return Colour::automatic;
    if (word == "always") return Colour::always;
    if (word == "never") return Colour::never;
    return unknown_word(word, {"auto", "always", "never"});
}

Result<std::string> socket_path(const Options& options) {
    constexpr std::string_view scheme = "unix://";
    const std::string shown = (options.host_from.empty() ? "" : options.host_from + " ") + options.host;
    if (!options.host.starts_with(scheme)) {
        const std::string hint = options.host.starts_with('/') ? "write unix://" + options.host
                                                               : "as in " + std::string(default_host);
        return Error{errc::bad_request, shown + ": netlabd is reached by a Unix socket only", hint, {}};
    }
    auto path = options.host.substr(scheme.size());
    if (!path.starts_with('/')) {
        return Error{errc::bad_request,
                     shown + ": the path of the socket must be absolute",
                     "as in " + std::string(default_host),
                     {}};
    }
    if (path.size() >= sizeof(sockaddr_un::sun_path)) {
        return Error{errc::bad_request, shown + ": the path of a Unix socket has 107 bytes at most", {}, {}};
    }
    return path;
}

Result<std::uint32_t> parse_whole(std::string_view text) {
    std::uint32_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc{} || end != text.data() + text.size()) {
        return Error{errc::bad_request,
                     "'" + std::string(text) + "' is not a whole number from 0 to 4294967295",
                     {},
                     {}};
    }
    return number;
}

Result<double> parse_seconds(std::string_view text) {
    // By hand: std::from_chars for double brings libm along, which is a tenth of netlab's start.
    const auto is_digit = [](char letter) { return letter >= '0' && letter <= '9'; };
    const auto point = std::min(text.find('.'), text.size());
    const auto whole = text.substr(0, point);
    auto fraction = text.substr(std::min(point + 1, text.size()));
    constexpr std::size_t most_digits = 9;
    const bool digits = !whole.empty() || !fraction.empty();
    if (!digits || whole.size() > most_digits || !std::ranges::all_of(whole, is_digit) ||
        !std::ranges::all_of(fraction, is_digit)) {
        return Error{
            errc::bad_request, "'" + std::string(text) + "' is not a number of seconds", "as in 0.2", {}};
    }
    fraction = fraction.substr(0, most_digits);  // to the nanosecond
    std::int64_t nanoseconds = 0;
    for (const char digit : whole)
        nanoseconds = nanoseconds * 10 + (digit - '0');
    for (std::size_t i = 0; i < most_digits; ++i) {
        nanoseconds = nanoseconds * 10 + (i < fraction.size() ? fraction[i] - '0' : 0);
    }
    return static_cast<double>(nanoseconds) / 1e6;
}

}  // namespace netlab::cli
