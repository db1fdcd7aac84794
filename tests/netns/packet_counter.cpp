#include "tests/netns/packet_counter.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <stdexcept>

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/if_ether.h>
#include <sched.h>
#include <sys/socket.h>

namespace netlab::test {

DnsPacketCounter::DnsPacketCounter(const std::string& network_namespace, const IpAddress& to) : to_(to) {
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
    std::array<std::uint8_t, 64> packet;
    for (;;) {
        const auto size = ::recv(socket_.get(), packet.data(), packet.size(), 0);
        if (size < 0) return found;
        const auto header = static_cast<std::size_t>((packet[0] & 0x0F) * 4);
        const bool ipv4 = packet[0] >> 4U == 4 && (packet[9] == 17 || packet[9] == 6);
        if (!ipv4 || size < static_cast<ssize_t>(header + 4)) continue;
        const bool there = std::ranges::equal(to_.bytes(), std::span(packet).subspan(16, 4));
        if (there && packet[header + 2] == 0 && packet[header + 3] == 53) ++found;
    }
}

}  // namespace netlab::test
