#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include <boost/describe.hpp>

namespace netlab::api {

/// A rule of the host's netfilter, and how often it has matched.
struct NatRule {
    std::string backend;  ///< "nft" (nf_tables, iptables-nft) or "legacy" (iptables-legacy)
    std::string family;   ///< "ip", "ip6", "inet", "bridge", "netdev"
    std::string table;    ///< "nat"
    std::string chain;
    std::optional<std::uint64_t> handle;   ///< nf_tables'
    std::optional<std::uint32_t> number;   ///< legacy: its place in the chain, from 1
    std::string text;                      ///< in nft's words
    std::optional<std::uint64_t> packets;  ///< that it has matched, where it counts: of NAT, flows
    std::optional<std::uint64_t> bytes;
    /// Netlink port, mostly the PID, of the program that alone may change the table (flags owner).
    std::optional<std::uint32_t> owner_port;
    friend bool operator==(const NatRule&, const NatRule&) = default;
};
BOOST_DESCRIBE_STRUCT(NatRule, (),
                      (backend, family, table, chain, handle, number, text, packets, bytes, owner_port))

}  // namespace netlab::api
