#include "daemon/operations/proxy_processes.hpp"

#include "daemon/kernel/processes.hpp"

#include <algorithm>
#include <array>
#include <charconv>

namespace netlab::operations {

bool is_port_proxy(std::string_view process) {
    constexpr std::array names{"docker-proxy", "rootlessport", "rootlesskit",
                               "slirp4netns",  "pasta",        "pasta.avx2"};
    return std::ranges::find(names, process) != names.end();
}

bool only_reserves_port(std::string_view process) {
    return process == "conmon";
}

std::optional<api::Endpoint> parse_docker_proxy(std::string_view cmdline) {
    std::optional<IpAddress> address;
    std::uint16_t port = 0;
    std::string_view option;
    while (!cmdline.empty()) {
        const auto word = cmdline.substr(0, cmdline.find('\0'));
        cmdline.remove_prefix(std::min(cmdline.size(), word.size() + 1));
        if (option == "-container-ip") {
            const auto parsed = IpAddress::parse(word);
            if (parsed) address = *parsed;
        }
        if (option == "-container-port") std::from_chars(word.data(), word.data() + word.size(), port);
        option = word;
    }
    return address && port != 0 ? std::optional(api::Endpoint{*address, port}) : std::nullopt;
}

ProxyProcesses ProxyProcesses::read() {
    ProxyProcesses out;
    constexpr std::size_t most = 20'000;
    std::string name;
    std::string cmdline;
    kernel::for_each_process([&](pid_t pid, int directory) {
        constexpr std::size_t longest_name = 64;
        kernel::read_small_file(directory, "comm", longest_name, name);
        if (name != "docker-proxy\n" || out.raw_.size() == most) return;
        constexpr std::size_t longest = 4096;
        kernel::read_small_file(directory, "cmdline", longest, cmdline);
        out.raw_.emplace_back(pid, cmdline);
    });
    return out;
}

void ProxyProcesses::settle() {
    for (const auto& [pid, cmdline] : raw_) {
        if (const auto target = parse_docker_proxy(cmdline)) targets_.emplace(pid, *target);
    }
    raw_.clear();
}

std::optional<api::Endpoint> ProxyProcesses::target(std::int32_t host_pid) const {
    const auto found = targets_.find(host_pid);
    return found == targets_.end() ? std::nullopt : std::optional(found->second);
}

}  // namespace netlab::operations
