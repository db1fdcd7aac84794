#pragma once

#include "common/address.hpp"

#include <cstdint>
#include <string>

namespace netlab {

/// "172.18.0.2:80", "[fd00::2]:80" (RFC 3986, 3.2.2)
[[nodiscard]] std::string endpoint_text(const IpAddress& address, std::uint16_t port);

}  // namespace netlab
