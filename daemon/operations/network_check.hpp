#pragma once

#include "common/api/networks.hpp"
#include "daemon/kernel/address.hpp"
#include "daemon/kernel/link_details.hpp"

/// What an engine says of a network, held against what the kernel says. Pure.
namespace netlab::operations {

struct NamespaceState {
    std::vector<kernel::LinkDetails> links;
    std::vector<kernel::Address> addresses;
};

/// A member as the kernel has it.
struct MemberState {
    bool known = false;  ///< netlab knows a running container of that ID
    bool elsewhere =
        false;  ///< it is in a namespace that was not looked at: a new one's, or the engine's own
    const NamespaceState* in = {};              ///< nullptr: it could not be read
    std::string unreadable;                     ///< why not
    const kernel::LinkDetails* interface = {};  ///< find_interface()
    std::optional<std::uint32_t> port;          ///< index on the host of the other end of `interface`'s veth
};

/// The interface of a member: that which has one of its addresses, else that which has its MAC address.
[[nodiscard]] const kernel::LinkDetails* find_interface(const api::NetworkMember& member,
                                                        const NamespaceState& state);

/// nullptr where there is none.
[[nodiscard]] const kernel::LinkDetails* find_link(const NamespaceState& state, std::string_view name);
[[nodiscard]] const kernel::LinkDetails* find_link(const NamespaceState& state, std::uint32_t index);

/// There is something to hold it against: a bridge, or the device that a macvlan or ipvlan network is on.
[[nodiscard]] bool can_be_checked(const api::NetworkRow& network);

/// Of a network that can be checked. `members`: one for each of the network's, in their order.
[[nodiscard]] std::vector<api::Finding> check_network(const api::NetworkRow& network,
                                                      const NamespaceState& host,
                                                      const std::vector<MemberState>& members);

}  // namespace netlab::operations
