#pragma once

#include "daemon/operations/host_rules.hpp"
#include "daemon/operations/why_facts.hpp"

#include <map>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

/// Which rules of iptables-legacy have counted a packet meanwhile. Pure. A rule counts each packet that it
/// matches before it decides of it: one that has counted none was met by none; one that has may have counted
/// somebody else's.
namespace netlab::operations {

struct LegacyTable {
    std::string name;  ///< "filter"
    kernel::XtTable table;
};

class RuleCounts {
  public:
    /// nullopt where the tables' rules are not the same in both, or a counter has been set back.
    [[nodiscard]] static std::optional<RuleCounts> between(const std::vector<LegacyTable>& before,
                                                           const std::vector<LegacyTable>& after,
                                                           Family family);

    /// Of a rule's of the table "ip filter", or without a number of its chain's policy; nullopt where there
    /// is none.
    [[nodiscard]] std::optional<RuleCount> find(const std::string& table, const std::string& chain,
                                                std::optional<std::uint32_t> number) const;

    /// The rules that the packet may have met: those of iptables-legacy that have counted nothing are not
    /// among them, nor do its policies drop that have not. What translates stays as it is: of a flow's later
    /// packets nothing is counted there.
    [[nodiscard]] FamilyRules met(const FamilyRules& rules) const;

  private:
    using Key = std::tuple<std::string, std::string, std::optional<std::uint32_t>>;

    std::vector<kernel::RuleChain> chains_;
    std::map<Key, RuleCount> counts_;
};

}  // namespace netlab::operations
