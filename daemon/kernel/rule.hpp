#pragma once

#include "common/address.hpp"
#include "daemon/kernel/netlink.hpp"

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <utility>

#include <linux/fib_rules.h>

namespace netlab::kernel {

/// One policy rule (RTM_NEWRULE): which table is looked at for which packets.
struct Rule {
    std::uint8_t family = 0;  ///< AF_INET or AF_INET6
    std::uint8_t action = 0;  ///< FR_ACT_
    std::uint8_t tos = 0;
    std::uint32_t flags = 0;     ///< FIB_RULE_
    std::uint32_t priority = 0;  ///< the lowest is looked at first
    std::uint32_t table = 0;
    std::optional<IpPrefix> from;  ///< absent: all
    std::optional<IpPrefix> to;
    std::string input;   ///< name of an interface, "" any
    std::string output;  ///< the same
    std::uint32_t mark = 0;
    std::optional<std::uint32_t> mask;  ///< of the mark; absent: no mark is looked at
    std::optional<std::uint32_t> goto_priority;
    std::optional<std::uint32_t> suppress_prefix_length;  ///< routes of this length or shorter do not count
    std::optional<std::uint32_t> suppress_group;  ///< routes through interfaces of this group do not count
    std::optional<std::uint64_t> tunnel;
    std::optional<std::uint32_t> realms;
    std::optional<std::pair<std::uint32_t, std::uint32_t>> uids;  ///< first and last
    std::optional<std::pair<std::uint16_t, std::uint16_t>> source_ports;
    std::optional<std::pair<std::uint16_t, std::uint16_t>> destination_ports;
    std::uint8_t ip_protocol = 0;  ///< IPPROTO_, 0: any
    std::uint8_t protocol = 0;     ///< RTPROT_: who made it
    bool l3mdev = false;           ///< the table is that of the packet's VRF
    friend bool operator==(const Rule&, const Rule&) = default;
};

/// The RTM_NEWRULE messages of IPv4 and IPv6 among `bytes`; what is malformed or of another family is left
/// out.
[[nodiscard]] std::vector<Rule> parse_rules(std::span<const std::byte> bytes);

/// IPv4's first, each family's in the order in which the kernel goes through them. errc as dump().
[[nodiscard]] Result<Dump<Rule>> dump_rules(int route_socket);

}  // namespace netlab::kernel
