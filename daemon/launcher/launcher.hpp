#pragma once

#include "common/unique_fd.hpp"
#include "daemon/launcher/sandbox.hpp"

namespace netlab::launcher {

/// Serves the front's launch messages until `channel` ends, then ends the workers that are left and returns
/// the exit status. What comes on `supervisor_channel` is sent back: this process still turns its loop.
/// Single-threaded; parses nothing but the protocol's fixed format. The process has become
/// the launcher already.
[[nodiscard]] int run(Credentials worker_credentials, UniqueFd channel, UniqueFd supervisor_channel = {});

}  // namespace netlab::launcher
