#pragma once

#include "common/unique_fd.hpp"

/// Where the process at the other end of a connection lives.
namespace netlab::launcher {

/// This process' user and PID namespaces, as what a peer's are held against.
class PeerPlace {
  public:
    /// Of the calling process. Throws std::system_error.
    PeerPlace();

    /// 0 where the process that connected (SO_PEERCRED) lives in the same two; EPERM where it does not, and
    /// where it has ended, so that its PID says nothing any more: ESRCH. Another errno where the kernel does
    /// not tell. Takes CAP_SYS_PTRACE. The peer is held by its pidfd while it is looked at (SO_PEERPIDFD,
    /// Linux 6.5); on older kernels one that has ended may be taken for whoever has its PID by then.
    [[nodiscard]] int check(int connection) const;

  private:
    UniqueFd user_;
    UniqueFd pid_;
};

}  // namespace netlab::launcher
