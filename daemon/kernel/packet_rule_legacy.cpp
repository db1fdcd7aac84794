#include "daemon/kernel/packet_rule.hpp"
#include "daemon/kernel/rule_parts.hpp"

#include <map>

#include <arpa/inet.h>  // before the kernel's headers, which then leave out what it has
#include <linux/netfilter.h>
#include <linux/netfilter_ipv4/ip_tables.h>
#include <linux/netfilter_ipv6/ip6_tables.h>

namespace netlab::kernel {

namespace {

using namespace rule_parts;

std::optional<Condition<IpPrefix>> prefix_condition(PacketRule& rule, std::span<const std::uint8_t> address,
                                                    std::span<const std::uint8_t> mask, bool inverted) {
    const auto length = prefix_length(std::as_bytes(mask));
    if (!length) {
        rule.more_conditions = true;
        return std::nullopt;
    }
    if (*length == 0 && !inverted) return std::nullopt;
    const auto prefix = IpPrefix::make(IpAddress::from_bytes(address), *length);
    return prefix ? std::optional(Condition<IpPrefix>{*prefix, inverted}) : std::nullopt;
}

/// iptables ends a prefix of names with '+'.
std::optional<Condition<std::string>> interface_condition(std::string name, bool inverted) {
    if (name.empty()) return std::nullopt;
    if (name.ends_with('+')) name.back() = '*';
    return Condition<std::string>{std::move(name), inverted};
}

/// enum nf_ip_hook_priorities. Where addresses of senders are translated NAT comes last.
std::int32_t priority_of(const std::string& table, std::uint32_t hook) {
    if (table == "raw") return -300;
    if (table == "mangle") return -150;
    if (table == "nat") return hook == NF_INET_LOCAL_IN || hook == NF_INET_POST_ROUTING ? 100 : -100;
    return table == "security" ? 50 : 0;
}

/// IPv6's structs have other flags, and the same bits for what is inverted.
void take_header(PacketRule& rule, const XtRule& in) {
    static_assert(IPT_INV_SRCIP == IP6T_INV_SRCIP && IPT_INV_DSTIP == IP6T_INV_DSTIP &&
                  IPT_INV_VIA_IN == IP6T_INV_VIA_IN && IPT_INV_VIA_OUT == IP6T_INV_VIA_OUT &&
                  IPT_INV_PROTO == IP6T_INV_PROTO);
    const auto inverted = [&](unsigned bit) { return (in.ip.inverted & bit) != 0; };
    const auto addresses = [&](const auto& ip) {
        rule.source = prefix_condition(rule, ip.source, ip.source_mask, inverted(IPT_INV_SRCIP));
        rule.destination =
            prefix_condition(rule, ip.destination, ip.destination_mask, inverted(IPT_INV_DSTIP));
    };
    if (in.ip6) {
        addresses(*in.ip6);
        if ((in.ip.flags & IP6T_F_TOS) != 0) rule.more_conditions = true;
    } else {
        addresses(in.ip);
        if ((in.ip.flags & IPT_F_FRAG) != 0) rule.more_conditions = true;
    }
    const bool has_protocol = in.ip6 ? (in.ip.flags & IP6T_F_PROTO) != 0 : in.ip.protocol != 0;
    if (has_protocol) rule.protocol = {static_cast<std::uint8_t>(in.ip.protocol), inverted(IPT_INV_PROTO)};
    rule.input = interface_condition(in.ip.input, inverted(IPT_INV_VIA_IN));
    rule.output = interface_condition(in.ip.output, inverted(IPT_INV_VIA_OUT));
}

PacketRule form_of(const XtRule& in) {
    PacketRule rule;
    rule.number = in.number;
    rule.packets = in.packets;
    rule.bytes = in.bytes;
    take_header(rule, in);
    for (const auto& match : in.matches)
        take_match(rule, match);
    if (in.target.name.empty()) {
        take_verdict(rule, in.verdict, in.jump);
    } else {
        take_target(rule, in.target, in.ip6 ? Family::ipv6 : Family::ipv4);
    }
    return rule;
}

}  // namespace

std::vector<RuleChain> rule_chains(const XtTable& table, const std::string& name, Family family) {
    std::vector<RuleChain> out;
    const auto table_name = (family == Family::ipv4 ? "ip " : "ip6 ") + name;
    std::map<std::string, std::size_t> places;
    for (const auto& chain : table.chains) {
        std::optional<NftHook> hook;
        if (chain.hook) hook = {*chain.hook, priority_of(name, *chain.hook)};
        places.emplace(chain.name, out.size());
        out.push_back({true, table_name, chain.name, hook, chain.hook && name == "nat", {}, false});
    }
    for (const auto& rule : table.rules) {
        const auto place = places.find(rule.chain);
        if (place != places.end()) out[place->second].rules.push_back(form_of(rule));
    }
    for (auto& chain : out) {
        if (!chain.hook || chain.rules.empty()) continue;
        chain.drops = chain.rules.back().action == RuleAction::drop;
        chain.rules.pop_back();
    }
    return out;
}

}  // namespace netlab::kernel
