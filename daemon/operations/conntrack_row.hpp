#pragma once

#include "common/api/conntrack.hpp"
#include "daemon/kernel/conntrack.hpp"
#include "daemon/operations/address_names.hpp"
#include "daemon/operations/time_text.hpp"

namespace netlab::operations {

/// Which entries are wanted: those of a request, and of these the ones that concern some addresses.
class ConntrackFilter {
  public:
    /// `request` as check() has let it pass.
    explicit ConntrackFilter(const api::ConntrackRequest& request);
    /// Only what has one of these in either direction.
    void limit_to(std::vector<IpAddress> addresses);

    [[nodiscard]] bool admits(const kernel::Conntrack& entry) const;

  private:
    [[nodiscard]] bool concerns(const kernel::Conntrack& entry) const;
    [[nodiscard]] bool has_state(const kernel::Conntrack& entry) const;

    const api::ConntrackRequest& request_;
    std::optional<std::uint8_t> protocol_;
    std::vector<std::string> states_;
    std::optional<std::vector<IpAddress>> addresses_;  ///< sorted
};

/// Rows of entries. One is used again and again: there may be 100,000.
class ConntrackRows {
  public:
    explicit ConntrackRows(const AddressNames& names) : names_(names) {}
    /// Valid until the next call.
    [[nodiscard]] api::ConntrackRow& row_of(const kernel::Conntrack& entry);

  private:
    void fill(api::ConntrackEnd& end, const IpAddress& address, std::optional<std::uint16_t> port) const;
    void fill(api::ConntrackDirection& direction, const kernel::ConntrackTuple& tuple,
              const std::optional<kernel::ConntrackCounter>& counter) const;

    const AddressNames& names_;
    api::ConntrackRow row_;
    TimeText time_;
};

/// The table's own row. A table that is nearly full, or has been full, is a finding.
[[nodiscard]] api::ConntrackTableRow table_row(std::string target,
                                               const kernel::ConntrackStatistics& statistics);

/// The command line of conntrack(8) that deletes this entry and no other.
[[nodiscard]] std::string conntrack_delete_command(const kernel::Conntrack& entry);

}  // namespace netlab::operations
