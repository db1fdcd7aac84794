#pragma once

#include "daemon/operations/beside_process.hpp"
#include "daemon/operations/rule_counts.hpp"

#include <optional>
#include <vector>

namespace netlab::operations {

/// Reads the tables of iptables-legacy in one namespace while `run` is under way: their counters tell which
/// rules a packet has met, where no trace does. A process beside does it, for the kernel checks CAP_NET_ADMIN
/// at each question; it has two sockets, and asks by nothing else.
class LegacyCounters {
  public:
    /// For `prepare`, as BesideProcess::start(); enters the namespace. nullopt where it has no such table.
    /// errc::operation_failed.
    [[nodiscard]] static Result<std::optional<LegacyCounters>> start(Namespaces& namespaces,
                                                                     std::size_t place);

    /// For `run`: from now on the family's rules count for count().
    void begin(Family family, Output& output);
    /// What they have counted since; nullopt where that is not known.
    [[nodiscard]] std::optional<RuleCounts> count(Output& output);

  private:
    LegacyCounters() = default;
    /// errc::operation_failed, also where a table is too large or not understood.
    [[nodiscard]] Result<std::vector<LegacyTable>> read(Output& output);

    std::optional<BesideProcess> beside_;
    std::vector<std::uint32_t> v4_;  ///< tables that were there, by their numbers in an order
    std::vector<std::uint32_t> v6_;
    Family family_ = Family::ipv4;
    std::optional<std::vector<LegacyTable>> before_;
};

}  // namespace netlab::operations
