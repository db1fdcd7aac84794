#pragma once

namespace netlab::front {

/// Gives up, for good, what a front that serves has no use for: new privileges, core files, and every system
/// call but those of a loop over the descriptors it has. No path can be opened after it. Throws
/// std::system_error.
void restrict_system_calls();

}  // namespace netlab::front
