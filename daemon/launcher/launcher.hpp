#pragma once

#include "common/error.hpp"
#include "common/unique_fd.hpp"
#include "daemon/launcher/sandbox.hpp"

#include <string>

namespace netlab::launcher {

/// Serves the front's launch messages until `channel` ends, then ends the workers that are left and returns
/// the exit status. What comes on `supervisor_channel` is sent back: this process still turns its loop.
/// Single-threaded; parses nothing but the protocol's fixed format. The process has become
/// the launcher already.
[[nodiscard]] int run(Credentials worker_credentials, UniqueFd channel, UniqueFd supervisor_channel = {});

/// The network namespace that is to be the host's, by a file. errc as kernel::open_namespace().
[[nodiscard]] Result<UniqueFd> open_host_namespace(const std::string& path);

}  // namespace netlab::launcher
