#pragma once

#include "common/api/point.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

/// The blocks of a capture as netlab writes them (draft-ietf-opsawg-pcapng-02), in this machine's byte order,
/// which the section header tells a reader. Times are nanoseconds since 1970.
namespace netlab::pcapng {

using Bytes = std::vector<std::byte>;

/// LINKTYPE_ (tcpdump.org/linktypes.html): what a packet begins with.
enum class LinkType : std::uint16_t { ethernet = 1, raw_ip = 101, linux_sll2 = 276 };

/// "ethernet", "raw_ip", "linux_sll2".
[[nodiscard]] constexpr std::string_view name_of(LinkType type) {
    switch (type) {
        case LinkType::ethernet:
            return "ethernet";
        case LinkType::raw_ip:
            return "raw_ip";
        case LinkType::linux_sll2:
            return "linux_sll2";
    }
    return "unknown";
}

namespace block {
inline constexpr std::uint32_t section = 0x0A0D0D0A;
inline constexpr std::uint32_t interface = 1;
inline constexpr std::uint32_t names = 4;
inline constexpr std::uint32_t statistics = 5;
inline constexpr std::uint32_t packet = 6;  ///< an Enhanced Packet Block
}  // namespace block

inline constexpr std::uint32_t byte_order_magic = 0x1A2B3C4D;

/// Option codes (sections 3.5 and 4 of the draft).
namespace option {
inline constexpr std::uint16_t end = 0;
inline constexpr std::uint16_t comment = 1;
inline constexpr std::uint16_t section_os = 3;
inline constexpr std::uint16_t section_application = 4;
inline constexpr std::uint16_t interface_name = 2;
inline constexpr std::uint16_t interface_description = 3;
inline constexpr std::uint16_t interface_resolution = 9;
inline constexpr std::uint16_t interface_filter = 11;
inline constexpr std::uint16_t packet_flags = 2;
inline constexpr std::uint16_t statistics_start = 2;
inline constexpr std::uint16_t statistics_end = 3;
inline constexpr std::uint16_t statistics_received = 4;
inline constexpr std::uint16_t statistics_dropped = 5;
inline constexpr std::uint16_t statistics_delivered = 8;
}  // namespace option

enum class Direction : std::uint8_t { unknown = 0, in = 1, out = 2 };  ///< as the packet flags have it

struct Interface {
    std::string name;  ///< "co1:eth0"
    std::string description;
    std::string filter;  ///< as libpcap compiled it; empty: none
    LinkType link_type = LinkType::ethernet;
    std::uint32_t snap_length = 0;
    friend bool operator==(const Interface&, const Interface&) = default;
};

/// received = delivered + dropped.
struct Statistics {
    std::uint32_t interface = 0;  ///< counts the section's interface blocks from 0
    std::uint64_t start_ns = 0;
    std::uint64_t end_ns = 0;
    std::uint64_t received = 0;   ///< isb_ifrecv
    std::uint64_t dropped = 0;    ///< isb_ifdrop
    std::uint64_t delivered = 0;  ///< isb_usrdeliv
    std::string comment;          ///< why it ended before the capture did; empty: it did not
    friend bool operator==(const Statistics&, const Statistics&) = default;
};

struct PacketHead {
    std::uint32_t interface = 0;
    std::uint64_t time_ns = 0;
    std::uint32_t captured = 0;  ///< bytes that follow
    std::uint32_t length = 0;    ///< on the wire
    Direction direction = Direction::unknown;
    friend bool operator==(const PacketHead&, const PacketHead&) = default;
};

/// The section's begin. `os` is what uname(2) says.
void append_section(Bytes& out, std::string_view os, std::string_view application);
void append_interface(Bytes& out, const Interface& interface);
/// Several addresses may have one name, and an address several.
void append_names(Bytes& out, std::span<const api::NamedAddress> names);
void append_statistics(Bytes& out, const Statistics& statistics);

/// The bytes of one packet block with that many bytes of the packet.
[[nodiscard]] constexpr std::size_t packet_block_size(std::size_t captured) {
    return 28 + (captured + 3) / 4 * 4 + 12 + 4;
}

/// Writes the block's head to `out`, which has packet_block_size() bytes. Returns where the packet's bytes
/// are to be put: `head.captured` of them.
std::byte* begin_packet(std::byte* out, const PacketHead& head);
/// Writes what follows the packet's bytes.
void end_packet(std::byte* out, const PacketHead& head);
void append_packet(Bytes& out, const PacketHead& head, std::span<const std::byte> packet);

}  // namespace netlab::pcapng
