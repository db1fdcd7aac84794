#include "daemon/operations/container_processes.hpp"

#include "daemon/kernel/processes.hpp"

#include <string>

#include <fcntl.h>
#include <sys/stat.h>

namespace netlab::operations {

namespace {

ino_t pid_namespace(int directory) {
    struct stat found {};
    return ::fstatat(directory, "ns/pid", &found, 0) == 0 ? found.st_ino : 0;
}

/// The namespace's number, or the cgroup's path where it is `own`; "" where neither can be read.
std::string key_of(int directory, ino_t own) {
    const auto number = pid_namespace(directory);
    if (number != 0 && number != own) return std::to_string(number);
    std::string text;
    constexpr std::size_t longest = 8192;
    kernel::read_small_file(directory, "cgroup", longest, text);
    return text;
}

}  // namespace

ContainerProcesses ContainerProcesses::read(std::span<const std::int32_t> first_processes) {
    ContainerProcesses out;
    if (first_processes.empty()) return out;
    struct stat self {};
    const ino_t own = ::stat("/proc/self/ns/pid", &self) == 0 ? self.st_ino : 0;
    std::map<std::string, std::int32_t> keys;
    for (const auto pid : first_processes) {
        const auto path = "/proc/" + std::to_string(pid);
        const UniqueFd directory(::open(path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
        if (!directory) continue;
        auto key = key_of(directory.get(), own);
        if (!key.empty()) keys.emplace(std::move(key), pid);
    }
    kernel::for_each_process([&](pid_t pid, int directory) {
        const auto found = keys.find(key_of(directory, own));
        if (found != keys.end()) out.first_.emplace(pid, found->second);
    });
    return out;
}

bool ContainerProcesses::belongs(std::int32_t host_pid, std::int32_t first_process) const {
    const auto found = first_.find(host_pid);
    return found != first_.end() && found->second == first_process;
}

}  // namespace netlab::operations
