#include "cli/reachability.hpp"

#include <algorithm>
#include <cerrno>
#include <vector>

#include <grp.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

namespace netlab::cli {

namespace {

constexpr std::string_view default_path = "/run/netlab/netlabd.sock";

std::string start_command() {
    struct stat status {};
    if (::stat("/run/systemd/system", &status) == 0) return "start it: systemctl start netlabd";
    return "start it: netlabd --config /etc/netlab/netlabd.toml";
}

/// The first directory on the way to `path` that this process may not pass, or `path` itself.
std::string what_refuses(const std::string& path) {
    for (auto slash = path.find('/', 1); slash != std::string::npos; slash = path.find('/', slash + 1)) {
        const auto directory = path.substr(0, slash);
        if (::access(directory.c_str(), X_OK) != 0) return directory;
    }
    return path;
}

bool is_member(const passwd& user, gid_t group) {
    int count = 256;
    std::vector<gid_t> groups(static_cast<std::size_t>(count));
    if (::getgrouplist(user.pw_name, user.pw_gid, groups.data(), &count) < 0) return false;
    groups.resize(static_cast<std::size_t>(count));
    return std::ranges::count(groups, group) > 0;
}

SocketAccess look(const std::string& path) {
    SocketAccess access;
    access.path = what_refuses(path);
    struct stat status {};
    const passwd* user = ::getpwuid(::geteuid());
    access.user = user ? user->pw_name : "$USER";
    if (::stat(access.path.c_str(), &status) != 0) return access;
    // A socket asks for the right to write, a directory for the right to pass.
    access.group_may = (status.st_mode & (S_ISDIR(status.st_mode) ? S_IXGRP : S_IWGRP)) != 0;
    access.in_database = user && is_member(*user, status.st_gid);
    const group* group = ::getgrgid(status.st_gid);
    access.group = group ? group->gr_name : std::to_string(status.st_gid);
    return access;
}

}  // namespace

Error no_permission(const SocketAccess& access) {
    const auto denied = [](std::string message, std::string hint) -> Error {
        return {errc::permission_denied, std::move(message), std::move(hint), {}};
    };
    if (access.group.empty()) return denied("no permission on " + access.path, "try sudo");
    // Nobody is told to join root's group.
    if (!access.group_may || access.group == "root") {
        return denied("no permission on " + access.path + ": it is open to its owner only",
                      "try sudo, or set group and mode of [listen] in netlabd.toml");
    }
    const auto message = "no permission on " + access.path + ": it is open to group " + access.group;
    if (access.in_database) {
        return denied(message,
                      "you have joined it since you logged in: log in again, or run newgrp " + access.group);
    }
    return denied(message, "sudo usermod -aG " + access.group + " " + access.user + ", then log in again");
}

Error unreachable(const std::string& path, int error_number) {
    const std::string start =
        path == default_path ? start_command() : start_command() + ", or see -H and NETLAB_HOST";
    switch (error_number) {
        case ENOENT:
        case ENOTDIR:
            return {
                errc::daemon_unreachable, "netlabd is not running (no socket at " + path + ")", start, {}};
        case ECONNREFUSED:
            return {errc::daemon_unreachable,
                    "netlabd is not running (nobody listens on " + path + ")",
                    start,
                    {}};
        case EACCES:
        case EPERM:
            return no_permission(look(path));
        default:
            return system_error(errc::daemon_unreachable, "connect to " + path, error_number);
    }
}

}  // namespace netlab::cli
