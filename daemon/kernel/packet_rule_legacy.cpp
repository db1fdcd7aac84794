#include "daemon/kernel/packet_rule.hpp"
#include "daemon/kernel/rule_parts.hpp"

#include <map>

#include <arpa/inet.h>  // before the kernel's headers, which then leave out what it has
#include <linux/netfilter.h>
#include <linux/netfilter_ipv4/ip_tables.h>

namespace netlab::kernel {

namespace {

using namespace rule_parts;

std::optional<Condition<IpPrefix>> prefix_condition(PacketRule& rule, std::array<std::uint8_t, 4> address,
                                                    std::array<std::uint8_t, 4> mask, bool inverted) {
    const auto length = prefix_length(std::as_bytes(std::span(mask)));
    if (!length) {
        rule.more_conditions = true;
        return std::nullopt;
    }
    if (*length == 0 && !inverted) return std::nullopt;
    const auto prefix = IpPrefix::make(address_of(address), *length);
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

PacketRule form_of(const XtRule& in) {
    PacketRule rule;
    rule.number = in.number;
    rule.packets = in.packets;
    const auto inverted = [&](unsigned bit) { return (in.ip.inverted & bit) != 0; };
    rule.source = prefix_condition(rule, in.ip.source, in.ip.source_mask, inverted(IPT_INV_SRCIP));
    rule.destination =
        prefix_condition(rule, in.ip.destination, in.ip.destination_mask, inverted(IPT_INV_DSTIP));
    if (in.ip.protocol != 0)
        rule.protocol = {static_cast<std::uint8_t>(in.ip.protocol), inverted(IPT_INV_PROTO)};
    rule.bytes = in.bytes;
    rule.input = interface_condition(in.ip.input, inverted(IPT_INV_VIA_IN));
    rule.output = interface_condition(in.ip.output, inverted(IPT_INV_VIA_OUT));
    if ((in.ip.flags & IPT_F_FRAG) != 0) rule.more_conditions = true;
    for (const auto& match : in.matches)
        take_match(rule, match);
    if (in.target.name.empty()) {
        take_verdict(rule, in.verdict, in.jump);
    } else {
        take_target(rule, in.target);
    }
    return rule;
}

}  // namespace

std::vector<RuleChain> rule_chains(const XtTable& table, const std::string& name) {
    std::vector<RuleChain> out;
    std::map<std::string, std::size_t> places;
    for (const auto& chain : table.chains) {
        std::optional<NftHook> hook;
        if (chain.hook) hook = {*chain.hook, priority_of(name, *chain.hook)};
        places.emplace(chain.name, out.size());
        out.push_back({true, name, chain.name, hook, chain.hook && name == "nat", {}, false});
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
