#pragma once

#include "common/api/connect.hpp"
#include "common/rtt_statistics.hpp"

namespace netlab {

/// What came of many attempts, counted.
class ConnectTally {
  public:
    void add(const api::ConnectAttempt& attempt);

    /// The report's counts, times and outcome.
    void fill(api::ConnectReport& report) const;

  private:
    api::ConnectReport counts_;
    RttStatistics times_;
};

}  // namespace netlab
