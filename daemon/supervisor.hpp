#pragma once

#include "common/unique_fd.hpp"

#include <chrono>
#include <functional>

namespace netlab {

/// The two processes that the supervisor keeps alive. Each function is the whole life of its process, just
/// forked, and returns the exit status.
struct Children {
    std::function<int(UniqueFd channel, UniqueFd supervisor_channel)> launcher;
    std::function<int(UniqueFd listener, UniqueFd launcher_channel, UniqueFd supervisor_channel)> front;
};

/// How long front and launcher may not answer: then they are killed, and started again.
struct Watchdog {
    std::chrono::seconds patience{30};  ///< 0: nobody is asked
};

/// Starts the launcher and then the front, restarts whichever dies (with back-off where it dies at once), and
/// on SIGTERM or SIGINT lets the front drain and ends both. Reads nothing from anybody and starts no thread.
/// Returns the exit status.
///
/// A new launcher's channel goes to the running front over the supervisor's channel: a packet of one byte
/// with one descriptor. Packets of one byte without a descriptor are the watchdog's, to both; each sends
/// them back. The service manager's watchdog is answered while this process
/// turns its own loop. A front that died
/// takes the launcher along, whose workers then serve nobody.
[[nodiscard]] int supervise(const Children& children, UniqueFd listener, Watchdog watchdog);

}  // namespace netlab
