#pragma once

#include "common/error.hpp"

#include <cstdint>
#include <optional>

namespace netlab::kernel {

/// The number that the socket's namespace knows the namespace `namespace_fd` by, as IFLA_LINK_NETNSID and
/// `ip netns list-id` have it (RTM_GETNSID); nullopt where it has given it none. Needs no capability. errc as
/// ask().
[[nodiscard]] Result<std::optional<std::int32_t>> number_of_namespace(int route_socket, int namespace_fd);

}  // namespace netlab::kernel
