#include "daemon/operations/sll2.hpp"

#include <algorithm>
#include <cstdint>
#include <cstring>

#include <arpa/inet.h>

namespace netlab::operations {

std::byte* put_sll2_header(std::byte* out, const sockaddr_ll& link) {
    struct {
        std::uint16_t protocol = 0;
        std::uint16_t reserved = 0;
        std::uint32_t interface = 0;
        std::uint16_t hardware_type = 0;
        std::uint8_t packet_type = 0;
        std::uint8_t address_length = 0;
        std::uint8_t address[8] = {};
    } header;
    static_assert(sizeof header == sll2_header_size);
    header.protocol = link.sll_protocol;  // in network order already
    header.interface = htonl(static_cast<std::uint32_t>(link.sll_ifindex));
    header.hardware_type = htons(link.sll_hatype);
    header.packet_type = link.sll_pkttype;
    header.address_length = link.sll_halen;
    std::memcpy(header.address, link.sll_addr, std::min<std::size_t>(link.sll_halen, sizeof header.address));
    std::memcpy(out, &header, sizeof header);
    return out + sizeof header;
}

}  // namespace netlab::operations
