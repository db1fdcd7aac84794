#include "daemon/operations/arp_introduction.hpp"

#include <algorithm>
#include <cerrno>

#include <arpa/inet.h>
#include <linux/if_arp.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <sys/socket.h>

namespace netlab::operations {

std::array<std::uint8_t, 28> arp_request(const MacAddress& own_mac, const IpAddress& own,
                                         const MacAddress& other_mac, const IpAddress& other) {
    std::array<std::uint8_t, 28> message{0, ARPHRD_ETHER, ETH_P_IP >> 8, ETH_P_IP & 0xFF, ETH_ALEN, 4,
                                         0, ARPOP_REQUEST};
    auto at = message.begin() + 8;
    at = std::ranges::copy(own_mac.bytes, at).out;
    at = std::ranges::copy(own.bytes(), at).out;
    at = std::ranges::copy(other_mac.bytes, at).out;
    std::ranges::copy(other.bytes(), at);
    return message;
}

Result<ArpIntroduction> ArpIntroduction::open() {
    UniqueFd socket(::socket(AF_PACKET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (!socket) return system_error(errc::operation_failed, "open a packet socket", errno);
    return ArpIntroduction(std::move(socket));
}

void ArpIntroduction::introduce(const SharedLink& link, const IpAddress& other) const {
    if (!other.is_v4() || !link.source.is_v4()) return;
    const auto message = arp_request(link.source_mac, link.source, link.destination_mac, other);
    sockaddr_ll to{};
    to.sll_family = AF_PACKET;
    to.sll_protocol = htons(ETH_P_ARP);
    to.sll_ifindex = static_cast<int>(link.interface);
    to.sll_halen = ETH_ALEN;
    std::ranges::copy(link.destination_mac.bytes, to.sll_addr);
    (void)::sendto(socket_.get(), message.data(), message.size(), 0, reinterpret_cast<const sockaddr*>(&to),
                   sizeof to);
}

}  // namespace netlab::operations
