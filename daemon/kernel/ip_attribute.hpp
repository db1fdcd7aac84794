#pragma once

#include "common/address.hpp"

#include <cstddef>
#include <optional>
#include <span>

namespace netlab::kernel {

/// An address attribute: 4 bytes are IPv4, 16 are IPv6, anything else is none.
[[nodiscard]] inline std::optional<IpAddress> ip_attribute(std::span<const std::byte> bytes) {
    if (bytes.size() != 4 && bytes.size() != 16) return std::nullopt;
    return IpAddress::from_bytes({reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()});
}

/// The unspecified address of AF_INET or AF_INET6.
[[nodiscard]] inline IpAddress any_address(std::uint8_t family) {
    constexpr std::uint8_t zero[16] = {};
    return IpAddress::from_bytes({zero, family == AF_INET ? std::size_t{4} : std::size_t{16}});
}

}  // namespace netlab::kernel
