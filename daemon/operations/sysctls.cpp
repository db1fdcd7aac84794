#include "common/api/sysctls.hpp"

#include "daemon/kernel/processes.hpp"
#include "daemon/operations/inspection.hpp"
#include "daemon/operations/sysctl_table.hpp"

#include <unordered_map>

#include <fcntl.h>
#include <unistd.h>

/// `netlab sysctls`: /proc/sys/net, which shows the namespace of the task that opens it. Of a hundred targets
/// it is ten thousand files, more than a worker may have open: so they are read where they are opened, and
/// looked at only when nothing is allowed any more.
namespace netlab::operations::sysctls {

namespace {

struct Raw {
    std::string path;
    std::string_view standard;
    bool host = false;
    std::string text;
};

using Settings = std::vector<Raw>;

struct Handles {
    std::vector<Result<Settings>> targets;
    std::unordered_map<std::string_view, std::string> host;  ///< text by path
};

constexpr std::size_t longest = 512;

/// False where there is none in this namespace, or nothing to be read from it.
bool read_setting(int net, const std::string& path, std::string& text) {
    const UniqueFd file(::openat(net, path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!file) return false;
    text.resize(longest);
    const auto size = ::read(file.get(), text.data(), text.size());
    if (size < 0) return false;
    text.resize(static_cast<std::size_t>(size));
    return true;
}

void read_interfaces(int net, const std::string& conf, std::span<const Sysctl> table, Settings& settings) {
    const UniqueFd directory(::openat(net, conf.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!directory) return;
    kernel::DirectoryReader names(directory.get());
    std::string text;
    for (std::string_view name = names.next(); !name.empty(); name = names.next()) {
        if (name == "." || name == "..") continue;
        for (const auto& sysctl : table) {
            const auto below = std::string(name) + "/" + std::string(sysctl.path);
            if (!read_setting(directory.get(), below, text)) continue;
            settings.push_back({conf + "/" + below, interface_default(sysctl, name), false, text});
        }
    }
}

Result<Settings> read_settings(std::size_t) {
    const UniqueFd net(::open("/proc/sys/net", O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (!net) return system_error(errc::operation_failed, "open /proc/sys/net", errno);
    Settings settings;
    std::string text;
    for (const auto& sysctl : namespace_sysctls()) {
        std::string path(sysctl.path);
        if (!read_setting(net.get(), path, text)) continue;
        settings.push_back({std::move(path), sysctl.standard, sysctl.host, text});
    }
    read_interfaces(net.get(), "ipv4/conf", ipv4_interface_sysctls(), settings);
    read_interfaces(net.get(), "ipv6/conf", ipv6_interface_sysctls(), settings);
    return settings;
}

Result<Handles> prepare(Namespaces& namespaces, const api::SysctlsRequest&, const api::Context& context) {
    Handles handles;
    // In the daemon's own namespace: it has entered no other yet.
    const UniqueFd net(::open("/proc/sys/net", O_PATH | O_DIRECTORY | O_CLOEXEC));
    for (const auto& sysctl : namespace_sysctls()) {
        std::string text;
        if (sysctl.host && net && read_setting(net.get(), std::string(sysctl.path), text))
            handles.host.emplace(sysctl.path, std::move(text));
    }
    handles.targets = open_in_each(namespaces, 0, context.targets.size(), read_settings);
    return handles;
}

Result<void> run(Handles& handles, const api::SysctlsRequest& request, const api::Context& context,
                 Output& output) {
    return inspect_each(context, output, [&](std::size_t i, Rows& rows) -> Result<void> {
        if (!handles.targets[i]) return handles.targets[i].error();
        for (const auto& raw : *handles.targets[i]) {
            api::SysctlRow row;
            row.target = context.targets[i].name;
            row.name = sysctl_name(raw.path);
            row.value = sysctl_value(raw.text);
            if (raw.host) {
                if (const auto found = handles.host.find(raw.path); found != handles.host.end()) {
                    row.default_ = sysctl_value(found->second);
                    row.default_from = api::SysctlDefault::host;
                }
            } else if (!raw.path.ends_with("nf_conntrack_count")) {
                row.default_ = std::string(raw.standard);
                row.default_from = api::SysctlDefault::kernel;
            }
            row.changed = row.default_ && *row.default_ != row.value;
            if (row.changed || !request.changed) rows.add(row);
        }
        return {};
    });
}

const Registration<api::SysctlsRequest> registered{
    operation<prepare, run>({.descriptors = many_descriptors})};

}  // namespace

}  // namespace netlab::operations::sysctls
