#pragma once

#include "daemon/kernel/packet_rule.hpp"

#include <vector>

/// Ranges of addresses as prefixes. Pure.
namespace netlab::operations {

/// The fewest prefixes that have just the addresses from the first to the last, both of one family.
[[nodiscard]] std::vector<IpPrefix> prefixes_between(const IpAddress& first, const IpAddress& last);

/// What elements of the set say of that field, which is an address; none where the set is not looked up by
/// it. Of very many some thousands.
[[nodiscard]] std::vector<IpPrefix> prefixes_in(const kernel::SetCondition& set, kernel::PacketField field);

/// Its first address.
[[nodiscard]] IpAddress first_of(const IpPrefix& network);

/// Some addresses of the network, from all over it; all of a small one's need not be among them.
[[nodiscard]] std::vector<IpAddress> members_of(const IpPrefix& network);

}  // namespace netlab::operations
