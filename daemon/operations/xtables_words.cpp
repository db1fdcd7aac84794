#include "daemon/operations/xtables_text.hpp"

#include <algorithm>
#include <array>

#include <arpa/inet.h>  // before the kernel's headers, which then leave out what it has
#include <linux/netfilter.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/xt_addrtype.h>
#include <linux/netfilter/xt_conntrack.h>
#include <linux/netfilter/xt_iprange.h>
#include <linux/netfilter/xt_limit.h>
#include <linux/netfilter/xt_mark.h>
#include <linux/netfilter/xt_multiport.h>
#include <linux/netfilter/xt_owner.h>
#include <linux/netfilter/xt_physdev.h>
#include <linux/netfilter/xt_state.h>
#include <linux/netfilter/xt_tcpudp.h>
#include <linux/netfilter_ipv4/ip_tables.h>
#include <linux/netfilter_ipv6/ip6_tables.h>

/// Matches, as the `save` functions of iptables' extensions write them.
namespace netlab::operations {

namespace {

using Words = std::optional<std::string>;
using Bytes = std::span<const std::byte>;
using kernel::read;

std::string sign(bool inverted) {
    return inverted ? " ! " : " ";
}

std::string hexadecimal(std::uint64_t value) {
    char out[32];
    std::snprintf(out, sizeof out, "0x%llx", static_cast<unsigned long long>(value));
    return out;
}

std::string ports(const std::uint16_t (&range)[2]) {
    const auto first = std::to_string(range[0]);
    return range[0] == range[1] ? first : first + ":" + std::to_string(range[1]);
}

std::string port_words(const char* option, const std::uint16_t (&range)[2], bool inverted) {
    if (range[0] == 0 && range[1] == 0xFFFF && !inverted) return {};
    return sign(inverted) + option + " " + ports(range);
}

/// Names of bits, in this order, with commas.
struct Bit {
    std::uint32_t bit;
    const char* name;
};
std::string bit_names(std::span<const Bit> bits, std::uint32_t value) {
    std::string out;
    for (const auto& [bit, name] : bits) {
        if ((value & bit) != 0) out += (out.empty() ? "" : ",") + std::string(name);
    }
    return out;
}

Words tcp_words(Bytes info, Family /*family*/) {
    constexpr std::array flags{Bit{1, "FIN"}, Bit{2, "SYN"},  Bit{4, "RST"},
                               Bit{8, "PSH"}, Bit{16, "ACK"}, Bit{32, "URG"}};
    xt_tcp tcp;
    if (!read(info, tcp)) return std::nullopt;
    const auto inverted = [&](unsigned bit) { return (tcp.invflags & bit) != 0; };
    auto out = port_words("--sport", tcp.spts, inverted(XT_TCP_INV_SRCPT)) +
               port_words("--dport", tcp.dpts, inverted(XT_TCP_INV_DSTPT));
    if (tcp.option != 0 || inverted(XT_TCP_INV_OPTION))
        out += sign(inverted(XT_TCP_INV_OPTION)) + "--tcp-option " + std::to_string(tcp.option);
    if (tcp.flg_mask != 0 || inverted(XT_TCP_INV_FLAGS)) {
        const auto compared = bit_names(flags, tcp.flg_cmp);
        out += sign(inverted(XT_TCP_INV_FLAGS)) + "--tcp-flags " + bit_names(flags, tcp.flg_mask) + " " +
               (compared.empty() ? "NONE" : compared);
    }
    return out;
}

Words udp_words(Bytes info, Family /*family*/) {
    xt_udp udp;
    if (!read(info, udp)) return std::nullopt;
    return port_words("--sport", udp.spts, (udp.invflags & XT_UDP_INV_SRCPT) != 0) +
           port_words("--dport", udp.dpts, (udp.invflags & XT_UDP_INV_DSTPT) != 0);
}

/// ipt_icmp and ip6t_icmp are alike.
Words icmp_words(Bytes info, Family family) {
    static_assert(sizeof(ipt_icmp) == sizeof(ip6t_icmp));
    ipt_icmp icmp;
    if (!read(info, icmp)) return std::nullopt;
    const bool inverted = (icmp.invflags & IPT_ICMP_INV) != 0;
    const std::string option = family == Family::ipv4 ? "--icmp-type " : "--icmpv6-type ";
    const bool any = family == Family::ipv4 && icmp.type == 0xFF;
    auto out = sign(inverted) + option + (any ? "any" : std::to_string(icmp.type));
    const bool every_code = icmp.code[0] == 0 && icmp.code[1] == 0xFF;
    if (!every_code) out += "/" + std::to_string(icmp.code[0]);
    return out;
}

Words multiport_words(Bytes info, Family /*family*/) {
    xt_multiport_v1 multi;
    if (!read(info, multi) || multi.count > XT_MULTI_PORTS) return std::nullopt;
    constexpr std::array options{"--sports ", "--dports ", "--ports "};
    if (multi.flags >= options.size()) return std::nullopt;
    std::string out = sign(multi.invert != 0) + options[multi.flags];
    for (std::size_t i = 0; i < multi.count; ++i) {
        const bool range_end = i > 0 && multi.pflags[i - 1] != 0;
        if (i > 0) out += range_end ? ":" : ",";
        out += std::to_string(multi.ports[i]);
    }
    return out;
}

Words comment_words(Bytes info, Family /*family*/) {
    std::string_view text(reinterpret_cast<const char*>(info.data()), info.size());
    text = text.substr(0, text.find('\0'));
    return " --comment " + quoted_word(text);
}

constexpr std::array state_bits{Bit{XT_CONNTRACK_STATE_INVALID, "INVALID"},
                                Bit{XT_CONNTRACK_STATE_BIT(IP_CT_NEW), "NEW"},
                                Bit{XT_CONNTRACK_STATE_BIT(IP_CT_RELATED), "RELATED"},
                                Bit{XT_CONNTRACK_STATE_BIT(IP_CT_ESTABLISHED), "ESTABLISHED"},
                                Bit{XT_CONNTRACK_STATE_UNTRACKED, "UNTRACKED"},
                                Bit{XT_CONNTRACK_STATE_SNAT, "SNAT"},
                                Bit{XT_CONNTRACK_STATE_DNAT, "DNAT"}};

/// Revisions 1 to 3 differ in what comes before `match_flags` only by the width of the masks behind it.
Words conntrack_words(Bytes info, std::uint32_t revision) {
    std::uint32_t flags = 0;
    std::uint32_t inverted = 0;
    std::uint32_t states = 0;
    const auto take = [&](const auto& match) {
        flags = match.match_flags;
        inverted = match.invert_flags;
        states = match.state_mask;
    };
    xt_conntrack_mtinfo1 first;
    xt_conntrack_mtinfo2 second;
    xt_conntrack_mtinfo3 third;
    if (revision == 1 && read(info, first)) {
        take(first);
    } else if (revision == 2 && read(info, second)) {
        take(second);
    } else if (revision == 3 && read(info, third)) {
        take(third);
    } else {
        return std::nullopt;
    }
    // Addresses, ports, status and the like of a connection are rarely asked for.
    constexpr std::uint32_t told = XT_CONNTRACK_STATE | XT_CONNTRACK_STATE_ALIAS;
    if ((flags & ~told) != 0) return std::nullopt;
    if ((flags & XT_CONNTRACK_STATE) == 0) return std::string();
    const bool is_state = (flags & XT_CONNTRACK_STATE_ALIAS) != 0;
    return sign((inverted & XT_CONNTRACK_STATE) != 0) + (is_state ? "--state " : "--ctstate ") +
           bit_names(state_bits, states);
}

Words state_words(Bytes info, Family /*family*/) {
    xt_state_info state;
    if (!read(info, state)) return std::nullopt;
    return " --state " + bit_names(std::span(state_bits).first(5), state.statemask);
}

Words addrtype_words(Bytes info, std::uint32_t revision) {
    constexpr std::array types{
        Bit{1U << 0, "UNSPEC"},    Bit{1U << 1, "UNICAST"},     Bit{1U << 2, "LOCAL"},
        Bit{1U << 3, "BROADCAST"}, Bit{1U << 4, "ANYCAST"},     Bit{1U << 5, "MULTICAST"},
        Bit{1U << 6, "BLACKHOLE"}, Bit{1U << 7, "UNREACHABLE"}, Bit{1U << 8, "PROHIBIT"},
        Bit{1U << 9, "THROW"},     Bit{1U << 10, "NAT"},        Bit{1U << 11, "XRESOLVE"}};
    xt_addrtype_info_v1 address;
    if (revision != 1 || !read(info, address)) return std::nullopt;
    std::string out;
    if (address.source != 0)
        out += sign((address.flags & XT_ADDRTYPE_INVERT_SOURCE) != 0) + "--src-type " +
               bit_names(types, address.source);
    if (address.dest != 0)
        out += sign((address.flags & XT_ADDRTYPE_INVERT_DEST) != 0) + "--dst-type " +
               bit_names(types, address.dest);
    if ((address.flags & XT_ADDRTYPE_LIMIT_IFACE_IN) != 0) out += " --limit-iface-in";
    if ((address.flags & XT_ADDRTYPE_LIMIT_IFACE_OUT) != 0) out += " --limit-iface-out";
    return out;
}

Words mark_words(Bytes info, std::uint32_t revision) {
    xt_mark_mtinfo1 mark;
    if (revision != 1 || !read(info, mark)) return std::nullopt;
    return sign(mark.invert != 0) + "--mark " + hexadecimal(mark.mark) +
           (mark.mask == 0xFFFFFFFF ? "" : "/" + hexadecimal(mark.mask));
}

Words limit_words(Bytes info, Family /*family*/) {
    xt_rateinfo rate;
    if (!read(info, rate) || rate.avg == 0) return std::nullopt;
    struct Unit {
        const char* name;
        std::uint32_t length;
    };
    constexpr std::uint32_t second = XT_LIMIT_SCALE;
    constexpr std::array units{Unit{"day", second * 24 * 60 * 60}, Unit{"hour", second * 60 * 60},
                               Unit{"min", second * 60}, Unit{"sec", second}};
    // As libxt_limit's print_rate(): the shortest time that the rate is whole in.
    std::size_t i = 1;
    for (; i < units.size(); ++i) {
        if (rate.avg > units[i].length || units[i].length / rate.avg < units[i].length % rate.avg) break;
    }
    std::string out = " --limit " + std::to_string(units[i - 1].length / rate.avg) + "/" + units[i - 1].name;
    constexpr std::uint32_t usual_burst = 5;
    if (rate.burst != usual_burst) out += " --limit-burst " + std::to_string(rate.burst);
    return out;
}

Words iprange_words(Bytes info, std::uint32_t revision, Family family) {
    xt_iprange_mtinfo range;
    if (revision != 1 || !read(info, range)) return std::nullopt;
    const auto written = [&](const nf_inet_addr& address) {
        char out[INET6_ADDRSTRLEN] = "";
        ::inet_ntop(family == Family::ipv4 ? AF_INET : AF_INET6, &address, out, sizeof out);
        return std::string(out);
    };
    std::string out;
    if ((range.flags & IPRANGE_SRC) != 0)
        out += sign((range.flags & IPRANGE_SRC_INV) != 0) + "--src-range " + written(range.src_min) + "-" +
               written(range.src_max);
    if ((range.flags & IPRANGE_DST) != 0)
        out += sign((range.flags & IPRANGE_DST_INV) != 0) + "--dst-range " + written(range.dst_min) + "-" +
               written(range.dst_max);
    return out;
}

Words owner_words(Bytes info, std::uint32_t revision) {
    xt_owner_match_info owner;
    if (revision != 1 || !read(info, owner) || (owner.match & ~(XT_OWNER_UID | XT_OWNER_GID)) != 0)
        return std::nullopt;
    const auto range = [](std::uint32_t first, std::uint32_t last) {
        return std::to_string(first) + (first == last ? "" : "-" + std::to_string(last));
    };
    std::string out;
    if ((owner.match & XT_OWNER_UID) != 0)
        out +=
            sign((owner.invert & XT_OWNER_UID) != 0) + "--uid-owner " + range(owner.uid_min, owner.uid_max);
    if ((owner.match & XT_OWNER_GID) != 0)
        out +=
            sign((owner.invert & XT_OWNER_GID) != 0) + "--gid-owner " + range(owner.gid_min, owner.gid_max);
    return out;
}

Words physdev_words(Bytes info, Family /*family*/) {
    xt_physdev_info device;
    if (!read(info, device)) return std::nullopt;
    const auto name = [](const char(&bytes)[IFNAMSIZ]) {
        return std::string(bytes, ::strnlen(bytes, IFNAMSIZ));
    };
    const auto inverted = [&](unsigned bit) { return sign((device.invert & bit) != 0); };
    std::string out;
    if ((device.bitmask & XT_PHYSDEV_OP_ISIN) != 0) out += inverted(XT_PHYSDEV_OP_ISIN) + "--physdev-is-in";
    if ((device.bitmask & XT_PHYSDEV_OP_IN) != 0)
        out += inverted(XT_PHYSDEV_OP_IN) + "--physdev-in " + name(device.physindev);
    if ((device.bitmask & XT_PHYSDEV_OP_ISOUT) != 0)
        out += inverted(XT_PHYSDEV_OP_ISOUT) + "--physdev-is-out";
    if ((device.bitmask & XT_PHYSDEV_OP_OUT) != 0)
        out += inverted(XT_PHYSDEV_OP_OUT) + "--physdev-out " + name(device.physoutdev);
    if ((device.bitmask & XT_PHYSDEV_OP_BRIDGED) != 0)
        out += inverted(XT_PHYSDEV_OP_BRIDGED) + "--physdev-is-bridged";
    return out;
}

}  // namespace

std::string match_name(const kernel::XtExtension& match) {
    xt_conntrack_mtinfo3 third;
    const bool is_state = match.name == "conntrack" && match.revision == 3 &&
                          read(Bytes(match.info), third) &&
                          (third.match_flags & XT_CONNTRACK_STATE_ALIAS) != 0;
    return is_state ? "state" : match.name;
}

std::optional<std::string> match_words(const kernel::XtExtension& match, Family family) {
    const Bytes info(match.info);
    if (match.name == "conntrack") return conntrack_words(info, match.revision);
    if (match.name == "addrtype") return addrtype_words(info, match.revision);
    if (match.name == "mark") return mark_words(info, match.revision);
    if (match.name == "iprange") return iprange_words(info, match.revision, family);
    if (match.name == "owner") return owner_words(info, match.revision);
    if (match.name == "multiport" && match.revision != 1) return std::nullopt;
    struct Known {
        std::string_view name;
        Words (*words)(Bytes, Family);
    };
    constexpr std::array known{Known{"tcp", tcp_words},
                               Known{"udp", udp_words},
                               Known{"icmp", icmp_words},
                               Known{"icmp6", icmp_words},
                               Known{"multiport", multiport_words},
                               Known{"comment", comment_words},
                               Known{"state", state_words},
                               Known{"limit", limit_words},
                               Known{"physdev", physdev_words}};
    const auto found = std::ranges::find(known, std::string_view(match.name), &Known::name);
    return found == known.end() ? std::nullopt : found->words(info, family);
}

}  // namespace netlab::operations
