#include "daemon/operations/docker_process.hpp"

#include "daemon/kernel/container_file.hpp"
#include "daemon/kernel/sock_diag.hpp"
#include "daemon/operations/container_text.hpp"

#include <chrono>

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

namespace netlab::operations {

namespace {

constexpr std::string_view name_of_dockerd = "dockerd\n";

std::string comm_of(int directory) {
    std::string name;
    constexpr std::size_t longest = 64;
    kernel::read_small_file(directory, "comm", longest, name);
    return name;
}

/// Who called listen(2) on the socket's other end: 0 where that cannot be known. With socket activation it
/// was the service manager.
pid_t listener_of(int socket) {
    ucred credentials{};
    socklen_t length = sizeof credentials;
    if (socket < 0 || ::getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &credentials, &length) != 0) return 0;
    return credentials.pid;
}

/// The inode of the socket that the engine has for this connection: 0 where it does not accept it in time.
std::uint64_t accepted_socket(int socket) {
    const auto diag = kernel::open_sock_diag_socket();
    if (socket < 0 || !diag) return 0;
    constexpr std::chrono::milliseconds patience{100};
    const auto until = std::chrono::steady_clock::now() + patience;
    for (;;) {
        const auto inode = kernel::unix_peer_inode(diag->get(), socket);
        if (!inode || *inode != 0 || std::chrono::steady_clock::now() >= until) return inode ? *inode : 0;
        ::usleep(500);
    }
}

std::optional<std::string> text_of(const UniqueFd& file) {
    if (!file) return std::nullopt;
    auto content = read_container_text(file.get());
    return content ? std::optional(std::move(content->text)) : std::nullopt;
}

}  // namespace

DockerProcess::DockerProcess(int engine_socket) {
    const auto listener = listener_of(engine_socket);
    if (listener > 1) {
        const auto path = "/proc/" + std::to_string(listener);
        const UniqueFd directory(::open(path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
        if (directory && comm_of(directory.get()) == name_of_dockerd) {
            look_at(listener, directory.get());
            return;
        }
    }
    const auto accepted = accepted_socket(engine_socket);
    if (accepted == 0) return;
    kernel::for_each_process([&](pid_t pid, int directory) {
        if (!found_ && comm_of(directory) == name_of_dockerd && kernel::holds_socket(directory, accepted))
            look_at(pid, directory);
    });
}

void DockerProcess::look_at(pid_t pid, int directory) {
    found_ = true;
    holders_.add(pid, directory);
    constexpr std::size_t longest = 64 * 1024;
    kernel::read_small_file(directory, "cmdline", longest, cmdline_);
    // It may run in a container of its own.
    const UniqueFd root(::openat(directory, "root", O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (!root) return;
    const auto open = [&](const char* path) { return kernel::open_container_file(root.get(), path); };
    auto json = open(parse_dockerd_arguments(cmdline_).config_file.c_str());
    daemon_json_missing_ = json.look.state == kernel::FileState::missing;
    daemon_json_ = std::move(json.file);
    resolv_conf_ = open("/etc/resolv.conf").file;
    systemd_resolv_conf_ = open("/run/systemd/resolve/resolv.conf").file;
}

void DockerProcess::settle() {
    holders_.settle();
}

void DockerProcess::tell(UpstreamSources& sources) const {
    if (!found_) return;
    sources.arguments = parse_dockerd_arguments(cmdline_);
    sources.daemon_json = daemon_json_missing_ ? std::string() : text_of(daemon_json_);
    sources.host_resolv_conf = text_of(resolv_conf_);
    sources.host_systemd_resolv_conf = text_of(systemd_resolv_conf_);
}

}  // namespace netlab::operations
