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
    /// Finds it by a connection to the engine's socket: it is the process of that name which called listen(2)
    /// or, where that was the service manager's doing, accepted it. A name alone proves nothing: a
    /// container's process may be called dockerd, too. Where it is not to be found its sockets and files are
    /// not known. In the network namespace where `engine_socket` was made.
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
