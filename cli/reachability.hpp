#pragma once

#include "common/error.hpp"

#include <string>

namespace netlab::cli {

/// Why connect(2) to the daemon's socket failed with `error_number`, and what the user can do: start it, or
/// join the group that the socket (or the directory that hides it) belongs to. Looks at the file system and
/// the user database.
[[nodiscard]] Error unreachable(const std::string& path, int error_number);

/// What decides whether and how a user may come to use a socket.
struct SocketAccess {
    std::string path;  ///< the socket, or the directory on its way that refuses
    std::string user;
    std::string group;         ///< its owner's
    bool group_may = false;    ///< the mode lets the group in
    bool in_database = false;  ///< the user is in that group by the user database, though not in this session
};

/// errc::permission_denied with the sentence that fits.
[[nodiscard]] Error no_permission(const SocketAccess& access);

}  // namespace netlab::cli
