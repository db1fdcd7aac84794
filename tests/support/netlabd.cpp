#include "tests/support/netlabd.hpp"

#include "common/unique_fd.hpp"

#include <cstring>
#include <filesystem>
#include <fstream>
#include <stdexcept>

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

namespace netlab::support {

namespace {

namespace fs = std::filesystem;

UniqueFd connect_to(const std::string& path) {
    UniqueFd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) return {};
    return socket;
}

std::string first_line(const fs::path& path) {
    std::ifstream file(path);
    std::string line;
    std::getline(file, line);
    return line;
}

std::string list(const std::string& socket) {
    return socket.empty() ? "[]" : "[\"unix://" + socket + "\"]";
}

pid_t parent_of(pid_t pid) {
    const auto text = process_status(pid, "PPid");
    return text.empty() ? 0 : std::stoi(text);
}

template <class Visit>
void each_process(Visit visit) {
    std::error_code error;
    for (const auto& entry : fs::directory_iterator("/proc", error)) {
        const auto name = entry.path().filename().string();
        if (name.find_first_not_of("0123456789") == name.npos)
            visit(std::stoi(name), first_line(entry.path() / "comm"));
    }
}

}  // namespace

std::string process_status(pid_t pid, std::string_view name) {
    std::ifstream file("/proc/" + std::to_string(pid) + "/status");
    for (std::string line; std::getline(file, line);) {
        if (!line.starts_with(std::string(name) + ":")) continue;
        const auto value = line.find_first_not_of(" \t", name.size() + 1);
        return value == line.npos ? "" : line.substr(value);
    }
    return {};
}

Daemon::Daemon(const DaemonSettings& settings) {
    static int count = 0;
    folder_ = "/tmp/netlab-test-" + std::to_string(::getpid()) + "-" + std::to_string(++count);
    fs::create_directories(folder_);
    fs::permissions(folder_, settings.prefix.empty() ? fs::perms(0755) : fs::perms(0777));
    std::ofstream(folder_ + "/netlabd.toml")
        << "[listen]\nsocket = \"" << socket() << "\"\ngroup = \"" << settings.group
        << "\"\n[engines]\ndocker = " << list(settings.docker_socket)
        << "\npodman = " << list(settings.podman_socket) << "\nnetns_dirs = [\"" << settings.netns_dir
        << "\"]\n[process]\nuser = \"nobody\"\n"
        << settings.extra_config;
    Words words;
    if (!settings.network_namespace.empty())
        words = {"nsenter", "--net=/run/netns/" + settings.network_namespace};
    words.insert(words.end(), settings.prefix.begin(), settings.prefix.end());
    words.insert(words.end(), {NETLABD_PATH, "--config", folder_ + "/netlabd.toml"});
    process_ = std::make_unique<Process>(words, settings.environment);
    if (!eventually([&] { return !process_->running() || connect_to(socket()); }, std::chrono::seconds(10)) ||
        !process_->running()) {
        const auto log = process_->err_so_far();
        throw std::runtime_error("netlabd does not start: " + log);
    }
}

Daemon::~Daemon() {
    process_.reset();
    std::error_code error;
    fs::remove_all(folder_, error);
}

pid_t Daemon::child(std::string_view comm) const {
    pid_t found = 0;
    each_process([&](pid_t candidate, const std::string& name) {
        if (name == comm && parent_of(candidate) == pid()) found = candidate;
    });
    return found;
}

std::vector<pid_t> Daemon::workers(std::string_view comm) const {
    const auto launcher = child("nl:launcher");
    std::vector<pid_t> found;
    each_process([&](pid_t candidate, const std::string& name) {
        if (name != comm) return;
        const auto parent = parent_of(candidate);
        // A worker whose launcher was killed hangs below the supervisor.
        if (parent == launcher || parent == pid()) found.push_back(candidate);
    });
    return found;
}

std::map<std::string, std::string> Daemon::environment() const {
    return {{"NETLAB_HOST", "unix://" + socket()}};
}

Finished Daemon::netlab(const Words& words) const {
    return start_netlab(words).wait();
}

Process Daemon::start_netlab(const Words& words) const {
    Words all{NETLAB_PATH};
    all.insert(all.end(), words.begin(), words.end());
    return Process(all, environment());
}

std::string Daemon::raw(std::string_view bytes, std::chrono::milliseconds patience) const {
    const auto connection = connect_to(socket());
    if (!connection) throw std::runtime_error("cannot connect to " + socket());
    while (!bytes.empty()) {
        const auto sent = ::send(connection.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
        if (sent < 0) break;  // it has hung up: what it said first is what matters
        bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
    std::string answer;
    const auto until = std::chrono::steady_clock::now() + patience;
    for (;;) {
        const auto left =
            std::chrono::duration_cast<std::chrono::milliseconds>(until - std::chrono::steady_clock::now());
        pollfd waiting{connection.get(), POLLIN, 0};
        if (left.count() <= 0 || ::poll(&waiting, 1, static_cast<int>(left.count())) <= 0) return answer;
        char buffer[4096];
        const auto size = ::recv(connection.get(), buffer, sizeof buffer, 0);
        if (size <= 0) return answer;
        answer.append(buffer, static_cast<std::size_t>(size));
    }
}

}  // namespace netlab::support
