#include "common/api/processes.hpp"

#include "daemon/kernel/processes.hpp"
#include "daemon/kernel/sock_diag.hpp"
#include "daemon/operations/inspection.hpp"
#include "daemon/operations/passwd.hpp"
#include "daemon/operations/socket_rows.hpp"

#include <algorithm>
#include <limits>
#include <map>
#include <utility>

#include <fcntl.h>
#include <netinet/in.h>
#include <sys/stat.h>

/// `netlab ps`: who lives in a network namespace, by /proc/PID/ns/net.
namespace netlab::operations::processes {

namespace {

/// What is read of a process while that is allowed, and understood when nothing else is any more.
struct Raw {
    std::size_t target = 0;  ///< the first of those that live in its namespace
    pid_t pid = 0;
    bool hosts_files = false;  ///< it sees the same /etc/passwd and the same users as the daemon
    std::string name;
    std::string status;
    std::string command;
};

struct Handles {
    std::vector<Result<UniqueFd>> sockets;
    std::vector<bool> is_host;
    std::vector<std::size_t> first;  ///< for each target: the first in the same namespace
    std::vector<Raw> processes;
    kernel::SocketHolders holders;
    std::string passwd;
    bool readable = true;
};

using Identity = std::pair<std::uint64_t, std::uint64_t>;

/// {0, 0} where it is not to be had: the process has ended.
Identity identity(int directory, const char* which) {
    struct stat status {};
    if (::fstatat(directory, which, &status, 0) != 0) return {};
    return {status.st_dev, status.st_ino};
}

void read_processes(Handles& handles, const std::map<Identity, std::size_t>& wanted, bool commands) {
    const UniqueFd self(::open("/proc/self", O_PATH | O_DIRECTORY | O_CLOEXEC));
    const auto own_mounts = identity(self.get(), "ns/mnt");
    const auto own_users = identity(self.get(), "ns/user");
    handles.readable = kernel::for_each_process([&](pid_t pid, int directory) {
        const auto found = wanted.find(identity(directory, "ns/net"));
        if (found == wanted.end()) return;
        auto& raw = handles.processes.emplace_back();
        raw.target = found->second;
        raw.pid = pid;
        raw.hosts_files =
            identity(directory, "ns/mnt") == own_mounts && identity(directory, "ns/user") == own_users;
        constexpr std::size_t longest_name = 64;
        constexpr std::size_t page = 4096;
        kernel::read_small_file(directory, "comm", longest_name, raw.name);
        kernel::read_status(directory, raw.status);
        if (commands) kernel::read_small_file(directory, "cmdline", page, raw.command);
        handles.holders.add(pid, directory);
    });
}

bool is_host_role(const api::Context& context) {
    return std::ranges::count(context.roles, api::Role::host) > 0;
}

Result<Handles> prepare(Namespaces& namespaces, const api::ProcessesRequest&, const api::Context& context) {
    Handles handles;
    // Of this thread: it is in the daemon's own until it enters another.
    struct stat own {};
    const bool known = ::stat("/proc/thread-self/ns/net", &own) == 0;
    std::map<Identity, std::size_t> wanted;
    for (std::size_t i = 0; i < context.targets.size(); ++i) {
        const auto& target = namespaces[i];
        handles.is_host.push_back(!known || (target.device == own.st_dev && target.inode == own.st_ino));
        const bool may = !handles.is_host.back() || is_host_role(context);
        const bool wanted_too = target.net && may;
        handles.first.push_back(
            wanted_too ? wanted.emplace(Identity{target.device, target.inode}, i).first->second : i);
    }
    read_processes(handles, wanted, is_host_role(context));
    constexpr std::size_t longest_passwd = 1 << 20;
    kernel::read_small_file(AT_FDCWD, "/etc/passwd", longest_passwd, handles.passwd);
    handles.sockets = open_in_each(namespaces, 0, context.targets.size(),
                                   [](std::size_t) { return kernel::open_sock_diag_socket(); });
    return handles;
}

/// The ports that each process listens on, by its PID of the host.
using Ports = std::map<std::int32_t, std::vector<api::ListeningPort>>;

Result<Ports> listening_ports(int socket, const kernel::SocketHolders& holders, Rows& rows) {
    Ports ports;
    const auto dump = [&](std::uint8_t family, std::uint8_t protocol, const char* name,
                          std::string_view state) -> Result<void> {
        const kernel::InetQuery query{family, protocol, api::socket_states(state)};
        const auto end = kernel::dump_inet_sockets(socket, query, [&](const kernel::InetSocket& found) {
            std::uint32_t last = std::numeric_limits<std::uint32_t>::max();
            for (const auto& holder : holders.of(found.inode)) {
                // A descriptor that is there twice is one port.
                if (std::exchange(last, holder.process) == holder.process) continue;
                auto& list = ports[holders.process(holder).host_pid];
                auto& port = list.emplace_back();
                port.protocol = name;
                write_address(port.address, found.family, found.local);
                port.port = found.local_port;
                port.v6only = found.v6only;
            }
        });
        if (!end) return end.error();
        rows.note(end->consistent);
        return {};
    };
    if (auto done = dump(AF_UNSPEC, IPPROTO_TCP, "tcp", "listening"); !done) return done.error();
    if (auto done = dump(AF_INET, IPPROTO_UDP, "udp", "closed"); !done) return done.error();
    if (auto done = dump(AF_INET6, IPPROTO_UDP, "udp", "closed"); !done) return done.error();
    for (auto& [pid, list] : ports) {
        // Two sockets may share one.
        std::ranges::sort(list);
        list.erase(std::unique(list.begin(), list.end()), list.end());
    }
    return ports;
}

/// Arguments end with a zero byte each; they are told apart by a blank.
std::string command_line(std::string text) {
    while (!text.empty() && text.back() == '\0')
        text.pop_back();
    std::ranges::replace(text, '\0', ' ');
    return text;
}

api::ProcessRow row_of(const Raw& raw, const std::string& target, const UserNames& users) {
    api::ProcessRow row;
    row.target = target;
    row.host_pid = raw.pid;
    const auto status = kernel::parse_process_status(raw.status);
    row.pid = status.inner_pid != 0 ? status.inner_pid : raw.pid;
    row.parent_pid = status.parent_pid;
    row.uid = status.effective_uid;
    if (raw.hosts_files) row.user = users.find(status.effective_uid);
    row.name = raw.name;
    if (row.name.ends_with('\n')) row.name.pop_back();
    row.state = std::string(1, status.state);
    row.threads = status.threads;
    if (auto command = command_line(raw.command); !command.empty()) row.command = std::move(command);
    return row;
}

Result<void> run(Handles& handles, const api::ProcessesRequest&, const api::Context& context,
                 Output& output) {
    handles.holders.settle();
    std::ranges::sort(handles.processes, {}, &Raw::pid);
    const UserNames users(handles.passwd);
    return inspect_each(context, output, [&](std::size_t i, Rows& rows) -> Result<void> {
        if (!handles.sockets[i]) return handles.sockets[i].error();
        if (handles.is_host[i] && !is_host_role(context)) {
            return Error{errc::permission_denied,
                         "the processes of the host's namespace are for the host role",
                         "ask for a group of [access] host in netlabd.toml",
                         {}};
        }
        if (!handles.readable)
            return Error{
                errc::operation_failed, "cannot read /proc", "is it mounted where netlabd runs?", {}};
        const auto ports = listening_ports(handles.sockets[i]->get(), handles.holders, rows);
        if (!ports) return ports.error();
        for (const auto& raw : handles.processes) {
            // One without a status has ended in between.
            if (raw.target != handles.first[i] || raw.status.empty()) continue;
            auto row = row_of(raw, context.targets[i].name, users);
            if (const auto found = ports->find(row.host_pid); found != ports->end())
                row.ports = found->second;
            rows.add(row);
        }
        return {};
    });
}

const Registration<api::ProcessesRequest> registered{
    operation<prepare, run>({.processes = true, .descriptors = many_descriptors})};

}  // namespace

}  // namespace netlab::operations::processes
