#include "daemon/kernel/rule_parts.hpp"

#include "daemon/kernel/route_names.hpp"

#include <algorithm>
#include <bit>

#include <arpa/inet.h>  // before the kernel's headers, which then leave out what it has
#include <linux/netfilter.h>
#include <linux/netfilter/nf_nat.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/xt_CT.h>
#include <linux/netfilter/xt_addrtype.h>
#include <linux/netfilter/xt_connmark.h>
#include <linux/netfilter/xt_conntrack.h>
#include <linux/netfilter/xt_mark.h>
#include <linux/netfilter/xt_multiport.h>
#include <linux/netfilter/xt_rpfilter.h>
#include <linux/netfilter/xt_state.h>
#include <linux/netfilter/xt_tcpudp.h>
#include <linux/netfilter_ipv4/ip_tables.h>
#include <linux/netfilter_ipv6/ip6_tables.h>
#include <netinet/icmp6.h>
#include <netinet/ip_icmp.h>

namespace netlab::kernel::rule_parts {

namespace {

using Bytes = std::span<const std::byte>;

void take_ports(PacketRule& rule, const std::uint16_t (&source)[2], const std::uint16_t (&destination)[2],
                bool source_inverted, bool destination_inverted) {
    // What a multiport before it has said stays.
    const auto put = [&](std::optional<Condition<PortRange>>& slot, const std::uint16_t(&ports)[2],
                         bool inverted) {
        constexpr std::uint16_t last = 0xFFFF;
        if (ports[0] == 0 && ports[1] == last && !inverted) return;
        const Condition<PortRange> condition{{ports[0], ports[1]}, inverted};
        if (slot && !(*slot == condition)) {
            rule.more_conditions = true;
        } else {
            slot = condition;
        }
    };
    put(rule.source_port, source, source_inverted);
    put(rule.destination_port, destination, destination_inverted);
}

struct NatRange {
    std::uint32_t flags = 0;
    IpAddress address;
    std::uint16_t port = 0;
};

/// Revision 0 of IPv4 is an older struct; the others begin alike.
std::optional<NatRange> nat_range(const XtExtension& target, Family family) {
    const Bytes info(target.info);
    if (target.revision == 0 && family == Family::ipv4) {
        nf_nat_ipv4_multi_range_compat multi;
        if (!read(info, multi) || multi.rangesize != 1) return std::nullopt;
        const auto& range = multi.range[0];
        return NatRange{range.flags, address_of(std::as_bytes(std::span(&range.min_ip, 1))),
                        big_endian(std::as_bytes(std::span(&range.min.all, 1)))};
    }
    nf_nat_range range;
    if (!read(info, range)) return std::nullopt;
    return NatRange{range.flags, address_of(std::as_bytes(std::span(&range.min_addr, 1)), family),
                    big_endian(std::as_bytes(std::span(&range.min_proto.all, 1)))};
}

/// -m addrtype --dst-type LOCAL, and what is none.
bool take_address_type(PacketRule& rule, const XtExtension& match) {
    constexpr unsigned local = 1U << 2;  // RTN_LOCAL
    bool inverted = false;
    std::uint16_t source = 0;
    std::uint16_t destination = 0;
    if (match.revision == 0) {
        xt_addrtype_info info;
        if (!read(Bytes(match.info), info)) return false;
        source = info.source;
        destination = info.dest;
        inverted = info.invert_dest != 0;
    } else {
        xt_addrtype_info_v1 info;
        constexpr unsigned limits = XT_ADDRTYPE_LIMIT_IFACE_IN | XT_ADDRTYPE_LIMIT_IFACE_OUT;
        if (!read(Bytes(match.info), info) || (info.flags & limits) != 0) return false;
        source = info.source;
        destination = info.dest;
        inverted = (info.flags & XT_ADDRTYPE_INVERT_DEST) != 0;
    }
    if (destination == 0 || rule.destination_local) return false;
    // What is of another kind (broadcast, multicast, …) is not local; more is not known of it.
    if ((destination & local) == 0 && !inverted) rule.destination_local = false;
    if (destination == local) rule.destination_local = !inverted;
    return source == 0 && destination == local;
}

/// -m conntrack --ctstate and -m state: their bits are the same.
bool take_flow(PacketRule& rule, const XtExtension& match) {
    if (rule.flow) return false;
    if (match.name == "state") {
        xt_state_info info;
        if (!read(Bytes(match.info), info)) return false;
        rule.flow = {info.statemask & ~unsigned{XT_STATE_UNTRACKED}, false};
        if ((info.statemask & XT_STATE_UNTRACKED) != 0) rule.flow->value |= flow_is_untracked;
        return true;
    }
    constexpr std::uint32_t revision = 3;
    xt_conntrack_mtinfo3 info;
    if (match.revision != revision || !read(Bytes(match.info), info) ||
        info.match_flags != XT_CONNTRACK_STATE)
        return false;
    rule.flow = {info.state_mask, (info.invert_flags & XT_CONNTRACK_STATE) != 0};
    return true;
}

bool take_mark(PacketRule& rule, const XtExtension& match) {
    xt_mark_mtinfo1 info;
    if (match.revision != 1 || rule.mark || !read(Bytes(match.info), info)) return false;
    rule.mark = {{info.mark, info.mask}, info.invert != 0};
    return true;
}

/// -m icmp and -m icmp6: struct ipt_icmp of linux/netfilter_ipv4/ip_tables.h, struct ip6t_icmp.
bool take_icmp_type(PacketRule& rule, const XtExtension& match) {
    ipt_icmp info;
    static_assert(sizeof info == sizeof(ip6t_icmp));
    constexpr std::uint8_t any = 0xFF;
    const int protocol = match.name == "icmp" ? int{IPPROTO_ICMP} : int{IPPROTO_ICMPV6};
    // An echo's code is 0.
    if (rule.icmp_type || !read(Bytes(match.info), info)) return false;
    rule.protocol = {static_cast<std::uint8_t>(protocol), false};
    if (info.type != any) rule.icmp_type = {info.type, (info.invflags & IPT_ICMP_INV) != 0};
    return info.code[0] == 0 && (info.type != any || info.invflags == 0);
}

bool take_routing_header(PacketRule& rule, const XtExtension&) {
    rule.routing_header = true;
    return true;
}

/// A looser question than the rule's own has the same answer where there is a way back.
bool take_reverse_path(PacketRule& rule, const XtExtension& match) {
    xt_rpfilter_info info;
    if (rule.reverse_path || !read(Bytes(match.info), info)) return false;
    rule.reverse_path = (info.flags & XT_RPFILTER_INVERT) == 0;
    return true;
}

std::vector<std::byte> port_bytes(unsigned port) {
    return {std::byte(port >> 8), std::byte(port & 0xFF)};
}

/// -m multiport: one port or one range, or several as a set of ranges.
bool take_multiport(PacketRule& rule, const XtExtension& match) {
    xt_multiport_v1 info;
    if (match.revision != 1 || !read(Bytes(match.info), info) || info.flags == XT_MULTIPORT_EITHER ||
        info.count == 0 || info.count > XT_MULTI_PORTS) {
        return false;
    }
    const bool source = info.flags == XT_MULTIPORT_SOURCE;
    auto& slot = source ? rule.source_port : rule.destination_port;
    const bool range = info.count == 2 && info.pflags[0] != 0;
    if ((info.count == 1 || range) && !slot) {
        slot = {{info.ports[0], info.ports[range ? 1 : 0]}, info.invert != 0};
        return true;
    }
    NftSet ports;
    ports.flags = NFT_SET_ANONYMOUS | NFT_SET_CONSTANT | NFT_SET_INTERVAL;
    ports.key_length = 2;
    ports.fields = {2};
    ports.complete = true;
    for (unsigned i = 0; i < info.count; ++i) {
        const bool begins = info.pflags[i] != 0 && i + 1U < info.count;
        auto& element = ports.elements.emplace_back();
        element.key = port_bytes(info.ports[i]);
        if (begins) element.key_end = port_bytes(info.ports[++i]);
    }
    rule.sets.push_back({{source ? PacketField::source_port : PacketField::destination_port},
                         info.invert != 0,
                         std::make_shared<const NftSet>(std::move(ports))});
    return true;
}

/// Its third revision has what shifts the mark before the mode.
bool restores_mark(const XtExtension& target) {
    if (xt_connmark_tginfo1 info; target.revision <= 1 && read(Bytes(target.info), info))
        return info.mode == XT_CONNMARK_RESTORE;
    xt_connmark_tginfo2 info;
    return !read(Bytes(target.info), info) || info.mode == XT_CONNMARK_RESTORE;
}

/// How struct xt_ct_target_info begins, whatever its revision.
struct CtBegin {
    std::uint16_t flags;
    std::uint16_t zone;
};

std::optional<FlowZone> zone_of(const CtBegin& info) {
    if ((info.flags & XT_CT_ZONE_MARK) != 0) return FlowZone{};
    if (info.zone == 0) return std::nullopt;
    // What answers is looked up as if there were none.
    const bool only_there = (info.flags & XT_CT_ZONE_DIR_ORIG) != 0;
    return FlowZone{only_there ? std::uint16_t{0} : info.zone};
}

/// What a target that lets the rule go on changes of the packet.
void take_effect(PacketRule& rule, const XtExtension& target) {
    if (target.name == "MARK" || target.name == "NOTRACK")
        (target.name == "MARK" ? rule.sets_mark : rule.untracks) = true;
    if (target.name == "CONNMARK") rule.sets_mark = restores_mark(target);
    // The struct of its first revision begins as the later ones do.
    if (CtBegin info; target.name == "CT" && read(Bytes(target.info), info)) {
        rule.untracks = (info.flags & XT_CT_NOTRACK) != 0;
        rule.zone = zone_of(info);
    }
}

}  // namespace

std::string interface_by_index(std::uint32_t index) {
    return "/" + std::to_string(index);  // no interface's name has this
}

std::uint16_t big_endian(Bytes bytes) {
    return static_cast<std::uint16_t>(std::to_integer<unsigned>(bytes[0]) << 8 |
                                      std::to_integer<unsigned>(bytes[1]));
}

IpAddress address_of(std::array<std::uint8_t, 4> octets) {
    return IpAddress::from_bytes(octets);
}

IpAddress address_of(Bytes bytes, Family family) {
    std::array<std::uint8_t, 16> octets{};
    const std::size_t length = family == Family::ipv4 ? 4 : octets.size();
    for (std::size_t i = 0; i < std::min(bytes.size(), length); ++i)
        octets[i] = std::to_integer<std::uint8_t>(bytes[i]);
    return IpAddress::from_bytes(std::span(octets).first(length));
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

std::string comment_of(Bytes info) {
    const std::string_view bytes(reinterpret_cast<const char*>(info.data()), info.size());
    return std::string(bytes.substr(0, bytes.find('\0')));
}

std::string comment_text(std::string_view comment) {
    std::string out = " comment \"";
    for (const char c : comment) {
        if (c == '"' || c == '\\') out += '\\';
        out += c == '\n' ? ' ' : c;
    }
    return out + "\"";
}

void take_match(PacketRule& rule, const XtExtension& match) {
    if (match.name == "comment") {
        rule.comment = comment_of(match.info);
        return;
    }
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
        if (read(Bytes(match.info), info) && info.option == 0 && (info.invflags & XT_TCP_INV_OPTION) == 0) {
            rule.protocol = {IPPROTO_TCP, false};
            const bool inverted = (info.invflags & XT_TCP_INV_FLAGS) != 0;
            if (info.flg_mask != 0 || inverted) rule.tcp_flags = {{info.flg_cmp, info.flg_mask}, inverted};
            return take_ports(rule, info.spts, info.dpts, (info.invflags & XT_TCP_INV_SRCPT) != 0,
                              (info.invflags & XT_TCP_INV_DSTPT) != 0);
        }
    }
    struct Known {
        std::string_view name;
        bool (*take)(PacketRule&, const XtExtension&);
    };
    constexpr Known known[] = {{"addrtype", take_address_type},
                               {"conntrack", take_flow},
                               {"state", take_flow},
                               {"mark", take_mark},
                               {"rpfilter", take_reverse_path},
                               {"icmp", take_icmp_type},
                               {"icmp6", take_icmp_type},
                               {"rt", take_routing_header},
                               {"multiport", take_multiport}};
    const auto* found = std::ranges::find(known, match.name, &Known::name);
    if (found == std::end(known) || !found->take(rule, match)) rule.more_conditions = true;
}

void take_target(PacketRule& rule, const XtExtension& target, Family family) {
    constexpr std::array going_on{"LOG",    "NFLOG",    "TRACE", "MARK",   "CONNMARK",
                                  "TCPMSS", "CHECKSUM", "CT",    "NOTRACK"};
    if (std::ranges::find(going_on, target.name) != going_on.end()) return take_effect(rule, target);
    if (target.name == "REJECT") {
        rule.action = RuleAction::reject;
        return;
    }
    struct Nat {
        std::string_view name;
        RuleAction action;
    };
    constexpr Nat nats[] = {{"DNAT", RuleAction::dnat},
                            {"SNAT", RuleAction::snat},
                            {"MASQUERADE", RuleAction::masquerade},
                            {"REDIRECT", RuleAction::redirect}};
    const auto* nat = std::ranges::find(nats, target.name, &Nat::name);
    const auto range = nat != std::end(nats) ? nat_range(target, family) : std::nullopt;
    if (!range) {
        rule.action = RuleAction::other;
        rule.other = target.name;
        return;
    }
    rule.action = nat->action;
    if ((range->flags & NF_NAT_RANGE_MAP_IPS) != 0) rule.to_address = range->address;
    if ((range->flags & NF_NAT_RANGE_PROTO_SPECIFIED) != 0) rule.to_port = range->port;
}

std::string prefix_text(const IpPrefix& prefix) {
    const unsigned whole = prefix.address().is_v4() ? 32 : 128;
    return prefix.length() == whole ? prefix.address().to_string() : prefix.to_string();
}

std::string ports_text(const std::pair<std::uint16_t, std::uint16_t>& ports) {
    const auto first = std::to_string(ports.first);
    return ports.first == ports.second ? first : first + "-" + std::to_string(ports.second);
}

std::string mark_text(std::uint32_t mark, std::uint32_t mask) {
    const auto value = hexadecimal(mark);
    return mask == 0xFFFFFFFF ? value : value + "/" + hexadecimal(mask);
}

std::string protocol_name(std::uint8_t protocol) {
    switch (protocol) {
        case IPPROTO_TCP:
            return "tcp";
        case IPPROTO_UDP:
            return "udp";
        case IPPROTO_ICMP:
            return "icmp";
        case IPPROTO_ICMPV6:
            return "ipv6-icmp";
        case IPPROTO_SCTP:
            return "sctp";
        default:
            return std::to_string(protocol);
    }
}

std::string icmp_type_text(std::uint8_t type, bool v6) {
    if (type == (v6 ? ICMP6_ECHO_REQUEST : ICMP_ECHO)) return "echo-request";
    if (type == (v6 ? ICMP6_ECHO_REPLY : ICMP_ECHOREPLY)) return "echo-reply";
    return std::to_string(type);
}

std::string flow_text(std::uint32_t bits) {
    struct Name {
        std::uint32_t bit;
        const char* name;
    };
    constexpr Name names[] = {
        {1, "invalid"},         {flow_is_established, "established"}, {4, "related"},
        {flow_is_new, "new"},   {flow_is_untracked, "untracked"},     {flow_has_snat, "snat"},
        {flow_has_dnat, "dnat"}};
    std::string text;
    for (const auto& [bit, name] : names) {
        if ((bits & bit) != 0) text += (text.empty() ? "" : ",") + std::string(name);
    }
    return text.empty() ? std::to_string(bits) : text;
}

std::size_t field_length(PacketField field, std::size_t address) {
    switch (field) {
        case PacketField::source:
        case PacketField::destination:
            return address;
        case PacketField::protocol:
        case PacketField::icmp_type:
            return 1;
        case PacketField::source_port:
        case PacketField::destination_port:
            return 2;
        case PacketField::input:
        case PacketField::output:
            return 16;  // IFNAMSIZ
        default:
            return sizeof(std::uint32_t);
    }
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
