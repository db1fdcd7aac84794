#pragma once

#include "daemon/kernel/packet_rule.hpp"

/// Where ARP's frames meet rules, which IP's chains do not see.
namespace netlab::kernel {

/// As those frames meet them, without rules that are for others alone. Of the ARP header rules are understood
/// that ask for its operation and its IP addresses; of what is the same in each such frame too.
struct ArpChains {
    std::vector<RuleChain> own;     ///< of the tables of ARP's family, by hooks that are NF_ARP_
    std::vector<RuleChain> frames;  ///< as frame_chains(): of bridges, and of interfaces' ingress and egress
};
[[nodiscard]] ArpChains arp_chains(const NftTables::Content& content);

}  // namespace netlab::kernel
