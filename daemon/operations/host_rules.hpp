#pragma once

#include "common/api/nat_rule.hpp"
#include "common/api/target.hpp"
#include "daemon/kernel/arp_chains.hpp"
#include "daemon/kernel/packet_rule.hpp"
#include "daemon/operations/interface_names.hpp"

/// All rules of one namespace, of whatever kind.
namespace netlab::operations {

/// As packets of one family meet them.
struct FamilyRules {
    std::vector<kernel::RuleChain> chains;
    bool known = false;                       ///< false: there may be others that could not be read
    std::vector<kernel::RuleChain> frames{};  ///< kernel::frame_chains()
    bool counted = false;     ///< of iptables-legacy's only those that a probe's packets may have met
    kernel::ArpChains arp{};  ///< of IPv4, whose neighbours ARP finds
};

struct RuleSet {
    FamilyRules v4;
    FamilyRules v6;
    [[nodiscard]] const FamilyRules& of(Family family) const { return family == Family::ipv4 ? v4 : v6; }
};

/// nf_tables and the tables of iptables-legacy and ip6tables-legacy.
class HostRules {
  public:
    /// For `prepare` with Needs::net_admin, in the host's namespace.
    [[nodiscard]] static HostRules ask();
    /// The same in a container's, without what its sets have: more of what its root wrote would be taken
    /// apart with the capability at hand.
    [[nodiscard]] static HostRules ask_of_container();
    /// For `run`, once. `names` are the namespace's interfaces.
    [[nodiscard]] RuleSet read(const InterfaceNames& names);

  private:
    static HostRules with(Result<kernel::NftTables> nft);
    struct LegacyTable {
        const char* name;
        Family family;
        Result<std::optional<kernel::XtBytes>> bytes;
    };

    HostRules() = default;

    Result<kernel::NftTables> nft_{Error{}};
    std::vector<LegacyTable> legacy_;
};

/// As a report says it.
[[nodiscard]] api::NatRule describe_rule(const kernel::RuleChain& chain, const kernel::PacketRule& rule);
/// "ip nat DOCKER handle 11", "ip nat DOCKER rule 3 (iptables-legacy)".
[[nodiscard]] std::string place_of(const api::NatRule& rule);
/// The command that deletes it; "" where nobody but its table's owner may, or its names are more than words:
/// who is root in a container writes them.
[[nodiscard]] std::string delete_command(const api::NatRule& rule);
/// What to do instead where only its table's owner may change it; "" where anybody may, or it is not known
/// whose it is (0). In the namespace of `target`, nullptr: of the host.
[[nodiscard]] std::string ask_owner(std::optional<std::uint32_t> owner_port,
                                    const api::Target* target = nullptr);
/// The one or the other, as it is typed on the host; "" where neither can be said.
[[nodiscard]] std::string removal_of(const api::NatRule& rule, const api::Target* target = nullptr);

}  // namespace netlab::operations
