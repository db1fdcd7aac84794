#pragma once

#include "common/error.hpp"
#include "common/unique_fd.hpp"

#include <string>

/// Files that a container owns: their content is hostile, their names may be links to anywhere.
namespace netlab::launcher {

/// A file's content is read up to here and no further.
inline constexpr std::size_t largest_container_file = 64 * 1024;

/// Opens `path` as a process whose root directory is `root` would find it: links are resolved inside that
/// root, magic links
/// (/proc/…/fd) not at all. `root` is a borrowed O_PATH directory.
/// Not found, or no regular file: an empty descriptor. A FIFO or a device is never opened, only looked at.
/// errc::operation_failed where the kernel refuses for another reason.
[[nodiscard]] Result<UniqueFd> open_container_file(int root, const char* path);

}  // namespace netlab::launcher
