#pragma once

#include "common/address.hpp"
#include "daemon/kernel/nftables.hpp"
#include "daemon/kernel/xtables.hpp"

#include <optional>
#include <string>
#include <utility>
#include <vector>

/// Rules of nf_tables, iptables-nft and iptables-legacy in one form, as far as netlab understands them, and
/// which of them a packet meets. IPv4.
namespace netlab::kernel {

enum class RuleAction : std::uint8_t {
    none,  ///< it counts, logs, …: the next rule is looked at
    accept,
    drop,
    return_,
    jump,
    go_to,
    dnat,
    snat,
    masquerade,
    redirect,
    other,  ///< one that netlab does not know
};

template <class T>
struct Condition {
    T value{};
    bool inverted = false;
    friend bool operator==(const Condition&, const Condition&) = default;
};
using PortRange = std::pair<std::uint16_t, std::uint16_t>;  ///< first and last

struct PacketRule {
    std::optional<std::uint64_t> handle;  ///< nf_tables'
    std::optional<std::uint32_t> number;  ///< legacy: its place in the chain, from 1
    std::optional<Condition<IpPrefix>> source;
    std::optional<Condition<IpPrefix>> destination;
    std::optional<Condition<std::uint8_t>> protocol;  ///< IPPROTO_
    std::optional<Condition<PortRange>> source_port;
    std::optional<Condition<PortRange>> destination_port;
    bool more_conditions = false;  ///< others, that are not looked at
    RuleAction action = RuleAction::none;
    std::string chain;                     ///< of a jump or goto
    std::optional<IpAddress> to_address;   ///< of NAT; the first of a range
    std::optional<std::uint16_t> to_port;  ///< the same
    std::string other;                     ///< the name of an action that is not known
    std::optional<std::uint64_t> packets;  ///< that it has matched, where it counts
    friend bool operator==(const PacketRule&, const PacketRule&) = default;

    /// As `nft list` writes it: "ip daddr 127.0.0.11 udp dport 53 dnat to 127.0.0.11:34567".
    [[nodiscard]] std::string to_string() const;
};

struct RuleChain {
    bool legacy = false;
    std::string table;  ///< "ip nat"; of legacy "nat"
    std::string name;
    std::optional<NftHook> hook;  ///< of one that packets come to by themselves
    bool nat = false;  ///< it is such a one and for NAT: only the first packet of a flow comes to it
    std::vector<PacketRule> rules;
    friend bool operator==(const RuleChain&, const RuleChain&) = default;
};

/// The chains of NFPROTO_IPV4 and NFPROTO_INET with their rules.
[[nodiscard]] std::vector<RuleChain> rule_chains(const NftTables::Content& content);
/// Of IPv4's table of that name.
[[nodiscard]] std::vector<RuleChain> rule_chains(const XtTable& table, const std::string& name);

/// A packet as rules see it.
struct PacketFacts {
    IpAddress source;
    IpAddress destination;
    std::uint8_t protocol = 0;
    std::uint16_t source_port = 0;
    std::uint16_t destination_port = 0;
};

/// What becomes of the first packet of a flow in the NAT chains of one hook.
struct NatDecision {
    const RuleChain* chain = nullptr;  ///< points into the chains; nullptr: no rule decides
    const PacketRule* rule = nullptr;  ///< a dnat, snat, masquerade, redirect or drop
    bool uncertain =
        false;  ///< a rule before it has conditions or an action that are not looked at; it was passed over
};
[[nodiscard]] NatDecision find_nat(const std::vector<RuleChain>& chains, std::uint32_t hook,
                                   const PacketFacts& packet);

}  // namespace netlab::kernel
