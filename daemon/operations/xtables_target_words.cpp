#include "daemon/operations/xtables_text.hpp"

#include <algorithm>
#include <array>

#include <arpa/inet.h>  // before the kernel's headers, which then leave out what it has
#include <linux/netfilter.h>
#include <linux/netfilter/nf_nat.h>
#include <linux/netfilter/xt_CT.h>
#include <linux/netfilter/xt_LOG.h>
#include <linux/netfilter/xt_TCPMSS.h>
#include <linux/netfilter/xt_mark.h>
#include <linux/netfilter_ipv4/ipt_REJECT.h>
#include <linux/netfilter_ipv6/ip6t_REJECT.h>

/// Targets, as the `save` functions of iptables' extensions write them.
namespace netlab::operations {

namespace {

using Words = std::optional<std::string>;
using Bytes = std::span<const std::byte>;
using kernel::read;

std::string hexadecimal(std::uint32_t value) {
    char out[16];
    std::snprintf(out, sizeof out, "0x%x", value);
    return out;
}

std::string address_text(const nf_inet_addr& address, Family family) {
    char out[INET6_ADDRSTRLEN] = "";
    ::inet_ntop(family == Family::ipv4 ? AF_INET : AF_INET6, &address, out, sizeof out);
    return out;
}

/// Revision 0 is IPv4's older struct; the later ones begin as nf_nat_range.
std::optional<nf_nat_range> nat_range(const kernel::XtExtension& target) {
    nf_nat_range range{};
    if (target.revision == 0 && target.info.size() < sizeof range) {
        nf_nat_ipv4_multi_range_compat multi;
        if (!read(Bytes(target.info), multi) || multi.rangesize != 1) return std::nullopt;
        range.flags = multi.range[0].flags;
        range.min_addr.ip = multi.range[0].min_ip;
        range.max_addr.ip = multi.range[0].max_ip;
        range.min_proto = multi.range[0].min;
        range.max_proto = multi.range[0].max;
        return range;
    }
    return read(Bytes(target.info), range) ? std::optional(range) : std::nullopt;
}

std::string port_text(const nf_nat_range& range) {
    const auto first = ntohs(range.min_proto.all);
    const auto last = ntohs(range.max_proto.all);
    return std::to_string(first) + (first == last ? "" : "-" + std::to_string(last));
}

std::string nat_flags(const nf_nat_range& range) {
    std::string out;
    if ((range.flags & NF_NAT_RANGE_PROTO_RANDOM) != 0) out += " --random";
    if ((range.flags & NF_NAT_RANGE_PROTO_RANDOM_FULLY) != 0) out += " --random-fully";
    if ((range.flags & NF_NAT_RANGE_PERSISTENT) != 0) out += " --persistent";
    return out;
}

Words nat_words(const kernel::XtExtension& target, Family family, const std::string& option) {
    const auto range = nat_range(target);
    // A port range with a base (revision 2 of DNAT) is rare.
    if (!range || (range->flags & NF_NAT_RANGE_PROTO_OFFSET) != 0) return std::nullopt;
    std::string to;
    const bool ports = (range->flags & NF_NAT_RANGE_PROTO_SPECIFIED) != 0;
    if ((range->flags & NF_NAT_RANGE_MAP_IPS) != 0) {
        to = address_text(range->min_addr, family);
        const auto last = address_text(range->max_addr, family);
        if (last != to) to += "-" + last;
        if (ports && family == Family::ipv6) to = "[" + to + "]";
    }
    if (ports) to += ":" + port_text(*range);
    return " " + option + " " + to + nat_flags(*range);
}

Words local_nat_words(const kernel::XtExtension& target) {
    const auto range = nat_range(target);
    if (!range) return std::nullopt;
    const bool ports = (range->flags & NF_NAT_RANGE_PROTO_SPECIFIED) != 0;
    return (ports ? " --to-ports " + port_text(*range) : std::string()) + nat_flags(*range);
}

Words reject_words(Bytes info, Family family) {
    constexpr std::array names4{
        "icmp-net-unreachable", "icmp-host-unreachable", "icmp-proto-unreachable", "icmp-port-unreachable",
        "echo-reply",           "icmp-net-prohibited",   "icmp-host-prohibited",   "tcp-reset",
        "icmp-admin-prohibited"};
    constexpr std::array names6{
        "icmp6-no-route",         "icmp6-adm-prohibited", "icmp6-not-neighbour", "icmp6-addr-unreachable",
        "icmp6-port-unreachable", "icmp6-echo-reply",     "tcp-reset",           "icmp6-policy-fail",
        "icmp6-reject-route"};
    static_assert(IPT_TCP_RESET == 7 && IPT_ICMP_ADMIN_PROHIBITED == 8 && IP6T_TCP_RESET == 6);
    static_assert(sizeof(ipt_reject_info) == sizeof(ip6t_reject_info));
    std::uint32_t with = 0;
    if (!read(info, with) || with >= names4.size()) return std::nullopt;
    return std::string(" --reject-with ") + (family == Family::ipv4 ? names4 : names6)[with];
}

Words log_words(Bytes info) {
    xt_log_info log;
    if (!read(info, log)) return std::nullopt;
    const std::string prefix(log.prefix, ::strnlen(log.prefix, sizeof log.prefix));
    std::string out;
    if (!prefix.empty()) out += " --log-prefix " + quoted_word(prefix);
    constexpr unsigned usual_level = 4;
    if (log.level != usual_level) out += " --log-level " + std::to_string(log.level);
    if ((log.logflags & XT_LOG_TCPSEQ) != 0) out += " --log-tcp-sequence";
    if ((log.logflags & XT_LOG_TCPOPT) != 0) out += " --log-tcp-options";
    if ((log.logflags & XT_LOG_IPOPT) != 0) out += " --log-ip-options";
    if ((log.logflags & XT_LOG_UID) != 0) out += " --log-uid";
    if ((log.logflags & XT_LOG_MACDECODE) != 0) out += " --log-macdecode";
    return out;
}

Words mark_words(Bytes info, std::uint32_t revision) {
    xt_mark_tginfo2 mark;
    if (revision != 2 || !read(info, mark)) return std::nullopt;
    return " --set-xmark " + hexadecimal(mark.mark) + "/" + hexadecimal(mark.mask);
}

Words mss_words(Bytes info) {
    xt_tcpmss_info mss;
    if (!read(info, mss)) return std::nullopt;
    if (mss.mss == XT_TCPMSS_CLAMP_PMTU) return std::string(" --clamp-mss-to-pmtu");
    return " --set-mss " + std::to_string(mss.mss);
}

Words ct_words(Bytes info) {
    xt_ct_target_info ct;
    if (!read(info, ct) || ct.flags != XT_CT_NOTRACK) return std::nullopt;
    return std::string(" --notrack");
}

}  // namespace

std::optional<std::string> target_words(const kernel::XtExtension& target, Family family) {
    const Bytes info(target.info);
    if (target.name == "DNAT") return nat_words(target, family, "--to-destination");
    if (target.name == "SNAT") return nat_words(target, family, "--to-source");
    if (target.name == "MASQUERADE" || target.name == "REDIRECT") return local_nat_words(target);
    if (target.name == "REJECT") return reject_words(info, family);
    if (target.name == "LOG") return log_words(info);
    if (target.name == "MARK") return mark_words(info, target.revision);
    if (target.name == "TCPMSS") return mss_words(info);
    if (target.name == "CT") return ct_words(info);
    // They have nothing more to say.
    if (target.name == "NOTRACK" || target.name == "TRACE") return std::string();
    return std::nullopt;
}

std::string quoted_word(std::string_view text) {
    constexpr std::string_view plain = "_-0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    if (!text.empty() && text.find_first_not_of(plain) == text.npos) return std::string(text);
    std::string out = "\"";
    for (const char c : text) {
        if (c == '"' || c == '\\' || c == '\'') out += '\\';
        out += c;
    }
    return out + "\"";
}

}  // namespace netlab::operations
