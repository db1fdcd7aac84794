#pragma once

#include "cli/ping_events.hpp"

#include <vector>

namespace netlab::cli {

/// What has been seen of a ping so far, for the summary when the user interrupts it: the worker ends with the
/// connection and can say none. An echo on its way counts only once its fate is known.
class PingTally {
  public:
    void add(const PingEvent& event);

    /// Where nothing was heard yet, `transmitted` is 0 and the outcome `lost`.
    [[nodiscard]] api::PingReport report(double elapsed_ms) const;
    [[nodiscard]] bool started() const { return started_; }

  private:
    void add_reply(const api::PingReply& reply);
    void saw(std::uint64_t seq);

    bool started_ = false;
    api::PingReport report_;
    std::optional<api::PingProgress> progress_;  ///< the last: of a flood, which tells its replies only so
    // The percentiles are of the last so many replies: an endless flood must not fill the memory.
    static constexpr std::size_t most_kept = 65'536;
    std::vector<double> last_;
    std::size_t oldest_ = 0;
    double sum_ = 0;
    double sum_of_squares_ = 0;
    double min_ = 0;
    double max_ = 0;
};

}  // namespace netlab::cli
