#include "tests/netns/packet_counter.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <stdexcept>

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/if_ether.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/socket.h>

namespace netlab::test {

namespace {

/// The destination of a UDP datagram or a TCP segment to port 53, from its IP header on; nothing of others.
std::optional<IpAddress> asked_server(std::span<const std::uint8_t> packet) {
    if (packet.empty()) return std::nullopt;
    const bool v4 = packet[0] >> 4U == 4;
    constexpr std::size_t v6_header = 40;
    const auto header = v4 ? static_cast<std::size_t>((packet[0] & 0x0F) * 4) : v6_header;
    if (packet.size() < header + 4) return std::nullopt;
    const auto protocol = packet[v4 ? 9 : 6];
    const bool dns = (protocol == IPPROTO_UDP || protocol == IPPROTO_TCP) && packet[header + 2] == 0 &&
                     packet[header + 3] == 53;
    if (!dns) return std::nullopt;
    return IpAddress::from_bytes(v4 ? packet.subspan(16, 4) : packet.subspan(24, 16));
}

}  // namespace

DnsPacketCounter::DnsPacketCounter(const std::string& network_namespace, std::vector<IpAddress> to)
    : to_(std::move(to)) {
    const UniqueFd own(::open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC));
    if (!network_namespace.empty()) {
        const UniqueFd net(::open(("/run/netns/" + network_namespace).c_str(), O_RDONLY | O_CLOEXEC));
        if (::setns(net.get(), CLONE_NEWNET) != 0) throw std::runtime_error("setns");
    }
    // From its network header on, whatever the link.
    socket_.reset(::socket(AF_PACKET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, htons(ETH_P_ALL)));
    if (::setns(own.get(), CLONE_NEWNET) != 0) throw std::runtime_error("setns back");
    if (!socket_) throw std::runtime_error("no packet socket");
}

int DnsPacketCounter::count() {
    int found = 0;
    std::array<std::uint8_t, 128> packet;
    for (;;) {
        const auto size = ::recv(socket_.get(), packet.data(), packet.size(), 0);
        if (size < 0) return found;
        const auto server = asked_server(std::span(packet).first(static_cast<std::size_t>(size)));
        if (server && (to_.empty() || std::ranges::find(to_, *server) != to_.end())) ++found;
    }
}

}  // namespace netlab::test
