#pragma once

#include "common/api/connect.hpp"
#include "common/error.hpp"

#include <cstdint>
#include <map>

namespace netlab::operations {

/// The TCP connections of a namespace to another's port, by their own port: true where it has come about,
/// false where its SYN waits for an answer. Needs no capability. errc as kernel::dump_inet_sockets().
[[nodiscard]] Result<std::map<std::uint16_t, bool>> connections_to(int sock_diag_socket,
                                                                   const api::Endpoint& remote);

}  // namespace netlab::operations
