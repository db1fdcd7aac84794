#include "daemon/kernel/container_file.hpp"

#include <cerrno>
#include <cstdio>

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace netlab::kernel {

namespace {

/// Only finds it: a FIFO does not wait, a device does nothing. Empty with errno.
UniqueFd locate(int root, const char* path, std::uint64_t more_flags) {
    open_how how{};
    how.flags = O_PATH | O_CLOEXEC | more_flags;
    how.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;
    long opened = -1;
    // EAGAIN: somebody renamed a directory on the way; the kernel could not tell whether the root was left
    // (openat2(2)).
    for (int attempt = 0; attempt < 3; ++attempt) {
        opened = ::syscall(SYS_openat2, root, path, &how, sizeof how);
        if (opened >= 0 || errno != EAGAIN) break;
    }
    return UniqueFd(static_cast<int>(opened));
}

FileLook not_found(int root, const char* path, int error) {
    if (error == ELOOP) return {FileState::loop, 0, 0};
    if (error != ENOENT && error != ENOTDIR) return {FileState::refused, 0, error};
    return {locate(root, path, O_NOFOLLOW) ? FileState::dangling : FileState::missing, 0, 0};
}

}  // namespace

ContainerFile open_container_file(int root, const char* path) {
    const auto location = locate(root, path, 0);
    if (!location) return {not_found(root, path, errno), {}};
    struct stat status {};
    if (::fstat(location.get(), &status) != 0) return {{FileState::refused, 0, errno}, {}};
    if (!S_ISREG(status.st_mode)) return {{FileState::special, status.st_mode, 0}, {}};
    // The descriptor is of the very file that was looked at: no name is resolved again.
    char self[32];
    std::snprintf(self, sizeof self, "/proc/self/fd/%d", location.get());
    UniqueFd file(::open(self, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK));
    if (!file) return {{FileState::refused, status.st_mode, errno}, {}};
    return {{FileState::regular, status.st_mode, 0}, std::move(file)};
}

}  // namespace netlab::kernel
