#pragma once

#include "daemon/kernel/processes.hpp"
#include "daemon/operations/docker_upstreams.hpp"

#include <string>

/// What can be known of Docker and of one of its containers from beside it.
namespace netlab::operations {

/// dockerd as a process: the sockets that it holds, and the files that say how it was set up. For `prepare`,
/// with Needs::processes.
class DockerProcess {
  public:
    /// Finds it by who listens on the engine's socket, else by its name. Where it is not to be found its
    /// sockets and files are not known.
    explicit DockerProcess(int engine_socket);

    /// For `run`, before the others: understands what was read.
    void settle();
    [[nodiscard]] const kernel::SocketHolders& holders() const { return holders_; }
    /// Puts in what its arguments and files say.
    void tell(UpstreamSources& sources) const;

  private:
    void look_at(pid_t pid, int directory);

    kernel::SocketHolders holders_;
    std::string cmdline_;
    bool found_ = false;
    UniqueFd daemon_json_;
    UniqueFd resolv_conf_;
    UniqueFd systemd_resolv_conf_;
    bool daemon_json_missing_ = false;
};

}  // namespace netlab::operations
