#include "daemon/kernel/conntrack.hpp"

#include "daemon/kernel/ip_attribute.hpp"

#include <array>

#include <netinet/in.h>
// The kernel's own headers after the C library's.
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nf_conntrack_tcp.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>

namespace netlab::kernel {

namespace {

using Bytes = std::span<const std::byte>;

/// conntrack's numbers are big-endian; of one that is too short nothing is known.
template <class Number>
std::optional<Number> number(Bytes value) {
    if (value.size() < sizeof(Number)) return std::nullopt;
    std::uint64_t out = 0;
    for (const auto byte : value.first(sizeof(Number)))
        out = out << 8 | std::to_integer<std::uint64_t>(byte);
    return static_cast<Number>(out);
}

/// Half of what an IPv6 address makes of it would be another one.
struct Addresses {
    std::optional<IpAddress> source;
    std::optional<IpAddress> destination;
};

Addresses parse_addresses(Bytes data) {
    Addresses out;
    for_each_attribute(data, [&](int type, Bytes value) {
        const bool v4 = value.size() == 4 && (type == CTA_IP_V4_SRC || type == CTA_IP_V4_DST);
        const bool v6 = value.size() == 16 && (type == CTA_IP_V6_SRC || type == CTA_IP_V6_DST);
        if (!v4 && !v6) return;
        auto& which = type == CTA_IP_V4_SRC || type == CTA_IP_V6_SRC ? out.source : out.destination;
        which = ip_attribute(value);
    });
    return out;
}

/// False where it has no protocol.
bool parse_protocol(Bytes data, ConntrackTuple& out) {
    bool known = false;
    ConntrackIcmp icmp;
    bool has_icmp = false;
    for_each_attribute(data, [&](int type, Bytes value) {
        const auto byte = [&] { return number<std::uint8_t>(value).value_or(0); };
        switch (type) {
            case CTA_PROTO_NUM:
                known = !value.empty();
                out.protocol = byte();
                break;
            case CTA_PROTO_SRC_PORT:
                out.source_port = number<std::uint16_t>(value);
                break;
            case CTA_PROTO_DST_PORT:
                out.destination_port = number<std::uint16_t>(value);
                break;
            case CTA_PROTO_ICMP_ID:
            case CTA_PROTO_ICMPV6_ID:
                icmp.id = number<std::uint16_t>(value).value_or(0);
                break;
            case CTA_PROTO_ICMP_TYPE:
            case CTA_PROTO_ICMPV6_TYPE:
                icmp.type = byte();
                has_icmp = true;
                break;
            case CTA_PROTO_ICMP_CODE:
            case CTA_PROTO_ICMPV6_CODE:
                icmp.code = byte();
                break;
            default:
                break;
        }
    });
    if (has_icmp) out.icmp = icmp;
    return known;
}

/// False where it is no whole one.
bool parse_tuple(Bytes data, ConntrackTuple& out) {
    Addresses addresses;
    bool protocol = false;
    for_each_attribute(data, [&](int type, Bytes value) {
        if (type == CTA_TUPLE_IP) addresses = parse_addresses(value);
        if (type == CTA_TUPLE_PROTO) protocol = parse_protocol(value, out);
        if (type == CTA_TUPLE_ZONE) out.zone = number<std::uint16_t>(value);
    });
    if (!protocol || !addresses.source || !addresses.destination) return false;
    if (addresses.source->family() != addresses.destination->family()) return false;
    out.source = *addresses.source;
    out.destination = *addresses.destination;
    return true;
}

std::optional<std::uint8_t> parse_state(Bytes data) {
    // CTA_PROTOINFO_…_STATE is 1 of all three.
    static_assert(int{CTA_PROTOINFO_TCP_STATE} == CTA_PROTOINFO_DCCP_STATE &&
                  int{CTA_PROTOINFO_TCP_STATE} == CTA_PROTOINFO_SCTP_STATE);
    std::optional<std::uint8_t> state;
    for_each_attribute(data, [&](int type, Bytes value) {
        if (type != CTA_PROTOINFO_TCP && type != CTA_PROTOINFO_DCCP && type != CTA_PROTOINFO_SCTP) return;
        for_each_attribute(value, [&](int inner_type, Bytes inner) {
            if (inner_type == CTA_PROTOINFO_TCP_STATE) state = number<std::uint8_t>(inner);
        });
    });
    return state;
}

ConntrackCounter parse_counter(Bytes data) {
    ConntrackCounter out;
    for_each_attribute(data, [&](int type, Bytes value) {
        // Kernels before 3.1 had them in 32 bits.
        if (type == CTA_COUNTERS_PACKETS) out.packets = number<std::uint64_t>(value).value_or(0);
        if (type == CTA_COUNTERS32_PACKETS) out.packets = number<std::uint32_t>(value).value_or(0);
        if (type == CTA_COUNTERS_BYTES) out.bytes = number<std::uint64_t>(value).value_or(0);
        if (type == CTA_COUNTERS32_BYTES) out.bytes = number<std::uint32_t>(value).value_or(0);
    });
    return out;
}

void parse_times(Bytes data, Conntrack& out) {
    for_each_attribute(data, [&](int type, Bytes value) {
        if (type == CTA_TIMESTAMP_START) out.started_ns = number<std::uint64_t>(value);
        if (type == CTA_TIMESTAMP_STOP) out.stopped_ns = number<std::uint64_t>(value);
    });
    // It runs still.
    if (out.stopped_ns == std::uint64_t{0}) out.stopped_ns.reset();
}

std::string parse_helper(Bytes data) {
    std::string name;
    for_each_attribute(data, [&](int type, Bytes value) {
        if (type == CTA_HELP_NAME) name = text(value);
    });
    return name;
}

/// False where it has no two whole directions.
bool parse_entry(Bytes attributes, Conntrack& out) {
    bool original = false;
    bool reply = false;
    for_each_attribute(attributes, [&](int type, Bytes value) {
        switch (type) {
            case CTA_TUPLE_ORIG:
                original = parse_tuple(value, out.original);
                break;
            case CTA_TUPLE_REPLY:
                reply = parse_tuple(value, out.reply);
                break;
            case CTA_STATUS:
                out.status = number<std::uint32_t>(value).value_or(0);
                break;
            case CTA_PROTOINFO:
                out.state = parse_state(value);
                break;
            case CTA_HELP:
                out.helper = parse_helper(value);
                break;
            case CTA_TIMEOUT:
                out.timeout = number<std::uint32_t>(value);
                break;
            case CTA_MARK:
                out.mark = number<std::uint32_t>(value);
                break;
            case CTA_COUNTERS_ORIG:
                out.original_counter = parse_counter(value);
                break;
            case CTA_COUNTERS_REPLY:
                out.reply_counter = parse_counter(value);
                break;
            case CTA_USE:
                out.use = number<std::uint32_t>(value);
                break;
            case CTA_ID:
                out.id = number<std::uint32_t>(value).value_or(0);
                break;
            case CTA_ZONE:
                out.zone = number<std::uint16_t>(value);
                break;
            case CTA_TIMESTAMP:
                parse_times(value, out);
                break;
            default:
                break;
        }
    });
    return original && reply && out.original.source.family() == out.reply.source.family();
}

constexpr std::array<std::string_view, 10> tcp_states{
    "NONE",       "SYN_SENT", "SYN_RECV",  "ESTABLISHED", "FIN_WAIT",
    "CLOSE_WAIT", "LAST_ACK", "TIME_WAIT", "CLOSE",       "SYN_SENT2",
};
/// enum sctp_conntrack, ct_dccp_states.
constexpr std::array<std::string_view, 10> sctp_states{
    "NONE",          "CLOSED",        "COOKIE_WAIT",       "COOKIE_ECHOED",  "ESTABLISHED",
    "SHUTDOWN_SENT", "SHUTDOWN_RECD", "SHUTDOWN_ACK_SENT", "HEARTBEAT_SENT", "HEARTBEAT_ACKED",
};
constexpr std::array<std::string_view, 8> dccp_states{
    "NONE", "REQUEST", "RESPOND", "PARTOPEN", "OPEN", "CLOSEREQ", "CLOSING", "TIMEWAIT",
};

constexpr std::array<std::string_view, 16> status_names{
    "expected",  "seen_reply",   "assured",      "confirmed",  "src_nat",       "dst_nat",
    "seq_adj",   "src_nat_done", "dst_nat_done", "dying",      "fixed_timeout", "template",
    "nat_clash", "helper",       "offload",      "hw_offload",
};

}  // namespace

bool Conntrack::replied() const {
    return (status & IPS_SEEN_REPLY) != 0;
}

bool Conntrack::source_translated() const {
    return original.source != reply.destination || original.source_port != reply.destination_port;
}

bool Conntrack::destination_translated() const {
    return original.destination != reply.source || original.destination_port != reply.source_port;
}

std::string_view Conntrack::state_name() const {
    const auto name = [&](std::span<const std::string_view> names) {
        return state && *state < names.size() ? names[*state] : std::string_view();
    };
    switch (original.protocol) {
        case IPPROTO_TCP:
            return name(tcp_states);
        case IPPROTO_SCTP:
            return name(sctp_states);
        case IPPROTO_DCCP:
            return name(dccp_states);
        default:
            return {};
    }
}

std::vector<std::string> conntrack_status_names(std::uint32_t status) {
    std::vector<std::string> out;
    for (std::size_t bit = 0; bit < status_names.size(); ++bit) {
        if ((status >> bit & 1U) != 0) out.emplace_back(status_names[bit]);
    }
    return out;
}

std::uint64_t parse_conntrack(Bytes bytes, const TakeConntrack& take) {
    std::uint64_t left_out = 0;
    nlmsghdr header;
    while (kernel::read(bytes, header)) {
        if (header.nlmsg_len < sizeof header || header.nlmsg_len > bytes.size()) break;
        const auto message = bytes.subspan(sizeof header, header.nlmsg_len - sizeof header);
        bytes = bytes.subspan(std::min(bytes.size(), std::size_t{NLMSG_ALIGN(header.nlmsg_len)}));
        const bool created = header.nlmsg_type == (NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_NEW);
        const bool destroyed = header.nlmsg_type == (NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_DELETE);
        if (!created && !destroyed) continue;
        Conntrack entry;
        if (message.size() < sizeof(nfgenmsg) || !parse_entry(message.subspan(sizeof(nfgenmsg)), entry)) {
            ++left_out;
            continue;
        }
        auto change = destroyed ? ConntrackChange::destroyed : ConntrackChange::updated;
        if (created && (header.nlmsg_flags & NLM_F_CREATE) != 0) change = ConntrackChange::created;
        take(change, entry);
    }
    return left_out;
}

void parse_conntrack_statistics(Bytes bytes, ConntrackStatistics& out) {
    const auto add = [](std::optional<std::uint64_t>& sum, Bytes value) {
        if (const auto more = number<std::uint32_t>(value)) sum = sum.value_or(0) + *more;
    };
    for_each_message(bytes, [&](std::uint16_t type, Bytes message) {
        const auto attributes = message.subspan(std::min(message.size(), sizeof(nfgenmsg)));
        if (type == (NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_GET_STATS)) {
            for_each_attribute(attributes, [&](int which, Bytes value) {
                if (which == CTA_STATS_GLOBAL_ENTRIES) out.entries = number<std::uint32_t>(value);
                if (which == CTA_STATS_GLOBAL_MAX_ENTRIES) out.maximum = number<std::uint32_t>(value);
            });
        }
        if (type == (NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_GET_STATS_CPU)) {
            for_each_attribute(attributes, [&](int which, Bytes value) {
                if (which == CTA_STATS_DROP) add(out.dropped, value);
                if (which == CTA_STATS_EARLY_DROP) add(out.early_dropped, value);
                if (which == CTA_STATS_INSERT_FAILED) add(out.insert_failed, value);
            });
        }
    });
}

}  // namespace netlab::kernel
