#pragma once

#include "common/error.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace netlab::cli {

/// The words TO:PORT taken apart.
struct HostAndPort {
    std::string host;  ///< without brackets
    std::uint16_t port = 0;
    friend bool operator==(const HostAndPort&, const HostAndPort&) = default;
};

/// "co2:80", "docker:co2:80", "127.0.0.1:80", "[fd00::1]:80", "[fe80::1%eth0]:80". errc::bad_request, saying
/// how it is written, for a missing port, a port that is none, and an IPv6 address without brackets.
[[nodiscard]] Result<HostAndPort> parse_host_and_port(std::string_view text);

/// A port from 1 to 65535. errc::bad_request.
[[nodiscard]] Result<std::uint16_t> parse_port(std::string_view text);

}  // namespace netlab::cli
