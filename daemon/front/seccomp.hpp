#pragma once

#include "common/sanitized.hpp"

#include <vector>

#include <linux/filter.h>
#include <sys/types.h>

namespace netlab::front {

/// Gives up, for good, what a front that serves has no use for: new privileges, core files, and every system
/// call but those of a loop over the descriptors it has. No path can be opened after it. Throws
/// std::system_error.
void restrict_system_calls();

/// The filter that restrict_system_calls() installs in the process `own`, as the kernel has it; with
/// `sanitized` it allows in addition what the sanitizers' run-time calls. Throws std::system_error.
[[nodiscard]] std::vector<sock_filter> system_call_filter(pid_t own, bool sanitized = is_sanitized);

}  // namespace netlab::front
