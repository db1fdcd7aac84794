#include "daemon/launcher/container_files.hpp"

#include <cerrno>
#include <cstdio>

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace netlab::launcher {

Result<UniqueFd> open_container_file(int root, const char* path) {
    open_how how{};
    how.flags = O_PATH | O_CLOEXEC;
    how.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;
    long opened = -1;
    // EAGAIN: somebody renamed a directory on the way; the kernel could not tell whether the root was left
    // (openat2(2)).
    for (int attempt = 0; attempt < 3; ++attempt) {
        opened = ::syscall(SYS_openat2, root, path, &how, sizeof how);
        if (opened >= 0 || errno != EAGAIN) break;
    }
    if (opened < 0) {
        const int error = errno;
        if (error == ENOENT || error == ENOTDIR || error == ELOOP) return UniqueFd();
        return system_error(errc::operation_failed, "open the container's " + std::string(path), error);
    }
    const UniqueFd location(static_cast<int>(opened));
    struct stat status {};
    if (::fstat(location.get(), &status) != 0) {
        return system_error(errc::operation_failed, "look at the container's " + std::string(path), errno);
    }
    if (!S_ISREG(status.st_mode)) return UniqueFd();
    // The descriptor is of the very file that was looked at: no name is resolved again.
    char self[32];
    std::snprintf(self, sizeof self, "/proc/self/fd/%d", location.get());
    UniqueFd file(::open(self, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK));
    if (!file)
        return system_error(errc::operation_failed, "open the container's " + std::string(path), errno);
    return file;
}

}  // namespace netlab::launcher
