#include "daemon/kernel/rule.hpp"

#include "daemon/kernel/ip_attribute.hpp"

#include <linux/rtnetlink.h>

namespace netlab::kernel {

namespace {

constexpr std::uint32_t none = 0xFFFFFFFF;

std::optional<std::pair<std::uint16_t, std::uint16_t>> ports(std::span<const std::byte> value) {
    fib_rule_port_range range;
    if (!read(value, range)) return std::nullopt;
    return std::pair(range.start, range.end);
}

std::optional<std::uint64_t> big_endian(std::span<const std::byte> value) {
    if (value.size() < 8) return std::nullopt;
    std::uint64_t number = 0;
    for (const auto byte : value.first(8))
        number = number << 8 | std::to_integer<std::uint64_t>(byte);
    return number;
}

void take_number(int type, std::uint32_t number, Rule& rule) {
    switch (type) {
        case FRA_PRIORITY:
            rule.priority = number;
            break;
        case FRA_TABLE:
            rule.table = number;
            break;
        case FRA_FWMARK:
            rule.mark = number;
            break;
        case FRA_FWMASK:
            rule.mask = number;
            break;
        case FRA_GOTO:
            rule.goto_priority = number;
            break;
        case FRA_FLOW:
            rule.realms = number;
            break;
        case FRA_SUPPRESS_PREFIXLEN:
            if (number != none) rule.suppress_prefix_length = number;
            break;
        case FRA_SUPPRESS_IFGROUP:
            if (number != none) rule.suppress_group = number;
            break;
        default:
            break;
    }
}

void take_attribute(int type, std::span<const std::byte> value, Rule& rule) {
    std::uint8_t byte = 0;
    const bool any = read(value, byte);
    if (std::uint32_t number = 0; read(value, number)) take_number(type, number, rule);
    switch (type) {
        case FRA_IIFNAME:
            rule.input = text(value);
            break;
        case FRA_OIFNAME:
            rule.output = text(value);
            break;
        case FRA_TUN_ID:
            rule.tunnel = big_endian(value);
            break;
        case FRA_UID_RANGE:
            if (fib_rule_uid_range range; read(value, range)) rule.uids = {range.start, range.end};
            break;
        case FRA_SPORT_RANGE:
            rule.source_ports = ports(value);
            break;
        case FRA_DPORT_RANGE:
            rule.destination_ports = ports(value);
            break;
        case FRA_IP_PROTO:
            if (any) rule.ip_protocol = byte;
            break;
        case FRA_PROTOCOL:
            if (any) rule.protocol = byte;
            break;
        case FRA_L3MDEV:
            rule.l3mdev = any && byte != 0;
            break;
        default:
            break;
    }
}

std::optional<Rule> parse_rule(std::span<const std::byte> message) {
    fib_rule_hdr header;
    if (!read(message, header) || (header.family != AF_INET && header.family != AF_INET6))
        return std::nullopt;
    Rule rule;
    rule.family = header.family;
    rule.action = header.action;
    rule.tos = header.tos;
    rule.flags = header.flags;
    rule.table = header.table;
    auto from = any_address(header.family);
    auto to = from;
    for_each_attribute(message.subspan(sizeof header), [&](int type, std::span<const std::byte> value) {
        const auto address = ip_attribute(value);
        const bool fits = address && address->family() == to.family();
        if (type == FRA_SRC && fits) from = *address;
        if (type == FRA_DST && fits) to = *address;
        take_attribute(type, value, rule);
    });
    const auto from_prefix = IpPrefix::make(from, header.src_len);
    const auto to_prefix = IpPrefix::make(to, header.dst_len);
    if (!from_prefix || !to_prefix) return std::nullopt;
    if (header.src_len != 0) rule.from = *from_prefix;
    if (header.dst_len != 0) rule.to = *to_prefix;
    // The kernel always says a mask; only with a mark to compare, or a mark of 0 asked for, is it a
    // condition.
    if (rule.mark == 0 && rule.mask == 0U) rule.mask.reset();
    return rule;
}

}  // namespace

std::vector<Rule> parse_rules(std::span<const std::byte> bytes) {
    std::vector<Rule> out;
    for_each_message(bytes, [&](std::uint16_t type, std::span<const std::byte> message) {
        if (type != RTM_NEWRULE) return;
        if (auto rule = parse_rule(message)) out.push_back(std::move(*rule));
    });
    return out;
}

Result<Dump<Rule>> dump_rules(int route_socket) {
    DumpRequest<fib_rule_hdr> request(RTM_GETRULE);
    const auto raw = dump(route_socket, request.bytes());
    if (!raw) return raw.error();
    Dump<Rule> rules{parse_rules(raw->rows), raw->consistent, raw->notified};
    std::ranges::stable_sort(rules.rows, {}, &Rule::family);
    return rules;
}

}  // namespace netlab::kernel
