#include "daemon/kernel/rule_parts.hpp"

#include <algorithm>
#include <bit>

#include <arpa/inet.h>  // before the kernel's headers, which then leave out what it has
#include <linux/netfilter.h>
#include <linux/netfilter/nf_nat.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/xt_tcpudp.h>

namespace netlab::kernel::rule_parts {

namespace {

using Bytes = std::span<const std::byte>;

void take_ports(PacketRule& rule, const std::uint16_t (&source)[2], const std::uint16_t (&destination)[2],
                bool source_inverted, bool destination_inverted) {
    const auto take = [](const std::uint16_t(&ports)[2], bool inverted) {
        std::optional<Condition<PortRange>> out;
        if (ports[0] != 0 || ports[1] != 0xFFFF || inverted)
            out = Condition<PortRange>{{ports[0], ports[1]}, inverted};
        return out;
    };
    rule.source_port = take(source, source_inverted);
    rule.destination_port = take(destination, destination_inverted);
}

struct NatRange {
    std::uint32_t flags = 0;
    IpAddress address;
    std::uint16_t port = 0;
};

/// Revision 0 is IPv4's older struct; the later ones begin alike.
std::optional<NatRange> nat_range(const XtExtension& target) {
    const Bytes info(target.info);
    if (target.revision == 0) {
        nf_nat_ipv4_multi_range_compat multi;
        if (!read(info, multi) || multi.rangesize != 1) return std::nullopt;
        const auto& range = multi.range[0];
        return NatRange{range.flags, address_of(std::as_bytes(std::span(&range.min_ip, 1))),
                        big_endian(std::as_bytes(std::span(&range.min.all, 1)))};
    }
    nf_nat_range range;
    if (!read(info, range)) return std::nullopt;
    return NatRange{range.flags, address_of(std::as_bytes(std::span(&range.min_addr.ip, 1))),
                    big_endian(std::as_bytes(std::span(&range.min_proto.all, 1)))};
}

}  // namespace

std::uint16_t big_endian(Bytes bytes) {
    return static_cast<std::uint16_t>(std::to_integer<unsigned>(bytes[0]) << 8 |
                                      std::to_integer<unsigned>(bytes[1]));
}

IpAddress address_of(std::array<std::uint8_t, 4> octets) {
    return IpAddress::from_bytes(octets);
}

IpAddress address_of(Bytes bytes) {
    std::array<std::uint8_t, 4> octets{};
    for (std::size_t i = 0; i < std::min(bytes.size(), octets.size()); ++i)
        octets[i] = std::to_integer<std::uint8_t>(bytes[i]);
    return address_of(octets);
}

std::optional<unsigned> prefix_length(Bytes mask) {
    unsigned length = 0;
    bool ended = false;
    for (const auto byte : mask) {
        const auto value = std::to_integer<std::uint8_t>(byte);
        const auto ones = static_cast<unsigned>(std::countl_one(value));
        if (static_cast<std::uint8_t>(value << ones) != 0 && ones < 8) return std::nullopt;
        if (ended && value != 0) return std::nullopt;
        ended = ended || ones < 8;
        length += ones;
    }
    return length;
}

void take_match(PacketRule& rule, const XtExtension& match) {
    if (match.name == "comment") return;
    if (match.name == "udp") {
        xt_udp info;
        if (read(Bytes(match.info), info)) {
            rule.protocol = {IPPROTO_UDP, false};
            return take_ports(rule, info.spts, info.dpts, (info.invflags & XT_UDP_INV_SRCPT) != 0,
                              (info.invflags & XT_UDP_INV_DSTPT) != 0);
        }
    }
    if (match.name == "tcp") {
        xt_tcp info;
        if (read(Bytes(match.info), info) && info.option == 0 && info.flg_mask == 0) {
            rule.protocol = {IPPROTO_TCP, false};
            return take_ports(rule, info.spts, info.dpts, (info.invflags & XT_TCP_INV_SRCPT) != 0,
                              (info.invflags & XT_TCP_INV_DSTPT) != 0);
        }
    }
    rule.more_conditions = true;
}

void take_target(PacketRule& rule, const XtExtension& target) {
    constexpr std::array going_on{"LOG", "NFLOG", "TRACE", "MARK", "CONNMARK"};
    if (std::ranges::find(going_on, target.name) != going_on.end()) return;
    struct Nat {
        std::string_view name;
        RuleAction action;
    };
    constexpr Nat nats[] = {{"DNAT", RuleAction::dnat},
                            {"SNAT", RuleAction::snat},
                            {"MASQUERADE", RuleAction::masquerade},
                            {"REDIRECT", RuleAction::redirect}};
    const auto* nat = std::ranges::find(nats, target.name, &Nat::name);
    const auto range = nat != std::end(nats) ? nat_range(target) : std::nullopt;
    if (!range) {
        rule.action = RuleAction::other;
        rule.other = target.name;
        return;
    }
    rule.action = nat->action;
    if ((range->flags & NF_NAT_RANGE_MAP_IPS) != 0) rule.to_address = range->address;
    if ((range->flags & NF_NAT_RANGE_PROTO_SPECIFIED) != 0) rule.to_port = range->port;
}

void take_verdict(PacketRule& rule, std::int32_t code, const std::string& chain) {
    rule.chain = chain;
    switch (code) {
        case NF_ACCEPT:
            rule.action = RuleAction::accept;
            break;
        case NF_DROP:
            rule.action = RuleAction::drop;
            break;
        case NFT_RETURN:
            rule.action = RuleAction::return_;
            break;
        case NFT_JUMP:
            rule.action = RuleAction::jump;
            break;
        case NFT_GOTO:
            rule.action = RuleAction::go_to;
            break;
        case NFT_CONTINUE:
            break;
        default:
            rule.action = RuleAction::other;
            rule.other = "verdict " + std::to_string(code);
    }
}

}  // namespace netlab::kernel::rule_parts
