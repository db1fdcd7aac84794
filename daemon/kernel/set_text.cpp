#include "daemon/kernel/rule_parts.hpp"

#include <algorithm>

#include <linux/netfilter/nf_tables.h>
#include <net/if.h>
#include <netinet/in.h>

namespace netlab::kernel::rule_parts {

namespace {

using Bytes = std::span<const std::byte>;

constexpr std::string_view icmpv6 = "ipv6-icmp";  // protocol_name()

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
        case PacketField::icmp_type:
            return transport == icmpv6 ? "icmpv6 type" : "icmp type";
    }
    return {};
}

/// nullopt: of a kind that is not written out.
std::optional<std::string> value_text(PacketField field, Bytes value, const std::string& transport) {
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
        case PacketField::icmp_type:
            if (value.empty()) return std::nullopt;
            return icmp_type_text(std::to_integer<std::uint8_t>(value[0]), transport == icmpv6);
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
std::string elements_text(const SetCondition& condition, const std::string& transport) {
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
        const auto value = element->key.empty()
                               ? std::nullopt
                               : value_text(condition.fields.front(), element->key, transport);
        if (!value) return "{ … }";
        text += (text.empty() ? " " : ", ") + *value;
        if (!element->key_end.empty())
            text += "-" + value_text(condition.fields.front(), element->key_end, transport).value_or("…");
        if (element->verdict) text += " : " + verdict_text(*element->verdict);
    }
    return "{" + text + " }";
}

/// By what the key has left for its addresses: tables of inet have sets of either family.
bool has_ipv6(const SetCondition& condition) {
    const auto is_address = [](PacketField field) {
        return field == PacketField::source || field == PacketField::destination;
    };
    const auto is_name = [](PacketField field) {
        return field == PacketField::input || field == PacketField::output;
    };
    std::size_t left = condition.set->key_length;
    for (const auto field : condition.fields) {
        const std::size_t width = is_name(field) ? IFNAMSIZ : NFT_REG32_SIZE;
        if (!is_address(field)) left -= std::min(left, width);
    }
    const auto addresses = static_cast<std::size_t>(std::ranges::count_if(condition.fields, is_address));
    return left > addresses * sizeof(in_addr);
}

std::string text_of(const SetCondition& condition, const std::string& transport, const std::string& between) {
    const auto& set = *condition.set;
    const bool v4 = !has_ipv6(condition);
    std::string text;
    for (const auto field : condition.fields)
        text += (text.empty() ? "" : " . ") + field_name(field, v4, transport);
    const bool anonymous = (set.flags & NFT_SET_ANONYMOUS) != 0;
    return text + between + (anonymous ? elements_text(condition, transport) : "@" + set.name);
}

}  // namespace

std::string set_text(const SetCondition& condition, const std::string& transport) {
    return text_of(condition, transport, condition.inverted ? " != " : " ");
}

std::string vmap_text(const SetCondition& condition, const std::string& transport) {
    return text_of(condition, transport, " vmap ");
}

}  // namespace netlab::kernel::rule_parts
