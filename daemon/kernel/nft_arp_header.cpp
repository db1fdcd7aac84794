#include "daemon/kernel/nft_arp_header.hpp"

#include <array>

namespace netlab::kernel {

ArpLoad arp_load(const NftPayload& load) {
    // Ethernet, IPv4, and how long their addresses are.
    constexpr std::array<std::byte, 6> format{std::byte{0}, std::byte{1}, std::byte{8},
                                              std::byte{0}, std::byte{6}, std::byte{4}};
    constexpr std::uint32_t operation = 6;
    constexpr std::uint32_t sender = 14;
    constexpr std::uint32_t target = 24;
    if (load.length >= 1 && load.offset < format.size() && load.length <= format.size() - load.offset)
        return {ArpPart::format, {format.begin() + load.offset, format.begin() + load.offset + load.length}};
    if (load.offset == operation && load.length == 2) return {ArpPart::operation};
    if (load.length < 1 || load.length > sizeof(std::uint32_t)) return {};
    if (load.offset == sender) return {ArpPart::sender};
    return {load.offset == target ? ArpPart::target : ArpPart::other};
}

}  // namespace netlab::kernel
