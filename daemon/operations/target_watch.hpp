#pragma once

#include "common/api/target.hpp"
#include "daemon/operations/operation.hpp"
#include "daemon/operations/output.hpp"

#include <optional>
#include <span>
#include <string>

#include <poll.h>

namespace netlab::operations {

/// Notices that the target which an operation runs in has ended. The operation's own sockets keep the network
/// namespace alive, so its end cannot be seen from inside: a container or process ends with its first process
/// (pidfd), a named namespace with its name (inotify). The host never does. Not noticed: a container without
/// a known PID.
class TargetWatch {
  public:
    /// Watches nothing.
    TargetWatch() = default;

    /// For `prepare`. errc::target_gone where it has ended already. What cannot be watched is not.
    [[nodiscard]] static Result<TargetWatch> open(const api::Target& target, const TargetHandle& handle);

    /// Output::wait, which also ends with errc::target_gone.
    [[nodiscard]] Result<int> wait(Output& output, std::span<pollfd> descriptors,
                                   std::optional<Output::Clock::time_point> until) const;

  private:
    [[nodiscard]] Result<void> watch_process(const api::Target& target, std::uint64_t start_time);
    [[nodiscard]] Result<void> watch_name(const api::Target& target, const TargetHandle& handle);
    [[nodiscard]] bool name_is_gone() const;
    [[nodiscard]] Error gone() const;

    std::string target_;  // as an error names it
    std::string file_;    // of a named namespace, without its directory
    UniqueFd process_;
    UniqueFd names_;
};

}  // namespace netlab::operations
