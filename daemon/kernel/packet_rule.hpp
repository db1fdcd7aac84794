#pragma once

#include "common/address.hpp"
#include "daemon/kernel/nft_set.hpp"
#include "daemon/kernel/xtables.hpp"

#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

/// Rules of nf_tables, iptables-nft and iptables-legacy in one form, as far as netlab understands them, and
/// which of them a packet meets.
namespace netlab::kernel {

enum class RuleAction : std::uint8_t {
    none,  ///< it counts, logs, …: the next rule is looked at
    accept,
    drop,
    reject,  ///< dropped, and the sender is told
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

/// Some bits of a packet's mark.
struct MarkBits {
    std::uint32_t value = 0;
    std::uint32_t mask = 0xFFFFFFFF;
    friend bool operator==(const MarkBits&, const MarkBits&) = default;
};

/// What conntrack says of a packet, as bits that iptables and nft have in common (NF_CT_STATE_BIT), and those
/// of <linux/netfilter/xt_conntrack.h> for what NAT has done.
enum : std::uint32_t {
    flow_is_invalid = 1,
    flow_is_established = 2,
    flow_is_new = 8,
    flow_has_snat = 64,
    flow_has_dnat = 128,
    flow_is_untracked = 256
};

/// What rules know of a packet and look up in sets.
enum class PacketField : std::uint8_t {
    source,
    destination,
    protocol,
    source_port,
    destination_port,
    input,
    output,
    mark,
    flow,
    destination_kind,
    icmp_type,
};

/// The packet's field, or some of them together, must be in a set.
struct SetCondition {
    std::vector<PacketField> fields;
    bool inverted = false;  ///< it must not
    std::shared_ptr<const NftSet> set;
    friend bool operator==(const SetCondition&, const SetCondition&) = default;
};

/// Of TCP's flags those that are ones in the mask; a flag as a byte of the header has it (RFC 9293).
struct TcpFlags {
    std::uint8_t value = 0;
    std::uint8_t mask = 0;
    friend bool operator==(const TcpFlags&, const TcpFlags&) = default;
};

/// A zone of conntrack's: what is looked up in one is not known of in another.
struct FlowZone {
    std::optional<std::uint16_t> of_answers;  ///< as what answers is looked up; absent: not known which
    friend bool operator==(const FlowZone&, const FlowZone&) = default;
};

struct PacketRule {
    std::optional<std::uint64_t> handle;  ///< nf_tables'
    std::optional<std::uint32_t> number;  ///< legacy: its place in the chain, from 1
    std::optional<Condition<IpPrefix>> source;
    std::optional<Condition<IpPrefix>> destination;
    std::optional<Condition<std::uint8_t>> protocol;  ///< IPPROTO_
    std::optional<Condition<PortRange>> source_port;
    std::optional<Condition<PortRange>> destination_port;
    std::optional<Condition<std::string>> input;   ///< the interface; "veth*" where it is a prefix
    std::optional<Condition<std::string>> output;  ///< the same
    std::optional<bool> destination_local;  ///< it must be, or must not be, an address of this namespace
    /// Its source must be, or must not be, one that the routes reach by the interface that it came in by.
    std::optional<bool> reverse_path;
    std::optional<Condition<MarkBits>> mark;
    std::optional<Condition<std::uint32_t>> flow;  ///< one of these bits must be set
    std::optional<Condition<TcpFlags>> tcp_flags;
    std::optional<Condition<std::uint8_t>> icmp_type;  ///< of ICMP or ICMPv6, by `protocol`
    bool routing_header = false;  ///< it asks for IPv6's (RFC 8200, 4.4), which no flow of netlab's has
    std::vector<SetCondition> sets;
    bool more_conditions = false;  ///< others, that are not looked at
    bool sets_mark = false;        ///< of the packet, before the action
    bool untracks = false;  ///< conntrack does not see the packet, so nothing of its flow is translated
    std::optional<FlowZone> zone;  ///< it gives the packet
    bool effects_first = false;    ///< one of these comes before a condition, which need not hold for it
    RuleAction action = RuleAction::none;
    std::optional<SetCondition> verdicts;  ///< the action is what this map says; `action` is `other` then
    std::string chain;                     ///< of a jump or goto
    std::optional<IpAddress> to_address;   ///< of NAT; the first of a range
    std::optional<std::uint16_t> to_port;  ///< the same
    std::string other;                     ///< the name of an action that is not known
    std::optional<std::uint64_t> packets;  ///< that it has matched, where it counts
    std::optional<std::uint64_t> bytes;    ///< the same
    std::string comment;                   ///< any bytes
    /// ARP's frames meet it: `source` and `destination` are the sender's and the target's IP address there.
    bool arp = false;
    std::optional<Condition<std::uint16_t>> arp_operation;  ///< ARPOP_
    friend bool operator==(const PacketRule&, const PacketRule&) = default;

    /// As `nft list` writes it: "ip daddr 127.0.0.11 udp dport 53 dnat to 127.0.0.11:34567".
    [[nodiscard]] std::string to_string() const;
};

/// The chains that a packet may come to by that rule.
[[nodiscard]] std::vector<std::string> next_chains(const PacketRule& rule);

struct RuleChain {
    bool legacy = false;
    std::string table;  ///< "ip nat"
    std::string name;
    std::optional<NftHook> hook;  ///< of one that packets come to by themselves
    bool nat = false;  ///< it is such a one and for NAT: only the first packet of a flow comes to it
    std::vector<PacketRule> rules;
    bool drops = false;                    ///< its policy
    std::optional<std::uint32_t> owner{};  ///< of its table: NftTable::owner
    friend bool operator==(const RuleChain&, const RuleChain&) = default;
};

/// The chains that IPv4's or IPv6's packets come to, with those of NFPROTO_INET; without rules that are for
/// the other family only, and without tables that are dormant.
[[nodiscard]] std::vector<RuleChain> rule_chains(const NftTables::Content& content,
                                                 Family family = Family::ipv4);
/// Of the family's table of that name: "nat".
[[nodiscard]] std::vector<RuleChain> rule_chains(const XtTable& table, const std::string& name,
                                                 Family family = Family::ipv4);
/// The same of chains that see frames instead: of bridges, and of interfaces' ingress and egress.
[[nodiscard]] std::vector<RuleChain> frame_chains(const NftTables::Content& content,
                                                  Family family = Family::ipv4);

/// Puts names where rules have interfaces by their numbers; `name` says "" where there is none of a number.
void name_interfaces(std::vector<RuleChain>& chains, const std::function<std::string(std::uint32_t)>& name);

/// A packet as rules see it: the first of a flow or the first that answers it, unless it says more. What is
/// absent is not known: a rule that asks for it may match or not.
struct PacketFacts {
    IpAddress source;
    IpAddress destination;
    std::uint8_t protocol = 0;
    std::uint16_t source_port = 0;
    std::uint16_t destination_port = 0;
    std::optional<std::string> input{};       ///< interface; "" for none
    std::optional<std::string> output{};      ///< the same
    std::optional<bool> destination_local{};  ///< the destination is an address of this namespace
    std::optional<bool> reverse_path{};       ///< the source's route leads back by `input`
    std::optional<std::uint32_t> mark{};
    std::optional<std::uint32_t> flow{};  ///< flow_is_new, …; of ICMP's it is an echo, or its reply
    bool tracked = true;                  ///< conntrack has seen it by then: rules know of its flow
    /// As a byte of the header has them; absent: of TCP's new flow SYN, of an answer ACK too.
    std::optional<std::uint8_t> tcp_flags{};
    std::optional<std::uint8_t> icmp_type{};       ///< of ICMP's that is no echo and no reply to one
    std::optional<std::uint16_t> arp_operation{};  ///< of ARP's frames: ARPOP_
    bool source_known = true;  ///< false: it, and its port, have been translated to what is not known
    std::optional<IpAddress> masqueraded_as{};  ///< the source that a masquerade would give it
};

/// Whether the packet has all that the rule asks for; false where that is not known.
[[nodiscard]] bool meets(const PacketRule& rule, const PacketFacts& packet);

/// What rules do to a packet besides. Behind conntrack they neither take it from there nor give it a zone.
struct SideEffects {
    bool marks = false;  ///< one that it meets, or may meet, sets its mark
    const RuleChain* untrack_chain = nullptr;
    const PacketRule* untracks = nullptr;  ///< one takes it, or may take it, from conntrack
    bool surely_untracks = false;          ///< it does
    const RuleChain* zone_chain = nullptr;
    const PacketRule* zones = nullptr;  ///< one gives it a zone, or may
    bool surely_zones = false;          ///< it does
};
/// Conntrack has none for it, or that is not known; what else it is stays known.
void forget_flow(PacketFacts& packet);
/// The packet as those see it who come behind.
void apply(const SideEffects& effects, PacketFacts& packet);

/// What becomes of the first packet of a flow in the NAT chains of one hook.
struct NatDecision {
    const RuleChain* chain = nullptr;      ///< points into the chains; nullptr: no rule decides
    const PacketRule* rule = nullptr;      ///< a dnat, snat, masquerade, redirect or drop; nullptr where the
                                           ///< chain's policy drops
    RuleAction action = RuleAction::none;  ///< the rule's, or what its map says
    bool uncertain =
        false;  ///< a rule before it has conditions or an action that are not looked at; it was passed over
    const RuleChain* doubtful_chain = nullptr;  ///< the first of those
    const PacketRule* doubtful = nullptr;
    SideEffects effects{};
};
[[nodiscard]] NatDecision find_nat(const std::vector<RuleChain>& chains, std::uint32_t hook,
                                   const PacketFacts& packet);
/// By a rule or a policy.
[[nodiscard]] bool is_drop(const NatDecision& decision);

/// A rule and where it stands; both point into the chains.
struct PlacedRule {
    const RuleChain* chain = nullptr;
    const PacketRule* rule = nullptr;
};
/// A rule of NAT's that the packet would meet, were it not for others that end the chain before.
struct UnmetNat {
    PlacedRule unmet;  ///< a snat or masquerade; where destinations are changed a dnat or redirect
    std::vector<PlacedRule> ending;  ///< an accept, or a base chain's return or goto: each of them has to go
};
/// nullopt where it meets one, or may, or would meet none.
[[nodiscard]] std::optional<UnmetNat> find_unmet_nat(const std::vector<RuleChain>& chains, std::uint32_t hook,
                                                     const PacketFacts& packet);

/// Chains of a hook by whether they come before or behind those that translate destinations.
enum class HookPart : std::uint8_t { whole, before_dnat, behind_dnat };

/// Whether the other chains of one hook let it pass: each of them must. Those that come behind NAT's see what
/// that has made of the source, and of the mark.
struct FilterDecision {
    bool dropped = false;
    const RuleChain* chain = nullptr;  ///< where; points into the chains
    const PacketRule* rule = nullptr;  ///< nullptr: the chain's policy
    bool uncertain = false;            ///< a rule that is not understood may decide otherwise
    const RuleChain* doubtful_chain = nullptr;
    const PacketRule* doubtful = nullptr;
    bool left_early = false;  ///< of a policy: a return or goto led to it past rules of the chain
    SideEffects effects{};
    const RuleChain* base =
        nullptr;  ///< of a drop, or else of the doubt: the chain of the hook's that led there
};
[[nodiscard]] FilterDecision find_drop(const std::vector<RuleChain>& chains, std::uint32_t hook,
                                       const PacketFacts& packet, HookPart part = HookPart::whole);

/// Whether conntrack has not seen yet what comes to that chain of a hook's, or it is not known which of the
/// two is first: its rules know of no flow. What comes by loopback has been seen on its way out.
[[nodiscard]] bool is_before_conntrack(const NftHook& hook, bool by_loopback);

/// Where frames meet rules.
struct FramePoint {
    enum class Kind : std::uint8_t { ingress, egress, bridge } kind = Kind::ingress;
    std::string device{};      ///< of ingress and egress
    std::uint32_t bridge = 0;  ///< NF_BR_
};
/// The same of frame_chains() at one point.
[[nodiscard]] FilterDecision find_frame_drop(const std::vector<RuleChain>& chains, const FramePoint& point,
                                             const PacketFacts& packet);

}  // namespace netlab::kernel
