#pragma once

#include "common/address.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace netlab::operations {

/// An address that was written as one.
struct NumericHost {
    IpAddress address;
    std::string zone;  ///< after '%', an interface's name or index; empty where there is none
    friend bool operator==(const NumericHost&, const NumericHost&) = default;
};

/// What getaddrinfo(3) takes for an address without asking anybody: "172.18.0.2", "127.1", "fe80::1%eth0";
/// nothing for a name.
[[nodiscard]] std::optional<NumericHost> parse_numeric_host(std::string_view text);

}  // namespace netlab::operations
