#pragma once

#include "common/api/target.hpp"

#include <string>

namespace netlab::operations {

/// Whether lo is down in the namespace of that route socket (kernel::open_route_socket()): then nothing there
/// reaches a loopback address. Where the kernel does not say, it is not claimed.
[[nodiscard]] bool loopback_is_down(int route_socket);

/// A command that puts it up; "" where there is none to be said.
[[nodiscard]] std::string loopback_remedy(const api::Target& target);

}  // namespace netlab::operations
