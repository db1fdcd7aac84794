#include "daemon/listener.hpp"

#include <cerrno>
#include <cstring>
#include <optional>

#include <fcntl.h>
#include <grp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

namespace netlab {

namespace {

Result<sockaddr_un> socket_address(const std::string& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.size() >= sizeof address.sun_path) {
        return Error{errc::bad_request, "socket path " + path + " is too long", "107 bytes at most", {}};
    }
    std::memcpy(address.sun_path, path.data(), path.size());
    return address;
}

const sockaddr* generic(const sockaddr_un& address) {
    return reinterpret_cast<const sockaddr*>(&address);
}

Result<Listener> take_from_systemd(int count) {
    if (count > 1) return Error{errc::bad_request, "systemd hands over more than one socket", {}, {}};
    Listener listener;
    listener.socket.reset(SD_LISTEN_FDS_START);
    listener.from_systemd = true;
    if (::sd_is_socket_unix(SD_LISTEN_FDS_START, SOCK_STREAM, 1, nullptr, 0) <= 0) {
        return Error{errc::bad_request,
                     "systemd's socket is not a listening Unix stream socket",
                     "see netlabd.socket",
                     {}};
    }
    return listener;
}

Result<void> remove_dead_socket(const std::string& path, const sockaddr_un& address) {
    struct stat status {};
    if (::lstat(path.c_str(), &status) != 0) return {};
    if (!S_ISSOCK(status.st_mode)) {
        return Error{errc::bad_request,
                     path + " exists and is not a socket",
                     "remove it, or set another [listen] socket",
                     {}};
    }
    const UniqueFd probe(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (::connect(probe.get(), generic(address), sizeof address) == 0 || errno == EAGAIN) {
        return Error{
            errc::busy, "another netlabd serves " + path, "end it first, or set another [listen] socket", {}};
    }
    if (::unlink(path.c_str()) != 0)
        return system_error(errc::operation_failed, "replace the socket " + path, errno);
    return {};
}

std::optional<gid_t> group_id(const std::string& name) {
    const group* found = ::getgrnam(name.c_str());
    if (found == nullptr) return std::nullopt;
    return found->gr_gid;
}

Result<Listener> bind_listener(const Config::Listen& config) {
    const auto address = socket_address(config.socket);
    if (!address) return address.error();
    const auto directory = config.socket.substr(0, config.socket.rfind('/'));
    if (!directory.empty()) {
        // The umask is not to decide who reaches the socket.
        if (::mkdir(directory.c_str(), 0755) == 0) {
            ::chmod(directory.c_str(), 0755);
        } else if (errno != EEXIST) {
            return system_error(errc::operation_failed, "make the directory " + directory, errno);
        }
    }
    if (auto removed = remove_dead_socket(config.socket, *address); !removed) return removed.error();
    Listener listener;
    listener.socket.reset(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    // Nobody gets in before owner and mode are as configured.
    const mode_t before = ::umask(0777);
    const int bound = ::bind(listener.socket.get(), generic(*address), sizeof *address);
    const int error = errno;
    ::umask(before);
    if (bound != 0) return system_error(errc::operation_failed, "bind " + config.socket, error);
    if (const auto gid = group_id(config.group)) {
        if (::lchown(config.socket.c_str(), static_cast<uid_t>(-1), *gid) != 0) {
            return system_error(errc::operation_failed, "give " + config.socket + " to group " + config.group,
                                errno);
        }
    } else {
        listener.warning =
            "there is no group '" + config.group + "': only the daemon's own user can use " + config.socket;
    }
    if (::chmod(config.socket.c_str(), config.mode) != 0) {
        return system_error(errc::operation_failed, "set the mode of " + config.socket, errno);
    }
    if (::listen(listener.socket.get(), SOMAXCONN) != 0) {
        return system_error(errc::operation_failed, "listen on " + config.socket, errno);
    }
    return listener;
}

}  // namespace

Result<void> check_socket_path(const std::string& path) {
    if (const auto address = socket_address(path); !address) return address.error();
    return {};
}

Result<Listener> open_listener(const Config::Listen& config) {
    const int count = ::sd_listen_fds(1);
    if (count < 0) return system_error(errc::operation_failed, "take systemd's socket", -count);
    if (count > 0) return take_from_systemd(count);
    return bind_listener(config);
}

}  // namespace netlab
