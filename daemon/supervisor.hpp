#pragma once

#include "common/unique_fd.hpp"

#include <functional>

namespace netlab {

/// The two processes that the supervisor keeps alive. Each function is the whole life of its process, just
/// forked, and returns the exit status.
struct Children {
    std::function<int(UniqueFd channel)> launcher;
    std::function<int(UniqueFd listener, UniqueFd launcher_channel, UniqueFd supervisor_channel)> front;
};

/// Starts the launcher and then the front, restarts whichever dies (with back-off where it dies at once), and
/// on SIGTERM or SIGINT lets the front drain and ends both. Reads nothing from anybody and starts no thread.
/// Returns the exit status.
///
/// A new launcher's channel goes to the running front over the supervisor's channel: a packet of one byte
/// with one descriptor. A front that died takes the launcher along, whose workers then serve nobody.
[[nodiscard]] int supervise(const Children& children, UniqueFd listener);

}  // namespace netlab
