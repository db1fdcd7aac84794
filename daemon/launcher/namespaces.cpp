#include "daemon/launcher/namespaces.hpp"

#include "daemon/kernel/container_file.hpp"
#include "daemon/kernel/namespace.hpp"

#include <cerrno>
#include <optional>
#include <string>

#include <fcntl.h>

namespace netlab::launcher {

namespace {

using operations::TargetHandle;

/// A namespace and, where it was reached by a process, that process.
struct Opened {
    UniqueFd net;
    std::optional<kernel::ProcessNamespace> process;
};

Result<Opened> open_by_process(const NamespaceReference& reference) {
    auto process = kernel::open_process_namespace(reference.pid, reference.start_time);
    if (!process) return process.error();
    Opened opened;
    opened.net = std::move(process->net);
    opened.process = std::move(*process);
    return opened;
}

/// `its_process`: its files or its end are wanted, which it is a matter of a process to have.
Result<Opened> open_by_path(const NamespaceReference& reference, bool its_process) {
    auto net = kernel::open_namespace(reference.path.data());
    if (net) {
        Opened opened;
        opened.net = std::move(*net);
        // Its files are reached by the process only; a namespace whose process has just ended has none.
        if (its_process && reference.pid > 0) {
            if (auto process = kernel::open_process_namespace(reference.pid, reference.start_time)) {
                opened.process = std::move(*process);
            }
        }
        return opened;
    }
    // An engine in a mount namespace of its own binds its namespaces where nobody else sees them.
    if (reference.pid > 0) return open_by_process(reference);
    return net.error();
}

Result<Opened> open_host(int host) {
    UniqueFd net(::fcntl(host, F_DUPFD_CLOEXEC, 3));
    if (!net) return system_error(errc::operation_failed, "duplicate the host's namespace", errno);
    Opened opened;
    opened.net = std::move(net);
    return opened;
}

Result<Opened> open(const NamespaceReference& reference, int host, bool its_process) {
    switch (reference.way) {
        case Way::host:
            return open_host(host);
        case Way::path:
            return open_by_path(reference, its_process);
        case Way::process:
            return open_by_process(reference);
    }
    return Error{errc::protocol_error, "no such way to a namespace", {}, {}};
}

/// A process whose network namespace is another than the target's would show another container's files.
bool lives_in(const kernel::ProcessNamespace& process, const kernel::NamespaceIdentity& identity) {
    if (!process.net) return true;  // it was moved: the namespace was reached by this process
    const auto own = kernel::identity_of(process.net.get());
    return own && *own == identity;
}

/// ip-netns(8): a program in a named namespace sees /etc/netns/NAME/x in the place of /etc/x.
std::string named_namespace_file(const NamespaceReference& reference, const char* name) {
    std::string path(reference.path.data());
    const auto slash = path.rfind('/');
    return "/etc/netns/" + path.substr(slash + 1) + "/" + name;
}

/// A file of the target's resolver into its place in the handle.
void open_resolver_file(const NamespaceReference& reference, const Opened& opened, int host_root,
                        const char* name, std::chrono::milliseconds patience, UniqueFd& out,
                        operations::ResolverFile& about) {
    about.path = std::string("/etc/") + name;
    const auto take = [&](kernel::ContainerFile file) {
        about.look = file.look;
        out = std::move(file.file);
    };
    if (opened.process) {
        const UniqueFd root(
            ::openat(opened.process->process.get(), "root", O_PATH | O_CLOEXEC | O_DIRECTORY));
        if (root) take(kernel::open_container_file(root.get(), about.path.c_str(), patience));
        return;
    }
    // A container's files are reached by its process or not at all: the host's are another answer to the same
    // question.
    if (reference.pid > 0) return;
    if (reference.way == Way::path) {
        auto path = named_namespace_file(reference, name);
        auto own = kernel::open_container_file(host_root, path.c_str(), patience);
        if (own.file) {
            about.path = std::move(path);
            return take(std::move(own));
        }
    }
    take(kernel::open_container_file(host_root, about.path.c_str(), patience));
}

Result<TargetHandle> make_handle(const NamespaceReference& reference, const operations::Needs& needs,
                                 int host) {
    const bool files = needs.resolver_files && reference.may_fail == 0;  // the other end asks nobody
    auto opened = open(reference, host, files || needs.start_times);
    if (!opened) return opened.error();
    const auto identity = kernel::identity_of(opened->net.get());
    if (!identity) return identity.error();
    const bool expected = reference.device != 0 || reference.inode != 0;
    if (expected && (identity->device != reference.device || identity->inode != reference.inode)) {
        return Error{errc::target_gone, "the target's network namespace has been replaced", "ask again", {}};
    }
    // Its namespace may be there for a moment longer, and nothing in it would ever tell of its end.
    if (needs.start_times && reference.pid > 0 && !opened->process)
        return Error{errc::target_gone, "the target has ended", "netlab ls shows what is there now", {}};
    if (opened->process && !lives_in(*opened->process, *identity)) opened->process.reset();
    TargetHandle handle;
    handle.device = identity->device;
    handle.inode = identity->inode;
    handle.start_time = opened->process ? opened->process->start_time : 0;
    if (files) {
        const UniqueFd root(::open("/", O_PATH | O_CLOEXEC | O_DIRECTORY));
        open_resolver_file(reference, *opened, root.get(), "resolv.conf", kernel::file_patience,
                           handle.resolv_conf, handle.resolv_conf_file);
        // Both are mostly on the same file system: what hangs is not waited for twice.
        const bool hangs = handle.resolv_conf_file.look.state == kernel::FileState::silent;
        open_resolver_file(reference, *opened, root.get(), "hosts",
                           hangs ? kernel::file_patience / 8 : kernel::file_patience, handle.hosts,
                           handle.hosts_file);
    }
    handle.net = std::move(opened->net);
    return handle;
}

}  // namespace

Result<operations::Namespaces> open_namespaces(std::span<const NamespaceReference> references,
                                               const operations::Needs& needs, int host) {
    std::vector<TargetHandle> handles;
    for (const auto& reference : references) {
        auto handle = make_handle(reference, needs, host);
        if (!handle && !needs.namespaces_may_fail && reference.may_fail == 0) return handle.error();
        handles.push_back(handle ? std::move(*handle) : TargetHandle{});
    }
    return operations::Namespaces(std::move(handles));
}

}  // namespace netlab::launcher
