#pragma once

#include "common/pcapng_reader.hpp"

#include <cstring>

/// Captures for tests: by netlab's writer, and by hand in either byte order.
namespace netlab::test {

inline pcapng::Bytes bytes_of(std::string_view text) {
    const auto bytes = std::as_bytes(std::span(text));
    return {bytes.begin(), bytes.end()};
}

inline std::span<const std::byte> part(const pcapng::Bytes& bytes, std::size_t at, std::size_t size) {
    return std::span<const std::byte>(bytes).subspan(at, std::min(size, bytes.size() - at));
}

/// A section, two interfaces and names.
inline void append_beginning(pcapng::Bytes& out) {
    pcapng::append_section(out, "Linux 6.1.0", "netlabd 0.1.0");
    pcapng::append_interface(
        out, {"co1:eth0", "docker 0123, net, veth1", "tcp port 80", pcapng::LinkType::ethernet, 262'144});
    pcapng::append_interface(out, {"co2:any", "", "", pcapng::LinkType::linux_sll2, 96});
    const std::vector<api::NamedAddress> names{{IpAddress::parse("172.18.0.2").value(), "co1"},
                                               {IpAddress::parse("fd00::2").value(), "co1"},
                                               {IpAddress::parse("172.18.0.3").value(), "co2"}};
    pcapng::append_names(out, names);
}

/// The number says interface, time and size: each is another.
inline pcapng::PacketHead packet_head(std::uint32_t number) {
    const auto size = 14 + number % 7;
    return {number % 2, 1'764'142'000'123'456'789ULL + number, size, size + number % 3,
            number % 2 == 0 ? pcapng::Direction::out : pcapng::Direction::in};
}

inline pcapng::Bytes packet_bytes(std::uint32_t number) {
    pcapng::Bytes packet(packet_head(number).captured, static_cast<std::byte>(number));
    // Ethertype 0x88B5: for experiments, nothing takes it apart.
    packet[12] = std::byte{0x88};
    packet[13] = std::byte{0xB5};
    return packet;
}

inline void append_packet(pcapng::Bytes& out, std::uint32_t number) {
    pcapng::append_packet(out, packet_head(number), packet_bytes(number));
}

inline pcapng::Statistics statistics(std::uint32_t interface) {
    return {interface,
            1'764'142'000'000'000'000,
            1'764'142'009'000'000'000,
            100,
            7,
            93,
            interface == 1 ? "co2 has ended" : ""};
}

inline void append_end(pcapng::Bytes& out) {
    pcapng::append_statistics(out, statistics(0));
    pcapng::append_statistics(out, statistics(1));
}

/// A whole capture of so many packets.
inline pcapng::Bytes capture_of(std::uint32_t packets) {
    pcapng::Bytes out;
    append_beginning(out);
    for (std::uint32_t i = 0; i < packets; ++i)
        append_packet(out, i);
    append_end(out);
    return out;
}

}  // namespace netlab::test
