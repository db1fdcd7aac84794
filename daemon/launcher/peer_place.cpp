#include "daemon/launcher/peer_place.hpp"

#include <cerrno>
#include <string>
#include <system_error>

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace netlab::launcher {

namespace {

#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77
#endif

UniqueFd open_own(const char* path) {
    UniqueFd file(::open(path, O_RDONLY | O_CLOEXEC));
    if (!file) throw std::system_error(errno, std::generic_category(), path);
    return file;
}

/// Of a namespace's file: 0 where both are one namespace, else an errno.
int compare(int own, const std::string& path) {
    struct stat ours {};
    struct stat theirs {};
    if (::fstat(own, &ours) != 0 || ::stat(path.c_str(), &theirs) != 0)
        return errno == ENOENT ? ESRCH : errno;
    return ours.st_dev == theirs.st_dev && ours.st_ino == theirs.st_ino ? 0 : EPERM;
}

UniqueFd pidfd_of(int connection, pid_t pid) {
    int pidfd = -1;
    socklen_t size = sizeof pidfd;
    if (::getsockopt(connection, SOL_SOCKET, SO_PEERPIDFD, &pidfd, &size) == 0) return UniqueFd(pidfd);
    if (errno != ENOPROTOOPT) return {};
    return UniqueFd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
}

}  // namespace

PeerPlace::PeerPlace() : user_(open_own("/proc/self/ns/user")), pid_(open_own("/proc/self/ns/pid")) {}

int PeerPlace::check(int connection) const {
    ucred credentials{};
    socklen_t size = sizeof credentials;
    if (::getsockopt(connection, SOL_SOCKET, SO_PEERCRED, &credentials, &size) != 0) return errno;
    // The kernel has no number for it here: it is in no PID namespace below ours.
    if (credentials.pid <= 0) return EPERM;
    const auto pidfd = pidfd_of(connection, credentials.pid);
    if (!pidfd) return errno == ENODATA || errno == EINVAL ? ESRCH : errno;
    const auto folder = "/proc/" + std::to_string(credentials.pid) + "/ns/";
    if (const int other = compare(pid_.get(), folder + "pid"); other != 0) return other;
    if (const int other = compare(user_.get(), folder + "user"); other != 0) return other;
    // Only if it is still there was the PID its own all the time. A pidfd is readable from its end on; a
    // signal of number 0 would take CAP_KILL.
    pollfd ended{pidfd.get(), POLLIN, 0};
    const int ready = ::poll(&ended, 1, 0);
    if (ready < 0) return errno;
    return ready == 0 ? 0 : ESRCH;
}

}  // namespace netlab::launcher
