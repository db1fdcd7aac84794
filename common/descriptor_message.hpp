#pragma once

#include <cstddef>
#include <span>

#include <sys/types.h>

namespace netlab {

/// sendmsg(2) of these bytes, with that descriptor (SCM_RIGHTS of unix(7)) where it is not -1: what it
/// returns, with errno.
[[nodiscard]] ssize_t send_with_descriptor(int socket, std::span<const std::byte> bytes, int descriptor,
                                           int flags);

}  // namespace netlab
