#pragma once

#include "common/unique_fd.hpp"

#include <chrono>
#include <cstddef>
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
    silent,    ///< its file system did not answer in time
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
    UniqueFd file;  ///< readable, of a regular file alone: itself, or a copy of its beginning
    static constexpr std::size_t copied = 64 * 1024 + 1;  ///< bytes at most
};

/// How long a file system may take to answer.
inline constexpr std::chrono::milliseconds file_patience{400};

/// Opens `path` as a process whose root directory is `root` would find it: links are resolved inside that
/// root, magic links not at all. `root` is a borrowed O_PATH directory.
///
/// The file system may be served by the container (FUSE) or over a network: then looking a name up, opening
/// and reading wait for a server that need not answer, some of it whatever signal comes. A file that is not
/// on a disk of this machine is therefore looked for and read by a child (waiting_child.hpp), and what comes
/// back is a copy. Not for processes with threads.
[[nodiscard]] ContainerFile open_container_file(int root, const char* path,
                                                std::chrono::milliseconds patience = file_patience);

}  // namespace netlab::kernel
