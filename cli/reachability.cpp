#include "cli/reachability.hpp"

#include <cerrno>
#include <cstdio>
#include <memory>
#include <optional>

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
        auto directory = path.substr(0, slash);
        if (::access(directory.c_str(), X_OK) != 0) return directory;
    }
    return path;
}

using File = std::unique_ptr<FILE, int (*)(FILE*)>;

/// The entry of the user or the group in a file of `path`, by `is_wanted`. The files alone are asked: the
/// name services would have to be loaded, and a static program cannot.
template <class Entry>
std::optional<Entry> find_entry(const char* path, Entry* (*next)(FILE*), auto is_wanted) {
    const File file(std::fopen(path, "re"), std::fclose);
    while (file) {
        Entry* entry = next(file.get());
        if (!entry) break;
        if (is_wanted(*entry))
            return *entry;  // its strings are next()'s own, and live until it is called again
    }
    return std::nullopt;
}

bool names(char** members, const std::string& user) {
    for (; members && *members; ++members) {
        if (user == *members) return true;
    }
    return false;
}

SocketAccess look(const std::string& path) {
    SocketAccess access;
    access.path = what_refuses(path);
    access.user = "$USER";
    struct stat status {};
    if (::stat(access.path.c_str(), &status) != 0) return access;
    const auto user = find_entry("/etc/passwd", ::fgetpwent,
                                 [](const passwd& entry) { return entry.pw_uid == ::geteuid(); });
    if (user) access.user = user->pw_name;
    // A socket asks for the right to write, a directory for the right to pass.
    access.group_may = (status.st_mode & (S_ISDIR(status.st_mode) ? S_IXGRP : S_IWGRP)) != 0;
    access.group = std::to_string(status.st_gid);
    const auto group = find_entry("/etc/group", ::fgetgrent,
                                  [&](const ::group& entry) { return entry.gr_gid == status.st_gid; });
    if (group) access.group = group->gr_name;
    access.in_database = group && names(group->gr_mem, access.user);
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
