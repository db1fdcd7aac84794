#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

namespace netlab::operations {

/// Finds the echo that a kernel's transmit timestamp belongs to. With SOF_TIMESTAMPING_OPT_ID the kernel
/// counts the packets that it took from the socket; whether it counts one that it then refused depends on why
/// and on its version (changed in Linux 6.9). So the distance between its count and ours is learned: a
/// timestamp taken while our send call ran can only be that packet's.
class TransmitKeys {
  public:
    using Nanoseconds = std::chrono::nanoseconds;

    /// Echo `seq` was taken by the kernel between `before` and `after` (CLOCK_REALTIME). Sequence numbers
    /// only grow.
    void sent(std::uint64_t seq, Nanoseconds before, Nanoseconds after);
    /// A send failed: the kernel may have counted it or not.
    void failed() { offset_.reset(); }
    /// The echo of the timestamp `at` with the kernel's count `key`; nothing where that is not certain.
    [[nodiscard]] std::optional<std::uint64_t> find(std::uint32_t key, Nanoseconds at);

  private:
    std::uint64_t last_ = 0;
    Nanoseconds before_{};
    Nanoseconds after_{};
    std::optional<std::uint32_t> offset_;  // sequence number - key, modulo 2^32
};

}  // namespace netlab::operations
