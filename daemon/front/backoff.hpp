#pragma once

#include <chrono>

namespace netlab::front {

/// How long to wait before something that ended is started anew: not at all where it had lived, nor the first
/// time that it had not; then 0.1 s, doubled up to 5 s.
class Backoff {
  public:
    /// What lived as long as `lively` did not end at once.
    explicit Backoff(std::chrono::milliseconds lively) : lively_(lively) {}
    [[nodiscard]] std::chrono::milliseconds after(std::chrono::milliseconds lived);

  private:
    std::chrono::milliseconds lively_;
    unsigned quick_ends_ = 0;
};

}  // namespace netlab::front
