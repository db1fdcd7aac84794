#include "daemon/kernel/namespace.hpp"

#include "common/descriptor_message.hpp"
#include "daemon/kernel/container_file.hpp"
#include "daemon/kernel/pidfd.hpp"
#include "daemon/kernel/waiting_child.hpp"

#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <functional>
#include <string>

#include <fcntl.h>
#include <linux/nsfs.h>
#include <linux/openat2.h>
#include <poll.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

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

/// Without asking whoever serves its file system, if somebody does.
bool is_namespace_file(int file) {
    struct statx own {};
    struct statx status {};
    // All of them are files of one file system, nsfs, which is nobody else's.
    if (::statx(AT_FDCWD, "/proc/thread-self/ns/net", 0, STATX_TYPE, &own) != 0) return false;
    return ::statx(file, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_TYPE, &status) == 0 &&
           status.stx_dev_major == own.stx_dev_major && status.stx_dev_minor == own.stx_dev_minor;
}

struct Found {
    UniqueFd file;  ///< O_PATH
    int error = 0;  ///< where there is none: an errno; 0 where it is no namespace's
};

/// Only finds it: opening could block (a FIFO) or do something (a device).
Found find(const char* path, std::uint64_t resolve) {
    open_how how{};
    how.flags = O_PATH | O_CLOEXEC;
    how.resolve = resolve;
    UniqueFd file(static_cast<int>(::syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof how)));
    if (!file) return {{}, errno};
    if (!is_namespace_file(file.get())) file.reset();
    return {std::move(file), 0};
}

void hand_over(int socket, const Found& found) {
    static_cast<void>(send_with_descriptor(socket, std::as_bytes(std::span(&found.error, 1)),
                                           found.file ? found.file.get() : -1, MSG_NOSIGNAL));
}

Found take_over(int socket) {
    Found found{{}, EIO};
    iovec part{&found.error, sizeof found.error};
    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    if (::recvmsg(socket, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC) != sizeof found.error) return found;
    const auto* header = CMSG_FIRSTHDR(&message);
    if (header == nullptr || header->cmsg_type != SCM_RIGHTS) return found;
    int descriptor = -1;
    std::memcpy(&descriptor, CMSG_DATA(header), sizeof descriptor);
    found.file.reset(descriptor);
    return found;
}

/// By a child, for its file system may have to be waited for.
Found find_by_child(const std::string& path) {
    std::array<int, 2> ends{};
    if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) != 0) return {{}, errno};
    const UniqueFd ours(ends[0]);
    const UniqueFd childs(ends[1]);
    const std::array kept{childs.get()};
    const auto directory = path.substr(0, path.rfind('/') + 1);
    const int error = run_in_child(std::hash<std::string>()(directory), file_patience, kept,
                                   [&] { hand_over(childs.get(), find(path.c_str(), 0)); });
    return error == 0 ? take_over(ours.get()) : Found{{}, error};
}

/// Waits for nobody who serves a file system longer than file_patience.
Result<UniqueFd> find_namespace_file(const std::string& path) {
    auto found = find(path.c_str(), RESOLVE_CACHED);
    if (found.error == EAGAIN) found = find_by_child(path);
    if (found.file) return std::move(found.file);
    if (found.error == 0) return gone(path + " is not a network namespace");
    if (absent(found.error)) return gone(path + " does not exist");
    if (found.error == ETIMEDOUT)
        return Error{errc::operation_failed, path + " is on a file system that does not answer", {}, {}};
    return system_error(errc::operation_failed, "open " + path, found.error);
}

}  // namespace

Result<UniqueFd> open_namespace(const char* path) {
    const std::string what(path);
    const auto place = find_namespace_file(what);
    if (!place) return place.error();
    const auto magic_link = "/proc/self/fd/" + std::to_string(place->get());
    UniqueFd fd(::open(magic_link.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK));
    if (!fd) return system_error(errc::operation_failed, "open " + what, errno);
    if (auto result = check_is_network_namespace(fd.get(), what); !result) return result.error();
    return fd;
}

Result<UniqueFd> open_own_namespace() {
    UniqueFd fd(::open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC));
    if (!fd) return system_error(errc::operation_failed, "open the thread's own namespace", errno);
    return fd;
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
