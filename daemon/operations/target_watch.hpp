#pragma once

#include "common/api/target.hpp"
#include "daemon/operations/operation.hpp"
#include "daemon/operations/output.hpp"

#include <optional>
#include <span>
#include <string>

#include <poll.h>

namespace netlab::operations {

/// Notices that the container or process which an operation runs in has ended (pidfd). The operation's own
/// sockets keep the network namespace alive, so its end cannot be seen from inside. Not noticed: a container
/// without a known PID. The end of a named namespace is the front's to notice (Workers::end_of_names): a
/// watch of its own for each worker would use up root's inotify instances.
class TargetWatch {
  public:
    /// Watches nothing.
    TargetWatch() = default;

    /// For `prepare`. errc::target_gone where it has ended already. What cannot be watched is not.
    [[nodiscard]] static Result<TargetWatch> open(const api::Target& target, const TargetHandle& handle);

    /// Output::wait, which also ends with errc::target_gone.
    [[nodiscard]] Result<int> wait(Output& output, std::span<pollfd> descriptors,
                                   std::optional<Output::Clock::time_point> until) const;

    /// Ready for reading where the target has ended; -1 where that cannot be watched.
    [[nodiscard]] int descriptor() const { return process_.get(); }

    /// Without waiting. errc::target_gone.
    [[nodiscard]] Result<void> check() const;

  private:
    [[nodiscard]] Result<void> watch_process(const api::Target& target, std::uint64_t start_time);
    [[nodiscard]] Error gone() const;

    std::string target_;  // as an error names it
    UniqueFd process_;
};

}  // namespace netlab::operations
