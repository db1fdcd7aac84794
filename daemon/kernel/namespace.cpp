#include "daemon/kernel/namespace.hpp"

#include "daemon/kernel/pidfd.hpp"

#include <array>
#include <cerrno>
#include <charconv>
#include <string>

#include <fcntl.h>
#include <linux/magic.h>
#include <linux/nsfs.h>
#include <poll.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/vfs.h>

namespace netlab::kernel {

namespace {

Error gone(std::string message) {
    return {errc::target_gone, std::move(message), {}, {}};
}

Error no_process(pid_t pid) {
    return {errc::no_such_target, "no process has the PID " + std::to_string(pid), {}, {}};
}

Error process_ended(pid_t pid) {
    return gone("process " + std::to_string(pid) + " has ended");
}

bool absent(int error_number) {
    return error_number == ENOENT || error_number == ENOTDIR || error_number == ESRCH ||
           error_number == ENXIO;
}

Result<void> check_is_network_namespace(int fd, const std::string& what) {
    if (::ioctl(fd, NS_GET_NSTYPE) != CLONE_NEWNET) return gone(what + " is not a network namespace");
    return {};
}

Result<std::string> read_small_file(int directory, const char* name) {
    const UniqueFd file(::openat(directory, name, O_RDONLY | O_CLOEXEC));
    if (!file) return system_error(errc::operation_failed, name, errno);
    std::array<char, 4096> buffer;
    const auto got = ::read(file.get(), buffer.data(), buffer.size());
    if (got < 0) return system_error(errc::operation_failed, name, errno);
    return std::string(buffer.data(), static_cast<std::size_t>(got));
}

bool is_alive(int pidfd) {
    pollfd ended{pidfd, POLLIN, 0};
    return ::poll(&ended, 1, 0) == 0;
}

}  // namespace

Result<UniqueFd> open_namespace(const char* path) {
    const std::string what(path);
    // O_PATH first: opening for reading could block (a FIFO) or do something (a device).
    const UniqueFd place(::open(path, O_PATH | O_CLOEXEC));
    if (!place) {
        const int error_number = errno;
        if (absent(error_number)) return gone(what + " does not exist");
        return system_error(errc::operation_failed, "open " + what, error_number);
    }
    struct statfs file_system {};
    if (::fstatfs(place.get(), &file_system) != 0) {
        return system_error(errc::operation_failed, "look at " + what, errno);
    }
    if (file_system.f_type != NSFS_MAGIC) return gone(what + " is not a network namespace");
    const auto magic_link = "/proc/self/fd/" + std::to_string(place.get());
    UniqueFd fd(::open(magic_link.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK));
    if (!fd) return system_error(errc::operation_failed, "open " + what, errno);
    if (auto result = check_is_network_namespace(fd.get(), what); !result) return result.error();
    return fd;
}

Result<UniqueFd> open_own_namespace() {
    return open_namespace("/proc/thread-self/ns/net");
}

Result<NamespaceIdentity> identity_of(int namespace_fd) {
    struct stat status {};
    if (::fstat(namespace_fd, &status) != 0) {
        return system_error(errc::operation_failed, "identify a network namespace", errno);
    }
    return NamespaceIdentity{status.st_dev, status.st_ino};
}

Result<ProcessNamespace> open_process_namespace(pid_t pid, std::uint64_t start_time) {
    ProcessNamespace opened;
    opened.pidfd = UniqueFd(pid > 0 ? ::pidfd_open(pid, 0) : -1);
    if (!opened.pidfd) {
        const int error_number = pid > 0 ? errno : ESRCH;
        // EINVAL: the number of a thread that is not its process' first.
        if (error_number == ESRCH || error_number == EINVAL) return no_process(pid);
        return system_error(errc::operation_failed, "open process " + std::to_string(pid), error_number);
    }
    const auto directory = "/proc/" + std::to_string(pid);
    opened.process = UniqueFd(::open(directory.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (!opened.process) return no_process(pid);
    opened.net =
        UniqueFd(::openat(opened.process.get(), "ns/net", O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK));
    if (!opened.net) {
        const int error_number = errno;
        if (absent(error_number)) return process_ended(pid);
        return system_error(errc::operation_failed,
                            "open the network namespace of process " + std::to_string(pid), error_number);
    }
    if (auto result = check_is_network_namespace(opened.net.get(), directory + "/ns/net"); !result) {
        return result.error();
    }
    const auto stat = read_small_file(opened.process.get(), "stat");
    // Only now: it was alive all the while, so the number in the path was its own.
    if (!is_alive(opened.pidfd.get()) || !stat) return process_ended(pid);
    const auto started = parse_start_time(*stat);
    if (!started) return Error{errc::operation_failed, "cannot read " + directory + "/stat", {}, {}};
    opened.start_time = *started;
    if (start_time != 0 && start_time != opened.start_time) return process_ended(pid);
    return opened;
}

std::optional<std::uint64_t> parse_start_time(std::string_view stat) {
    const auto name_end = stat.rfind(')');
    if (name_end == stat.npos) return std::nullopt;
    auto rest = stat.substr(name_end + 1);
    // What follows the name begins with a space and field 3.
    constexpr int first_field = 3;
    constexpr int wanted = 22;
    for (int field = first_field; field <= wanted; ++field) {
        if (rest.empty() || rest.front() != ' ') return std::nullopt;
        rest.remove_prefix(1);
        if (field < wanted) rest.remove_prefix(std::min(rest.find(' '), rest.size()));
    }
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), value);
    const auto* last = rest.data() + rest.size();
    if (error != std::errc{} || (end != last && *end != ' ' && *end != '\n')) return std::nullopt;
    return value;
}

}  // namespace netlab::kernel
