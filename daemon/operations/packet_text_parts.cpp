#include "daemon/operations/packet_text_parts.hpp"

#include "common/address.hpp"

#include <algorithm>

namespace netlab::operations {

PacketPart::PacketPart(std::span<const std::uint8_t> captured, std::size_t length)
    : captured_(captured.first(std::min(captured.size(), length))), length_(length) {}

void PacketPart::fail() const {
    if (captured_.size() < length_) throw PacketCut();
    throw PacketInvalid();
}

std::span<const std::uint8_t> PacketPart::first(std::size_t size) const {
    if (captured_.size() >= size) return captured_.first(size);
    // Not even on the wire: it is the message's own fault.
    if (length_ < size) throw PacketInvalid();
    throw PacketCut();
}

std::uint8_t PacketPart::number8(std::size_t at) const {
    return first(at + 1)[at];
}

std::uint16_t PacketPart::number16(std::size_t at) const {
    const auto bytes = first(at + 2);
    return static_cast<std::uint16_t>(bytes[at] << 8 | bytes[at + 1]);
}

std::uint32_t PacketPart::number32(std::size_t at) const {
    return std::uint32_t{number16(at)} << 16 | number16(at + 2);
}

std::string PacketPart::ipv4(std::size_t at) const {
    return IpAddress::from_bytes(first(at + 4).subspan(at)).to_string();
}

std::string PacketPart::ipv6(std::size_t at) const {
    return IpAddress::from_bytes(first(at + 16).subspan(at)).to_string();
}

std::string PacketPart::mac(std::size_t at) const {
    MacAddress address;
    std::ranges::copy(first(at + address.bytes.size()).subspan(at), address.bytes.begin());
    return address.to_string();
}

PacketPart PacketPart::after(std::size_t size) const {
    if (length_ < size) throw PacketInvalid();
    return {captured_.subspan(std::min(size, captured_.size())), length_ - size};
}

PacketPart PacketPart::shortened(std::size_t length) const {
    return {captured_, std::min(length, length_)};
}

}  // namespace netlab::operations
