#include "daemon/kernel/packet_rule.hpp"
#include "daemon/kernel/rule_parts.hpp"

#include <algorithm>
#include <array>

#include <net/if_arp.h>
#include <netinet/in.h>

namespace netlab::kernel {

namespace {

using rule_parts::flow_text;
using rule_parts::ports_text;
using rule_parts::prefix_text;
using rule_parts::protocol_name;

template <class T, class Write>
std::string condition(const char* what, const std::optional<Condition<T>>& condition, Write write) {
    if (!condition) return {};
    return std::string(what) + (condition->inverted ? " != " : " ") + write(condition->value) + " ";
}

std::string mark_text(const MarkBits& bits) {
    return rule_parts::mark_text(bits.value, bits.mask);
}

/// "syn / fin,syn,rst,ack", "== syn"; where one of them is enough just these.
std::string tcp_flags_text(const Condition<TcpFlags>& flags) {
    const auto names = [](std::uint8_t bits) {
        constexpr std::array all{"fin", "syn", "rst", "psh", "ack", "urg", "ecn", "cwr"};
        std::string text;
        for (std::size_t i = 0; i < all.size(); ++i) {
            if ((bits >> i & 1) != 0) text += (text.empty() ? "" : ",") + std::string(all[i]);
        }
        return text.empty() ? std::string("0x0") : text;
    };
    const auto& [value, mask] = flags.value;
    constexpr std::uint8_t whole = 0xFF;
    if (value == 0 && flags.inverted) return names(mask);
    if (mask == whole) return (flags.inverted ? "!= " : "== ") + names(value);
    return (flags.inverted ? "!= " : "") + names(value) + " / " + names(mask);
}

std::string nat_text(const char* action, const PacketRule& rule) {
    std::string text = action;
    if (!rule.to_address && !rule.to_port) return text;
    text += " to ";
    if (rule.to_address)
        text += rule.to_address->is_v6() && rule.to_port ? "[" + rule.to_address->to_string() + "]"
                                                         : rule.to_address->to_string();
    if (rule.to_port) text += ":" + std::to_string(*rule.to_port);
    return text;
}

std::string action_text(const PacketRule& rule) {
    switch (rule.action) {
        case RuleAction::none:
            return {};
        case RuleAction::accept:
            return "accept";
        case RuleAction::drop:
            return "drop";
        case RuleAction::reject:
            return "reject";
        case RuleAction::return_:
            return "return";
        case RuleAction::jump:
            return "jump " + rule.chain;
        case RuleAction::go_to:
            return "goto " + rule.chain;
        case RuleAction::dnat:
            return nat_text("dnat", rule);
        case RuleAction::snat:
            return nat_text("snat", rule);
        case RuleAction::masquerade:
            return nat_text("masquerade", rule);
        case RuleAction::redirect:
            return nat_text("redirect", rule);
        case RuleAction::other:
            break;
    }
    return rule.other;
}

std::string arp_operation_text(std::uint16_t operation) {
    if (operation == ARPOP_REQUEST) return "request";
    return operation == ARPOP_REPLY ? "reply" : std::to_string(operation);
}

/// Without the mark that it sets, which is not known.
std::string effects_text(const PacketRule& rule) {
    std::string text = rule.untracks ? "notrack " : "";
    if (!rule.zone) return text;
    const auto& number = rule.zone->of_answers;
    return text + "ct zone set " + (number ? std::to_string(*number) : std::string("…")) + " ";
}

}  // namespace

std::string PacketRule::to_string() const {
    const auto quoted_name = [](const std::string& name) {
        return name.starts_with('/') ? "#" + name.substr(1) : '"' + name + '"';
    };
    const auto word = [&](const std::optional<Condition<IpPrefix>>& prefix, const std::string& name) {
        if (arp) return "arp " + name + " ip";
        return (prefix && prefix->value.address().is_v6() ? "ip6 " : "ip ") + name;
    };
    std::string text = condition("iifname", input, quoted_name) + condition("oifname", output, quoted_name) +
                       condition("arp operation", arp_operation, arp_operation_text) +
                       condition(word(source, "saddr").c_str(), source, prefix_text) +
                       condition(word(destination, "daddr").c_str(), destination, prefix_text);
    if (destination_local) text += *destination_local ? "fib daddr type local " : "fib daddr type != local ";
    if (reverse_path) text += *reverse_path ? "fib saddr . iif oif exists " : "fib saddr . iif oif missing ";
    const bool status = flow && (flow->value & ~(flow_has_snat | flow_has_dnat)) == 0;
    text += condition(status ? "ct status" : "ct state", flow, flow_text) +
            condition("meta mark", mark, mark_text);
    const auto has_port = [](const SetCondition& set) {
        return std::ranges::any_of(set.fields, [](PacketField field) {
            return field == PacketField::source_port || field == PacketField::destination_port;
        });
    };
    const bool ports = source_port || destination_port || tcp_flags || icmp_type ||
                       std::ranges::any_of(sets, has_port) || (verdicts && has_port(*verdicts));
    const auto name = protocol && !protocol->inverted ? protocol_name(protocol->value) : std::string();
    if (!ports || name.empty()) text += condition("meta l4proto", protocol, protocol_name);
    const auto transport = name.empty() ? std::string("th") : name;
    text += condition((transport + " sport").c_str(), source_port, ports_text);
    text += condition((transport + " dport").c_str(), destination_port, ports_text);
    if (tcp_flags) text += "tcp flags " + tcp_flags_text(*tcp_flags) + " ";
    const bool v6 = protocol && protocol->value == IPPROTO_ICMPV6;
    text += condition(v6 ? "icmpv6 type" : "icmp type", icmp_type,
                      [&](std::uint8_t type) { return rule_parts::icmp_type_text(type, v6); });
    if (routing_header) text += "exthdr rt exists ";
    for (const auto& set : sets)
        text += rule_parts::set_text(set, transport) + " ";
    if (more_conditions) text += "… ";
    text += effects_text(*this);
    text += verdicts ? rule_parts::vmap_text(*verdicts, transport) : action_text(*this);
    if (text.ends_with(' ')) text.pop_back();
    if (!comment.empty()) text += rule_parts::comment_text(comment);
    return text;
}

}  // namespace netlab::kernel
