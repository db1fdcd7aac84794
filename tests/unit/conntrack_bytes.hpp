#pragma once

#include "daemon/kernel/conntrack.hpp"
#include "tests/unit/netlink_bytes.hpp"

#include <array>

#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <netinet/in.h>

/// Conntrack's messages as the kernel writes them: numbers are big-endian.
namespace netlab::test {

template <class Number>
void big_endian(NetlinkBytes& out, std::uint16_t type, Number number) {
    std::array<std::byte, sizeof(Number)> bytes;
    for (std::size_t i = 0; i < sizeof(Number); ++i)
        bytes[i] =
            static_cast<std::byte>(static_cast<std::uint64_t>(number) >> (8 * (sizeof(Number) - 1 - i)));
    out.bytes(type, bytes);
}

/// The fields of a tuple; `ports` are source and destination.
struct TupleText {
    std::string source;
    std::string destination;
    std::uint8_t protocol = IPPROTO_TCP;
    std::uint16_t source_port = 0;
    std::uint16_t destination_port = 0;
};

inline NetlinkBytes tuple_addresses(const TupleText& tuple) {
    const bool v6 = tuple.source.find(':') != tuple.source.npos;
    NetlinkBytes out;
    out.address(v6 ? CTA_IP_V6_SRC : CTA_IP_V4_SRC, tuple.source);
    out.address(v6 ? CTA_IP_V6_DST : CTA_IP_V4_DST, tuple.destination);
    return out;
}

inline NetlinkBytes port_tuple(const TupleText& tuple) {
    NetlinkBytes protocol;
    protocol.attribute(CTA_PROTO_NUM, tuple.protocol);
    big_endian(protocol, CTA_PROTO_SRC_PORT, tuple.source_port);
    big_endian(protocol, CTA_PROTO_DST_PORT, tuple.destination_port);
    NetlinkBytes out;
    out.nested(CTA_TUPLE_IP, tuple_addresses(tuple));
    out.nested(CTA_TUPLE_PROTO, protocol);
    return out;
}

inline NetlinkBytes icmp_tuple(const TupleText& tuple, std::uint8_t type, std::uint16_t id) {
    const bool v6 = tuple.protocol == IPPROTO_ICMPV6;
    NetlinkBytes protocol;
    protocol.attribute(CTA_PROTO_NUM, tuple.protocol);
    big_endian(protocol, v6 ? CTA_PROTO_ICMPV6_ID : CTA_PROTO_ICMP_ID, id);
    protocol.attribute(v6 ? CTA_PROTO_ICMPV6_TYPE : CTA_PROTO_ICMP_TYPE, type);
    protocol.attribute(v6 ? CTA_PROTO_ICMPV6_CODE : CTA_PROTO_ICMP_CODE, std::uint8_t{0});
    NetlinkBytes out;
    out.nested(CTA_TUPLE_IP, tuple_addresses(tuple));
    out.nested(CTA_TUPLE_PROTO, protocol);
    return out;
}

inline constexpr std::uint16_t conntrack_new = NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_NEW;
inline constexpr std::uint16_t conntrack_delete = NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_DELETE;

/// An established TCP connection to a published port, with all that the kernel may tell of it.
inline NetlinkBytes whole_entry(std::uint16_t type = conntrack_new) {
    NetlinkBytes out;
    out.begin(type, nfgenmsg{AF_INET, NFNETLINK_V0, 0});
    out.nested(CTA_TUPLE_ORIG, port_tuple({"198.51.100.9", "198.51.100.1", IPPROTO_TCP, 40000, 8080}));
    out.nested(CTA_TUPLE_REPLY, port_tuple({"172.17.0.4", "198.51.100.9", IPPROTO_TCP, 80, 40000}));
    big_endian(out, CTA_STATUS,
               std::uint32_t{IPS_CONFIRMED | IPS_SEEN_REPLY | IPS_ASSURED | IPS_DST_NAT | IPS_DST_NAT_DONE});
    big_endian(out, CTA_TIMEOUT, std::uint32_t{431'999});
    NetlinkBytes tcp;
    tcp.attribute(CTA_PROTOINFO_TCP_STATE, std::uint8_t{3});
    NetlinkBytes protocol;
    protocol.nested(CTA_PROTOINFO_TCP, tcp);
    out.nested(CTA_PROTOINFO, protocol);
    for (const std::uint16_t counters : {CTA_COUNTERS_ORIG, CTA_COUNTERS_REPLY}) {
        NetlinkBytes both;
        big_endian(both, CTA_COUNTERS_PACKETS, std::uint64_t{counters});
        big_endian(both, CTA_COUNTERS_BYTES, std::uint64_t{1} << 33);
        out.nested(counters, both);
    }
    NetlinkBytes times;
    big_endian(times, CTA_TIMESTAMP_START, std::uint64_t{1'700'000'000'000'000'001});
    out.nested(CTA_TIMESTAMP, times);
    NetlinkBytes helper;
    helper.text(CTA_HELP_NAME, "ftp");
    out.nested(CTA_HELP, helper);
    big_endian(out, CTA_MARK, std::uint32_t{7});
    big_endian(out, CTA_ZONE, std::uint16_t{5});
    big_endian(out, CTA_ID, std::uint32_t{0xCAFE0001});
    big_endian(out, CTA_USE, std::uint32_t{2});
    return out;
}

}  // namespace netlab::test
