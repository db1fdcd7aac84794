#pragma once

#include "cli/ping_events.hpp"
#include "common/rtt_statistics.hpp"

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
    RttStatistics rtt_;
};

}  // namespace netlab::cli
