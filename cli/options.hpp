#pragma once

#include "common/error.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace netlab::cli {

inline constexpr std::string_view default_host = "unix:///run/netlab/netlabd.sock";

enum class Format : std::uint8_t { table, wide, json };

enum class Colour : std::uint8_t { automatic, always, never };

/// What the user may say to every command.
struct Options {
    std::string host;       ///< "unix://PATH"
    std::string host_from;  ///< who said so: "-H", "NETLAB_HOST", or "" for the default
    Format format = Format::table;
    Colour colour = Colour::automatic;
};

/// What of the environment counts.
struct Environment {
    std::string netlab_host;
    bool no_colour = false;  ///< NO_COLOR is set and not empty (no-color.org)

    [[nodiscard]] static Environment current();
};

/// "table", "wide" or "json"; errc::bad_request with the nearest word.
[[nodiscard]] Result<Format> parse_format(std::string_view word);
/// "auto", "always" or "never"; errc::bad_request with the nearest word.
[[nodiscard]] Result<Colour> parse_colour(std::string_view word);

/// The path of the socket that `options.host` names; errc::bad_request for anything but unix:// and an
/// absolute path.
[[nodiscard]] Result<std::string> socket_path(const Options& options);

/// Numbers as a user writes them: all of the text or nothing, no locale.
[[nodiscard]] Result<std::uint32_t> parse_whole(std::string_view text);
/// Seconds with a fraction ("0.2", ".2", "1"), not negative, not infinite; returns milliseconds.
[[nodiscard]] Result<double> parse_seconds(std::string_view text);

}  // namespace netlab::cli
