#include "daemon/kernel/container_file.hpp"

#include "daemon/kernel/waiting_child.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <optional>

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace netlab::kernel {

namespace {

/// Only finds it: a FIFO does not wait, a device does nothing. Empty with errno.
UniqueFd locate(int root, const char* path, std::uint64_t more_flags = 0, std::uint64_t more_resolve = 0) {
    open_how how{};
    how.flags = O_PATH | O_CLOEXEC | more_flags;
    how.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS | more_resolve;
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

ContainerFile open_located(const UniqueFd& location, FileLook look) {
    if (!S_ISREG(look.mode)) {
        look.state = FileState::special;
        return {look, {}};
    }
    // The descriptor is of the very file that was looked at: no name is resolved again.
    char self[32];
    std::snprintf(self, sizeof self, "/proc/self/fd/%d", location.get());
    UniqueFd file(::open(self, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK));
    if (!file) return {{FileState::refused, look.mode, errno}, {}};
    look.state = FileState::regular;
    return {look, std::move(file)};
}

/// Waits for no server: nothing but what is in the kernel's name cache, and no attribute that would have to
/// be asked for. Empty where that does not suffice.
std::optional<ContainerFile> open_on_disk(int root, const char* path) {
    const auto location = locate(root, path, 0, RESOLVE_CACHED);
    if (!location) return std::nullopt;
    struct statx status {};
    if (::statx(location.get(), "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_TYPE | STATX_MODE, &status) !=
        0)
        return std::nullopt;
    // File systems without a device of their own, FUSE and NFS among them, have major number 0
    // (get_anon_bdev() in fs/super.c).
    if (status.stx_dev_major == 0 || !S_ISREG(status.stx_mode)) return std::nullopt;
    return open_located(location, {FileState::unknown, status.stx_mode, 0});
}

ContainerFile open_at_any_cost(int root, const char* path) {
    const auto location = locate(root, path);
    if (!location) return {not_found(root, path, errno), {}};
    struct stat status {};
    if (::fstat(location.get(), &status) != 0) return {{FileState::refused, 0, errno}, {}};
    return open_located(location, {FileState::unknown, status.st_mode, 0});
}

/// False where it cannot be read; errno says why.
bool copy_beginning(int from, int into) {
    std::array<char, 16 * 1024> buffer;
    std::size_t done = 0;
    while (done < ContainerFile::copied) {
        const auto size = std::min(buffer.size(), ContainerFile::copied - done);
        const auto got = ::pread(from, buffer.data(), size, static_cast<off_t>(done));
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return false;
        if (got == 0) break;
        if (::pwrite(into, buffer.data(), static_cast<std::size_t>(got), static_cast<off_t>(done)) != got)
            return false;
        done += static_cast<std::size_t>(got);
    }
    return true;
}

/// Which file system is likely to be waited for: the container's.
std::uint64_t place_of(int root) {
    struct statx status {};
    if (::statx(root, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_INO, &status) != 0) return 0;
    return (std::uint64_t{status.stx_dev_major} << 52U) ^ (std::uint64_t{status.stx_dev_minor} << 32U) ^
           status.stx_ino;
}

ContainerFile open_by_child(int root, const char* path, std::chrono::milliseconds patience) {
    const auto refused = [](int error) { return ContainerFile{{FileState::refused, 0, error}, {}}; };
    UniqueFd copy(::memfd_create("container file", MFD_CLOEXEC));
    const UniqueFd report(::memfd_create("what it is", MFD_CLOEXEC));
    if (!copy || !report) return refused(errno);
    const std::array kept{root, copy.get(), report.get()};
    const int error = run_in_child(place_of(root), patience, kept, [&] {
        auto found = open_at_any_cost(root, path);
        if (found.file && !copy_beginning(found.file.get(), copy.get()))
            found.look = {FileState::refused, found.look.mode, errno};
        static_cast<void>(::pwrite(report.get(), &found.look, sizeof found.look, 0));
    });
    if (error == ETIMEDOUT) return {{FileState::silent, 0, 0}, {}};
    if (error != 0) return refused(error);
    FileLook look;
    if (::pread(report.get(), &look, sizeof look, 0) != sizeof look) return refused(EIO);
    if (look.state != FileState::regular) copy.reset();
    return {look, std::move(copy)};
}

}  // namespace

ContainerFile open_container_file(int root, const char* path, std::chrono::milliseconds patience) {
    if (auto found = open_on_disk(root, path)) return std::move(*found);
    return open_by_child(root, path, patience);
}

}  // namespace netlab::kernel
