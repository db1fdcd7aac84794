#pragma once

#include "common/error.hpp"
#include "common/unique_fd.hpp"

#include <cerrno>

#include <fcntl.h>

namespace netlab::operations {

/// The system call filter of `run` lets nothing be written to, sent on or duplicated from a descriptor with
/// this number or a higher one. No operation may have as many open (Needs::descriptors), so none of its own
/// gets there.
inline constexpr int first_read_only = 16'384;

/// For `prepare`: `socket` under such a number. A packet socket that is there to look can send packets that
/// no rule of the host's ever sees; whoever takes a worker over shall not. errc::operation_failed.
[[nodiscard]] inline Result<UniqueFd> read_only(const UniqueFd& socket) {
    UniqueFd out(::fcntl(socket.get(), F_DUPFD_CLOEXEC, first_read_only));
    if (out) return out;
    // EINVAL where the limit of descriptors (RLIMIT_NOFILE) is below it.
    return system_error(errc::operation_failed, "keep a packet socket from sending",
                        errno == EINVAL ? EMFILE : errno);
}

}  // namespace netlab::operations
