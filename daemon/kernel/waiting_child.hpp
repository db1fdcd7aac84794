#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>

#include <sys/types.h>

/// File systems that others serve (FUSE, NFS) need not answer, and once such a server has read a question
/// SIGKILL does not end the wait for its answer either (request_wait_answer() in fs/fuse/dev.c). What may
/// wait for one is therefore left to a child.
namespace netlab::kernel {

/// The children that wait, of this process and of all that were forked since share(): a file system that
/// hangs is left with a few of them, not with one for each question.
class WaitingChildren {
  public:
    static constexpr std::size_t most = 64;
    static constexpr std::size_t of_one_place = 8;
    static constexpr std::size_t kept_free = 16;  ///< for places where nothing hangs

    /// To be called by the process whose children will ask. Throws std::system_error.
    static void share();
    /// From here on this process only has its own: it is to read what somebody hostile says, at length.
    static void leave();
    /// That process has ended, and was waited for by who is not its parent.
    static void forget(pid_t ended);
};

/// Runs `work` in a child that has of this process' descriptors those of `kept`, and of its capabilities
/// CAP_DAC_READ_SEARCH and CAP_SYS_PTRACE alone, and is killed when the parent ends. `place`: which file
/// system it may have to wait for, in whatever numbers.
///
/// 0: it has run. ETIMEDOUT: not in time, or so many hang at that place already. EBUSY: so many wait just
/// now, for that place or for all. EPERM: it was ended, or could not begin. Or the errno of fork(2) or
/// pidfd_open(2). Not for processes with threads.
[[nodiscard]] int run_in_child(std::uint64_t place, std::chrono::milliseconds patience,
                               std::span<const int> kept, const std::function<void()>& work);

}  // namespace netlab::kernel
