#include "daemon/kernel/nft_trace.hpp"

#include <array>
#include <cerrno>

#include <arpa/inet.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <sys/socket.h>

namespace netlab::kernel {

namespace {

using Bytes = std::span<const std::byte>;

/// nf_tables' numbers are big-endian.
template <class Number>
Number big_endian(Bytes value) {
    std::uint64_t number = 0;
    if (value.size() < sizeof(Number)) return 0;
    for (const auto byte : value.first(sizeof(Number)))
        number = number << 8 | std::to_integer<std::uint64_t>(byte);
    return static_cast<Number>(number);
}

TraceKind kind_of(std::uint32_t type) {
    switch (type) {
        case NFT_TRACETYPE_RULE:
            return TraceKind::rule;
        case NFT_TRACETYPE_RETURN:
            return TraceKind::return_;
        case NFT_TRACETYPE_POLICY:
            return TraceKind::policy;
        default:
            return TraceKind::unknown;
    }
}

std::vector<std::byte> header(Bytes value) {
    constexpr std::size_t most = 64;  // the kernel tells 40 of the network header, 20 of the transport's
    const auto kept = value.first(std::min(value.size(), most));
    return {kept.begin(), kept.end()};
}

void read_verdict(TraceEvent& event, Bytes nested) {
    for_each_attribute(nested, [&](int type, Bytes value) {
        if (type == NFTA_VERDICT_CODE) event.verdict = big_endian<std::int32_t>(value);
        if (type == NFTA_VERDICT_CHAIN) event.jump = text(value);
    });
}

void read_attribute(TraceEvent& event, int type, Bytes value) {
    switch (type) {
        case NFTA_TRACE_TABLE:
            event.table = text(value);
            break;
        case NFTA_TRACE_CHAIN:
            event.chain = text(value);
            break;
        case NFTA_TRACE_RULE_HANDLE:
            event.handle = big_endian<std::uint64_t>(value);
            break;
        case NFTA_TRACE_TYPE:
            event.kind = kind_of(big_endian<std::uint32_t>(value));
            break;
        case NFTA_TRACE_VERDICT:
            read_verdict(event, value);
            break;
        case NFTA_TRACE_ID:
            event.id = big_endian<std::uint32_t>(value);
            break;
        case NFTA_TRACE_NETWORK_HEADER:
            event.network_header = header(value);
            break;
        case NFTA_TRACE_TRANSPORT_HEADER:
            event.transport_header = header(value);
            break;
        case NFTA_TRACE_IIF:
            event.input = big_endian<std::uint32_t>(value);
            break;
        case NFTA_TRACE_OIF:
            event.output = big_endian<std::uint32_t>(value);
            break;
        case NFTA_TRACE_POLICY:
            event.policy = big_endian<std::uint32_t>(value);
            break;
        default:
            break;
    }
}

}  // namespace

std::vector<TraceEvent> parse_trace(Bytes bytes) {
    std::vector<TraceEvent> out;
    for_each_message(bytes, [&](int type, Bytes message) {
        nfgenmsg family{};
        if (type != (NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_TRACE) || !read(message, family)) return;
        TraceEvent event;
        event.family = family.nfgen_family;
        for_each_attribute(message.subspan(sizeof family),
                           [&](int attribute, Bytes value) { read_attribute(event, attribute, value); });
        out.push_back(std::move(event));
    });
    return out;
}

Result<TraceListener> TraceListener::open() {
    auto socket = open_netfilter_socket();
    if (!socket) return socket.error();
    const int buffer = 1 << 20;
    (void)::setsockopt(socket->get(), SOL_SOCKET, SO_RCVBUF, &buffer, sizeof buffer);
    const int group = NFNLGRP_NFTRACE;
    if (::setsockopt(socket->get(), SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof group) != 0)
        return system_error(errc::operation_failed, "listen to traces", errno);
    return TraceListener(std::move(*socket));
}

bool TraceListener::take(std::vector<TraceEvent>& out) {
    bool whole = true;
    constexpr int most = 4096;
    for (int i = 0; i < most; ++i) {
        std::array<std::byte, 16384> bytes;
        sockaddr_nl from{};
        socklen_t length = sizeof from;
        const auto size = ::recvfrom(socket_.get(), bytes.data(), bytes.size(), MSG_DONTWAIT,
                                     reinterpret_cast<sockaddr*>(&from), &length);
        if (size < 0 && errno == ENOBUFS) {
            whole = false;
            continue;
        }
        if (size <= 0) return whole;
        if (from.nl_pid != 0) continue;  // not the kernel
        auto events = parse_trace(std::span(bytes).first(static_cast<std::size_t>(size)));
        out.insert(out.end(), std::make_move_iterator(events.begin()), std::make_move_iterator(events.end()));
    }
    return false;
}

}  // namespace netlab::kernel
