#pragma once

#include "common/address.hpp"

#include <cstdint>
#include <string>
#include <vector>

/// Numbers of the kernel's by the names that ip(8) and ss(8) print for them (iproute2's rt_names.c and its
/// own tables; what /etc/iproute2 of the machine adds is not looked at).
namespace netlab::kernel {

[[nodiscard]] std::string scope_name(std::uint8_t scope);  ///< RT_SCOPE_: "global", "link", "host", "100"
[[nodiscard]] std::vector<std::string> address_flag_names(Family family,
                                                          std::uint32_t flags);  ///< IFA_F_, lower case

}  // namespace netlab::kernel
