#pragma once

#include "common/api/target.hpp"
#include "common/unique_fd.hpp"
#include "daemon/front/peer.hpp"
#include "daemon/front/quotas.hpp"

#include <chrono>
#include <string>
#include <vector>

#include <spdlog/common.h>

/// The unprivileged process that speaks HTTP: who may do what, audit, the registry of targets, relaying.
namespace netlab::front {

struct Engine {
    api::Runtime runtime = api::Runtime::docker;
    std::string socket;  ///< path of its Unix socket, for the watchers; the front never opens it
};

struct Options {
    AccessTable access;
    std::vector<Engine> engines;
    std::vector<std::string> namespace_directories;
    spdlog::level::level_enum level = spdlog::level::info;
    QuotaLimits quota;
    std::string socket_group;  ///< the group of the listening socket, for messages; "" where none is known
    std::chrono::milliseconds drain{10'000};  ///< what running streams get after SIGTERM
};

/// Serves until SIGTERM or until the supervisor is gone, in the calling process: it sets signal masks and
/// installs a system call filter, which stay. It returns the exit status: 0 drained, 1 the supervisor went
/// away. `launcher_channel`: SOCK_SEQPACKET, daemon/launcher/protocol.hpp. `supervisor_channel`:
/// SOCK_SEQPACKET; each message is one byte with one descriptor, a new launcher channel, or without one: then
/// it is sent back, for this process still turns its loop. Throws std::system_error before it serves.
int run(Options options, UniqueFd listener, UniqueFd launcher_channel, UniqueFd supervisor_channel);

}  // namespace netlab::front
