#include "daemon/kernel/rule_parts.hpp"

#include <algorithm>

#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>

namespace netlab::kernel::rule_parts {

namespace {

using Bytes = std::span<const std::byte>;

std::string field_name(PacketField field, bool v4, const std::string& transport) {
    switch (field) {
        case PacketField::source:
            return v4 ? "ip saddr" : "ip6 saddr";
        case PacketField::destination:
            return v4 ? "ip daddr" : "ip6 daddr";
        case PacketField::protocol:
            return "meta l4proto";
        case PacketField::source_port:
            return transport + " sport";
        case PacketField::destination_port:
            return transport + " dport";
        case PacketField::input:
            return "iifname";
        case PacketField::output:
            return "oifname";
        case PacketField::mark:
            return "meta mark";
        case PacketField::flow:
            return "ct state";
        case PacketField::destination_kind:
            return "fib daddr type";
    }
    return {};
}

/// nullopt: of a kind that is not written out.
std::optional<std::string> value_text(PacketField field, Bytes value) {
    switch (field) {
        case PacketField::source:
        case PacketField::destination:
            if (value.size() != 4 && value.size() != 16) return std::nullopt;
            return address_of(value, value.size() == 4 ? Family::ipv4 : Family::ipv6).to_string();
        case PacketField::source_port:
        case PacketField::destination_port:
            if (value.size() < 2) return std::nullopt;
            return std::to_string(big_endian(value));
        case PacketField::protocol:
            if (value.empty()) return std::nullopt;
            return protocol_name(std::to_integer<std::uint8_t>(value[0]));
        case PacketField::input:
        case PacketField::output: {
            std::string name;
            for (const auto byte : value) {
                if (byte == std::byte{0}) break;
                name += std::to_integer<char>(byte);
            }
            return '"' + name + '"';
        }
        case PacketField::flow: {
            std::uint32_t bits = 0;
            if (!kernel::read(value, bits)) return std::nullopt;
            return flow_text(bits);
        }
        default:
            return std::nullopt;
    }
}

std::string verdict_text(const NftVerdict& verdict) {
    PacketRule rule;
    take_verdict(rule, verdict.code, verdict.chain);
    return rule.action == RuleAction::none ? "continue" : rule.to_string();
}

/// "{ 22, 80-90 }" where it is one field's and short, and its ranges are not told by their boundaries.
std::string elements_text(const SetCondition& condition) {
    constexpr std::size_t most = 15;
    const auto& set = *condition.set;
    const bool plain = condition.fields.size() == 1 && set.complete &&
                       ((set.flags & NFT_SET_INTERVAL) == 0 || !set.fields.empty()) &&
                       set.elements.size() <= most;
    if (!plain) return "{ … }";
    // Of a hash table they come in any order.
    std::vector<const NftElement*> sorted;
    for (const auto& element : set.elements)
        sorted.push_back(&element);
    std::ranges::sort(sorted, {}, &NftElement::key);
    std::string text;
    for (const auto* element : sorted) {
        const auto value =
            element->key.empty() ? std::nullopt : value_text(condition.fields.front(), element->key);
        if (!value) return "{ … }";
        text += (text.empty() ? " " : ", ") + *value;
        if (!element->key_end.empty())
            text += "-" + value_text(condition.fields.front(), element->key_end).value_or("…");
        if (element->verdict) text += " : " + verdict_text(*element->verdict);
    }
    return "{" + text + " }";
}

std::string text_of(const SetCondition& condition, const std::string& transport, const std::string& between) {
    const auto& set = *condition.set;
    const bool v4 = set.family != NFPROTO_IPV6 && (condition.fields.size() != 1 || set.key_length != 16 ||
                                                   (condition.fields.front() != PacketField::source &&
                                                    condition.fields.front() != PacketField::destination));
    std::string text;
    for (const auto field : condition.fields)
        text += (text.empty() ? "" : " . ") + field_name(field, v4, transport);
    const bool anonymous = (set.flags & NFT_SET_ANONYMOUS) != 0;
    return text + between + (anonymous ? elements_text(condition) : "@" + set.name);
}

}  // namespace

std::string set_text(const SetCondition& condition, const std::string& transport) {
    return text_of(condition, transport, condition.inverted ? " != " : " ");
}

std::string vmap_text(const SetCondition& condition, const std::string& transport) {
    return text_of(condition, transport, " vmap ");
}

}  // namespace netlab::kernel::rule_parts
