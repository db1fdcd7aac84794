#pragma once

#include "common/error.hpp"
#include "common/unique_fd.hpp"

#include <cstdint>
#include <optional>
#include <string_view>

#include <sys/types.h>

namespace netlab::kernel {

/// What a network namespace is: its names and PIDs are only ways to it.
struct NamespaceIdentity {
    std::uint64_t device = 0;
    std::uint64_t inode = 0;
    friend auto operator<=>(const NamespaceIdentity&, const NamespaceIdentity&) = default;
};

/// Opens a file that a network namespace is bound to (/run/netns/blue, /run/docker/netns/…). A file that is
/// something else is looked at but never opened, and where its file system may have to be waited for, that is
/// a child's to do (waiting_child.hpp). errc::target_gone: there is no such file, or it is no network
/// namespace (any more); errc::operation_failed for the rest, such as a file system that does not answer.
[[nodiscard]] Result<UniqueFd> open_namespace(const char* path);

/// The namespace of the calling thread.
[[nodiscard]] Result<UniqueFd> open_own_namespace();

/// errc::operation_failed where fstat(2) fails.
[[nodiscard]] Result<NamespaceIdentity> identity_of(int namespace_fd);

/// A process' network namespace, and what proves that it was this process.
struct ProcessNamespace {
    UniqueFd net;
    UniqueFd process;              ///< /proc/PID, O_PATH: files below it are this process' or fail with ESRCH
    UniqueFd pidfd;                ///< readable once the process has ended
    std::uint64_t start_time = 0;  ///< clock ticks since boot, as in proc(5), field 22
};

/// The process was alive, and the one that started at `start_time` (0: any), after the namespace was opened.
/// errc::no_such_target: no such process; errc::target_gone: it ended, or its PID is another process' now.
[[nodiscard]] Result<ProcessNamespace> open_process_namespace(pid_t pid, std::uint64_t start_time = 0);

/// Field 22 of /proc/PID/stat. A process name may hold ')' and newlines, so it counts from the last ')'.
[[nodiscard]] std::optional<std::uint64_t> parse_start_time(std::string_view stat);

}  // namespace netlab::kernel
