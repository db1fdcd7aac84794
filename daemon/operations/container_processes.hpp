#pragma once

#include <cstdint>
#include <map>
#include <span>

/// Which processes are a container's, where its network namespace does not tell: on the host's network.
namespace netlab::operations {

class ContainerProcesses {
  public:
    /// For `prepare` with Needs::processes: looks for those that are in the PID namespace of one of
    /// `first_processes`, or in its cgroup where that namespace is the daemon's own.
    [[nodiscard]] static ContainerProcesses read(std::span<const std::int32_t> first_processes);

    [[nodiscard]] bool belongs(std::int32_t host_pid, std::int32_t first_process) const;

  private:
    std::map<std::int32_t, std::int32_t> first_;  ///< a process' first process
};

}  // namespace netlab::operations
