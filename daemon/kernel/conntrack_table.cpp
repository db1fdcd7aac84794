#include "daemon/kernel/conntrack.hpp"
#include "daemon/kernel/netlink_channel.hpp"

#include <cerrno>

#include <sys/socket.h>
// The kernel's own headers after the C library's.
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>

namespace netlab::kernel {

namespace {

using Bytes = std::span<const std::byte>;

DumpRequest<nfgenmsg> request_of(std::uint8_t message, std::optional<Family> family) {
    DumpRequest<nfgenmsg> request(static_cast<std::uint16_t>(NFNL_SUBSYS_CTNETLINK << 8 | message));
    if (family) request.header.nfgen_family = *family == Family::ipv4 ? AF_INET : AF_INET6;
    request.header.version = NFNETLINK_V0;
    return request;
}

constexpr std::uint32_t group(nfnetlink_groups number) {
    return 1U << (number - 1);
}

}  // namespace

Result<ConntrackTable::Pending> ConntrackTable::send(std::uint8_t message, std::optional<Family> family) {
    auto socket = open_netfilter_socket();
    if (!socket) return socket.error();
    auto request = request_of(message, family);
    const auto sequence = send_dump(socket->get(), request.bytes());
    if (!sequence) return sequence.error();
    return Pending{std::move(*socket), *sequence};
}

Result<ConntrackTable> ConntrackTable::ask(std::optional<Family> family) {
    ConntrackTable table;
    // One dump at a time for each socket.
    auto processors = send(IPCTNL_MSG_CT_GET_STATS_CPU, {});
    if (!processors) return processors.error();
    table.processors_ = std::move(*processors);
    const auto socket = open_netfilter_socket();
    if (!socket) return socket.error();
    auto request = request_of(IPCTNL_MSG_CT_GET_STATS, {});
    auto whole = kernel::ask(socket->get(), request.bytes());
    if (!whole) return whole.error();
    table.whole_ = std::move(whole->message);
    auto entries = send(IPCTNL_MSG_CT_GET, family);
    if (!entries) return entries.error();
    table.entries_ = std::move(*entries);
    return table;
}

Result<ConntrackTable::End> ConntrackTable::read(const TakeConntrack& take) {
    End out;
    const auto end = read_dump(entries_.socket.get(), entries_.sequence,
                               [&](Bytes bytes) { out.left_out += parse_conntrack(bytes, take); });
    if (!end) return end.error();
    out.consistent = end->consistent;
    out.supported = end->supported;
    return out;
}

ConntrackStatistics ConntrackTable::statistics() {
    ConntrackStatistics out;
    parse_conntrack_statistics(whole_, out);
    const auto end = read_dump(processors_.socket.get(), processors_.sequence,
                               [&](Bytes bytes) { parse_conntrack_statistics(bytes, out); });
    // A part of a sum is none.
    if (!end || !end->consistent) {
        out.dropped.reset();
        out.early_dropped.reset();
        out.insert_failed.reset();
    }
    return out;
}

Result<ConntrackEvents> ConntrackEvents::open(std::size_t buffer) {
    auto socket = open_netfilter_socket(group(NFNLGRP_CONNTRACK_NEW) | group(NFNLGRP_CONNTRACK_UPDATE) |
                                        group(NFNLGRP_CONNTRACK_DESTROY));
    if (!socket) return socket.error();
    const int size = static_cast<int>(std::min<std::size_t>(buffer, 1U << 30));
    if (::setsockopt(socket->get(), SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size) != 0)
        return system_error(errc::operation_failed, "set the receive buffer of conntrack's events", errno);
    return ConntrackEvents(std::move(*socket));
}

Result<ConntrackEvents::Reading> ConntrackEvents::read(const TakeConntrack& take) const {
    const auto buffer = channel::receive_buffer();
    const auto received = channel::receive(socket_.get(), buffer);
    if (!received) return received.error();
    Reading out;
    out.nothing = received->nothing;
    out.overrun = received->overrun || received->truncated;
    out.left_out = parse_conntrack(buffer.first(received->size), take);
    return out;
}

}  // namespace netlab::kernel
