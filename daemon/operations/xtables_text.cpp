#include "daemon/operations/xtables_text.hpp"

#include "daemon/kernel/rule_parts.hpp"
#include "daemon/operations/protocol_names.hpp"

#include <algorithm>
#include <map>

#include <arpa/inet.h>  // before the kernel's headers, which then leave out what it has
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter_ipv4/ip_tables.h>
#include <linux/netfilter_ipv6/ip6_tables.h>

namespace netlab::operations {

namespace {

using kernel::XtRule;

/// "-s 192.0.2.0/24"; a mask with holes is written as an address.
void add_prefix(std::string& text, const char* option, std::span<const std::uint8_t> address,
                std::span<const std::uint8_t> mask, bool inverted) {
    const auto length = kernel::rule_parts::prefix_length(std::as_bytes(mask));
    if (length == 0U && !inverted) return;
    const auto written = [](std::span<const std::uint8_t> bytes) {
        char out[INET6_ADDRSTRLEN] = "";
        ::inet_ntop(bytes.size() == sizeof(in_addr) ? AF_INET : AF_INET6, bytes.data(), out, sizeof out);
        return std::string(out);
    };
    text += (inverted ? " ! " : " ") + std::string(option) + " " + written(address) + "/" +
            (length ? std::to_string(*length) : written(mask));
}

void add_name(std::string& text, const char* option, const std::string& name, bool inverted) {
    if (!name.empty()) text += (inverted ? " ! " : " ") + std::string(option) + " " + name;
}

void add_addresses(std::string& text, const XtRule& rule) {
    const auto inverted = [&](unsigned bit) { return (rule.ip.inverted & bit) != 0; };
    if (rule.ip6) {
        const auto& ip = *rule.ip6;
        add_prefix(text, "-s", ip.source, ip.source_mask, inverted(IP6T_INV_SRCIP));
        add_prefix(text, "-d", ip.destination, ip.destination_mask, inverted(IP6T_INV_DSTIP));
    } else {
        add_prefix(text, "-s", rule.ip.source, rule.ip.source_mask, inverted(IPT_INV_SRCIP));
        add_prefix(text, "-d", rule.ip.destination, rule.ip.destination_mask, inverted(IPT_INV_DSTIP));
    }
    add_name(text, "-i", rule.ip.input, inverted(IPT_INV_VIA_IN));
    add_name(text, "-o", rule.ip.output, inverted(IPT_INV_VIA_OUT));
    const bool with_protocol = !rule.ip6 || (rule.ip.flags & IP6T_F_PROTO) != 0 || rule.ip.protocol != 0;
    if (with_protocol && rule.ip.protocol != 0) {
        const auto* name = protocol_name(rule.ip.protocol);
        add_name(text, "-p", name != nullptr ? name : std::to_string(rule.ip.protocol),
                 inverted(XT_INV_PROTO));
    }
    if (!rule.ip6 && (rule.ip.flags & IPT_F_FRAG) != 0) text += inverted(IPT_INV_FRAG) ? " ! -f" : " -f";
}

void add_match(RuleText& out, const kernel::XtExtension& match, Family family) {
    out.text += " -m " + match_name(match);
    if (const auto words = match_words(match, family)) {
        out.text += *words;
    } else {
        out.text += " [not decoded]";
        out.undecoded = true;
    }
    if (match.name == "comment") out.comment = kernel::rule_parts::comment_of(match.info);
}

void add_verdict(RuleText& out, const XtRule& rule) {
    switch (rule.verdict) {
        case NF_ACCEPT:
            out.text += " -j ACCEPT";
            break;
        case NF_DROP:
            out.text += " -j DROP";
            break;
        case NF_QUEUE:
            out.text += " -j QUEUE";
            break;
        case NFT_RETURN:
            out.text += " -j RETURN";
            break;
        case NFT_CONTINUE:
            break;
        case NFT_JUMP:
            out.text += " -j " + rule.jump;
            break;
        case NFT_GOTO:
            out.text += " -g " + rule.jump;
            break;
        default:
            out.text += " -j [not decoded]";
            out.undecoded = true;
    }
}

RuleText rule_text(const XtRule& rule, Family family) {
    RuleText out;
    out.number = rule.number;
    out.packets = rule.packets;
    out.bytes = rule.bytes;
    add_addresses(out.text, rule);
    for (const auto& match : rule.matches)
        add_match(out, match, family);
    if (rule.target.name.empty()) {
        add_verdict(out, rule);
    } else {
        out.text += " -j " + rule.target.name;
        const auto words = target_words(rule.target, family);
        out.text += words.value_or(" [not decoded]");
        out.undecoded = out.undecoded || !words;
    }
    if (!out.text.empty()) out.text.erase(0, 1);
    return out;
}

/// The priorities of the tables (include/uapi/linux/netfilter_ipv4.h, NF_IP_PRI_*).
std::int32_t priority_of(std::string_view table, std::uint32_t hook) {
    constexpr std::int32_t raw = -300;
    constexpr std::int32_t mangle = -150;
    constexpr std::int32_t destination_nat = -100;
    constexpr std::int32_t security = 50;
    constexpr std::int32_t source_nat = 100;
    if (table == "raw") return raw;
    if (table == "mangle") return mangle;
    if (table == "security") return security;
    if (table != "nat") return 0;
    return hook == NF_INET_POST_ROUTING || hook == NF_INET_LOCAL_IN ? source_nat : destination_nat;
}

HookText hook_text(std::string_view table, std::uint32_t hook) {
    constexpr std::array names{"prerouting", "input", "forward", "output", "postrouting"};
    HookText out;
    out.type = table == "nat" ? "nat" : "filter";
    out.hook = names.at(hook);
    out.priority = priority_of(table, hook);
    out.priority_name = std::to_string(out.priority);
    return out;
}

std::string policy_name(std::int32_t verdict) {
    if (verdict == NF_ACCEPT) return "accept";
    return verdict == NF_DROP ? "drop" : "";
}

}  // namespace

TableText legacy_table(const kernel::XtTable& table, Family family, std::string name) {
    TableText out;
    out.backend = RuleBackend::iptables_legacy;
    out.family = family == Family::ipv4 ? "ip" : "ip6";
    out.name = std::move(name);
    std::map<std::string, std::size_t, std::less<>> places;
    for (const auto& chain : table.chains) {
        // The end of the table looks like the head of a chain with this name.
        if (!chain.hook && chain.name == XT_ERROR_TARGET) continue;
        places.emplace(chain.name, out.chains.size());
        auto& added = out.chains.emplace_back();
        added.name = chain.name;
        if (chain.hook && *chain.hook < NF_INET_NUMHOOKS) added.hook = hook_text(out.name, *chain.hook);
    }
    std::vector<const XtRule*> last(out.chains.size());
    for (const auto& rule : table.rules) {
        const auto place = places.find(rule.chain);
        if (place == places.end()) continue;
        auto& before = last[place->second];
        if (before != nullptr) out.chains[place->second].rules.push_back(rule_text(*before, family));
        before = &rule;
    }
    // What ends a chain is no rule: a hook's policy, another's return.
    for (std::size_t i = 0; i < last.size(); ++i) {
        auto& chain = out.chains[i];
        if (last[i] == nullptr || !chain.hook) continue;
        chain.hook->policy = policy_name(last[i]->verdict);
        chain.packets = last[i]->packets;
        chain.bytes = last[i]->bytes;
    }
    return out;
}

}  // namespace netlab::operations
