#include "daemon/operations/packet_socket.hpp"

#include "daemon/operations/read_only.hpp"

#include <array>
#include <cerrno>
#include <cstring>

#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <sys/socket.h>

namespace netlab::operations {

namespace {

SeenPacket seen_packet(const ProbePacket& packet, const sockaddr_ll& from) {
    SeenPacket seen;
    seen.packet = packet;
    seen.outgoing = from.sll_pkttype == PACKET_OUTGOING;
    seen.other_host = from.sll_pkttype == PACKET_OTHERHOST;
    seen.interface = static_cast<std::uint32_t>(from.sll_ifindex);
    MacAddress mac;
    if (from.sll_halen == mac.bytes.size()) {
        std::memcpy(mac.bytes.data(), from.sll_addr, mac.bytes.size());
        seen.mac = mac;
    }
    return seen;
}

}  // namespace

Result<UniqueFd> open_packet_socket() {
    // Protocol 0: bound to nothing, so that it need not hold what nobody has asked for.
    UniqueFd socket(::socket(AF_PACKET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (!socket) return system_error(errc::operation_failed, "open a packet socket", errno);
    return read_only(socket);
}

Result<void> watch_all(int socket, PacketProgram program) {
    const auto filter = program.finished();
    if (::setsockopt(socket, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof filter) != 0)
        return system_error(errc::operation_failed, "filter the probe's packets", errno);
    const int buffer = 1 << 20;
    (void)::setsockopt(socket, SOL_SOCKET, SO_RCVBUF, &buffer, sizeof buffer);
    sockaddr_ll any{};
    any.sll_family = AF_PACKET;
    // Outgoing packets are shown to sockets of all protocols only (net/core/dev.c, dev_queue_xmit_nit).
    any.sll_protocol = htons(ETH_P_ALL);
    if (::bind(socket, reinterpret_cast<const sockaddr*>(&any), sizeof any) != 0)
        return system_error(errc::operation_failed, "watch the probe's packets", errno);
    return {};
}

bool take_packets(int socket, ParsePacket parse, std::vector<SeenPacket>& out) {
    constexpr int most = 4096;
    int count = 0;
    for (; count < most; ++count) {
        std::array<std::uint8_t, packet_bytes> bytes;
        sockaddr_ll from{};
        socklen_t length = sizeof from;
        const auto size = ::recvfrom(socket, bytes.data(), bytes.size(), MSG_DONTWAIT,
                                     reinterpret_cast<sockaddr*>(&from), &length);
        if (size < 0) {
            if (errno == EAGAIN) break;
            continue;  // the end of an interface, told once
        }
        const auto packet = parse(std::span(bytes).first(static_cast<std::size_t>(size)));
        if (packet) out.push_back(seen_packet(*packet, from));
    }
    tpacket_stats statistics{};
    socklen_t size = sizeof statistics;
    const bool told = ::getsockopt(socket, SOL_PACKET, PACKET_STATISTICS, &statistics, &size) == 0;
    return told && statistics.tp_drops == 0 && count < most;
}

}  // namespace netlab::operations
