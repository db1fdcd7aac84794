#pragma once

#include "common/unique_fd.hpp"
#include "daemon/config.hpp"

namespace netlab {

/// The daemon's listening Unix socket.
struct Listener {
    UniqueFd socket;
    bool from_systemd = false;  ///< its path is systemd's to remove
    std::string
        warning;  ///< what the administrator should know: the group does not exist, so only root gets in
};

/// errc::bad_request where no Unix socket can have that path.
[[nodiscard]] Result<void> check_socket_path(const std::string& path);

/// Takes systemd's socket (sd_listen_fds(3)) where there is one, else binds `config.socket` with its group
/// and mode. A path that a live daemon serves is refused (errc::busy), a dead one's is replaced.
[[nodiscard]] Result<Listener> open_listener(const Config::Listen& config);

}  // namespace netlab
