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

ProxyArguments parse_proxy_arguments(std::string_view cmdline) {
    ProxyArguments out;
    const auto address = [](std::string_view word) {
        const auto parsed = IpAddress::parse(word);
        return parsed ? std::optional(*parsed) : std::nullopt;
    };
    const auto port = [](std::string_view word) {
        std::uint16_t number = 0;
        std::from_chars(word.data(), word.data() + word.size(), number);
        return number;
    };
    std::string_view option;
    while (!cmdline.empty()) {
        const auto word = cmdline.substr(0, cmdline.find('\0'));
        cmdline.remove_prefix(std::min(cmdline.size(), word.size() + 1));
        if (option == "-proto") out.protocol = word;
        if (option == "-host-ip") out.host = address(word);
        if (option == "-host-port") out.host_port = port(word);
        if (option == "-container-ip") out.container = address(word);
        if (option == "-container-port") out.container_port = port(word);
        option = word;
    }
    return out;
}

std::optional<api::Endpoint> parse_docker_proxy(std::string_view cmdline) {
    const auto found = parse_proxy_arguments(cmdline);
    if (!found.container || found.container_port == 0) return std::nullopt;
    return api::Endpoint{*found.container, found.container_port};
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
        auto arguments = parse_proxy_arguments(cmdline);
        if (!arguments.container || arguments.container_port == 0) continue;
        targets_.emplace(pid, api::Endpoint{*arguments.container, arguments.container_port});
        arguments_.push_back(std::move(arguments));
    }
    raw_.clear();
}

std::optional<api::Endpoint> ProxyProcesses::target(std::int32_t host_pid) const {
    const auto found = targets_.find(host_pid);
    return found == targets_.end() ? std::nullopt : std::optional(found->second);
}

std::vector<api::Endpoint> ProxyProcesses::leading_from(std::string_view protocol,
                                                        const api::Endpoint& host) const {
    std::vector<api::Endpoint> out;
    for (const auto& one : arguments_) {
        const bool there =
            one.host && (*one.host == host.address ||
                         (one.host->is_unspecified() && one.host->family() == host.address.family()));
        if (there && one.protocol == protocol && one.host_port == host.port)
            out.push_back({*one.container, one.container_port});
    }
    return out;
}

}  // namespace netlab::operations
