#pragma once

#include "common/rtt_statistics.hpp"

#include <chrono>
#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

namespace netlab::operations {

/// One moment by two clocks: CLOCK_MONOTONIC decides what is late, CLOCK_REALTIME is what the kernel's
/// timestamps are in.
struct Moment {
    std::chrono::nanoseconds monotonic{};
    std::chrono::nanoseconds realtime{};
};

struct EchoCounts {
    std::uint64_t transmitted = 0;
    std::uint64_t received = 0;  ///< in time, once, whole
    std::uint64_t duplicates = 0;
    std::uint64_t late = 0;
    std::uint64_t reordered = 0;
    std::uint64_t corrupt = 0;
    std::uint64_t errors = 0;  ///< echoes that an ICMP error or a failed send tells of

    /// Absent where nothing was sent.
    [[nodiscard]] std::optional<double> loss_percent() const;
    friend bool operator==(const EchoCounts&, const EchoCounts&) = default;
};

/// What became of each echo: no socket, no clock, times come in. An echo is received when its first whole
/// reply comes within the wait; all else is lost. It remembers the last 65,536 echoes, which is as far as the
/// wire's sequence numbers tell apart.
class EchoTracker {
  public:
    using Nanoseconds = std::chrono::nanoseconds;
    static constexpr std::size_t most_remembered = 65'536;

    explicit EchoTracker(Nanoseconds wait) : wait_(wait) {}

    /// An echo is being sent; returns its number, from 1 on.
    std::uint64_t sent(Moment at);
    /// The kernel's time (CLOCK_REALTIME) at which an echo left.
    void transmitted(std::uint64_t seq, Nanoseconds kernel);

    struct Arrival {
        std::uint64_t seq = 0;
        bool intact = true;
        Moment at;                          ///< when it was read
        std::optional<Nanoseconds> kernel;  ///< when the kernel received it
    };
    struct Reply {
        Nanoseconds rtt{};
        bool duplicate = false;
        bool late = false;
        bool reordered = false;
        bool corrupt = false;
        bool lost_now = false;  ///< it is late, and nobody had noticed that the echo was lost yet
        bool counted = false;   ///< as received
    };
    /// Nothing where the echo was never sent or is forgotten.
    [[nodiscard]] std::optional<Reply> reply(const Arrival& arrival);

    /// An ICMP error or a failed send; true where it is the first news of that echo's failure.
    [[nodiscard]] bool error(std::uint64_t seq);

    /// The echoes that have waited long enough by `now` (CLOCK_MONOTONIC), each told once.
    [[nodiscard]] std::vector<std::uint64_t> tick(Nanoseconds now);
    /// When tick() next has something to tell.
    [[nodiscard]] std::optional<Nanoseconds> next_deadline() const;
    /// Every echo that was sent has been answered, lost or refused.
    [[nodiscard]] bool settled() const { return waiting_ == 0 && forgotten_.empty(); }

    [[nodiscard]] const EchoCounts& counts() const { return counts_; }
    [[nodiscard]] std::optional<api::RttSummary> rtt() const { return rtt_.summary(); }

  private:
    enum class State : std::uint8_t { waiting, received, lost, refused, corrupt };
    struct Echo {
        Moment sent;
        std::optional<Nanoseconds> kernel_sent;
        State state = State::waiting;
        bool answered = false;  // by any reply
        bool error_told = false;
    };

    [[nodiscard]] Echo* find(std::uint64_t seq);
    void settle(Echo& echo, State state);
    void skip_settled();

    Nanoseconds wait_;
    std::deque<Echo> echoes_;
    std::uint64_t first_ = 1;    // the number of echoes_.front()
    std::uint64_t awaited_ = 1;  // no echo before it is waited for
    std::uint64_t waiting_ = 0;
    std::uint64_t highest_replied_ = 0;
    std::vector<std::uint64_t> forgotten_;  // still waited for when they had to make room
    EchoCounts counts_;
    RttStatistics rtt_;
};

}  // namespace netlab::operations
