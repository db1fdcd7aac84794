#pragma once

#include "common/unique_fd.hpp"

#include <cstdint>

/// Files that a container owns: their content is hostile, their names may be links to anywhere.
namespace netlab::kernel {

/// What stands where a file is looked for.
enum class FileState : std::uint8_t {
    regular,
    missing,   ///< nothing
    dangling,  ///< a link that leads to nothing inside the root
    loop,      ///< links that lead in a circle, or through a magic link (/proc/…/fd)
    special,   ///< something else than a regular file: never opened, only looked at
    refused,   ///< the kernel refused to look at it or to open it
    unknown,   ///< it was not looked for
};

struct FileLook {
    FileState state = FileState::unknown;
    std::uint32_t mode = 0;  ///< st_mode of `regular` and `special`
    int error = 0;           ///< the errno of `refused`
    friend bool operator==(const FileLook&, const FileLook&) = default;
};

struct ContainerFile {
    FileLook look;
    UniqueFd file;  ///< readable and non-blocking; only of a regular one
};

/// Opens `path` as a process whose root directory is `root` would find it: links are resolved inside that
/// root, magic links not at all. `root` is a borrowed O_PATH directory.
[[nodiscard]] ContainerFile open_container_file(int root, const char* path);

}  // namespace netlab::kernel
