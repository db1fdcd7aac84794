#include "daemon/operations/packet_view.hpp"

#include "daemon/operations/packet_socket.hpp"

#include <cstring>

#include <arpa/inet.h>
#include <netinet/in.h>

namespace netlab::operations {

namespace {

/// Where an address and a port of a packet stand.
struct Place {
    std::uint32_t address = 0;
    std::uint32_t port = 0;
};

/// The begin of a branch: a packet of that family and protocol.
void need_protocol(PacketProgram& program, bool tcp, bool v4) {
    program.load(BPF_B, 0);
    program.mask(0xF0);
    program.need_equal(v4 ? 0x40 : 0x60);
    program.load(BPF_B, v4 ? 9 : 6);
    program.need_equal(tcp ? IPPROTO_TCP : IPPROTO_UDP);
}

/// Its end: whole headers, and of TCP what says how a connection begins or fails.
void need_news(PacketProgram& program, bool tcp, bool v4) {
    constexpr std::uint32_t fragment_offset = 0x1FFF;
    constexpr std::uint32_t syn_or_rst = 0x06;
    if (v4) {
        program.load(BPF_H, 6);
        program.need_none_of(fragment_offset);
        program.measure_header();
    } else {
        program.set_header(40);
    }
    if (tcp) {
        program.load_behind_header(BPF_B, 13);
        program.need_some_of(syn_or_rst);
    }
}

/// One direction: the address and the port at that place.
void need_own(PacketProgram& program, bool tcp, const IpAddress& address, std::uint16_t port, Place at) {
    need_protocol(program, tcp, address.is_v4());
    const auto bytes = address.bytes();
    for (std::size_t i = 0; i < bytes.size(); i += 4) {
        std::uint32_t word = 0;
        std::memcpy(&word, bytes.data() + i, sizeof word);
        program.load(BPF_W, at.address + static_cast<std::uint32_t>(i));
        program.need_equal(ntohl(word));
    }
    need_news(program, tcp, address.is_v4());
    program.load_behind_header(BPF_H, at.port);
    program.need_equal(port);
}

/// The probe's packets alone, or all but those.
PacketProgram make_filter(bool own, bool tcp, const IpAddress& address, std::uint16_t port) {
    const bool v4 = address.is_v4();
    PacketProgram program(packet_bytes);
    for (const auto& at : {Place{v4 ? 16U : 24U, 2}, Place{v4 ? 12U : 8U, 0}}) {
        need_own(program, tcp, address, port, at);
        own ? program.keep() : program.drop();
    }
    if (!own) {
        need_protocol(program, tcp, v4);
        need_news(program, tcp, v4);
        program.keep();
    }
    program.drop();
    return program;
}

}  // namespace

Result<PacketView> PacketView::open() {
    auto own = open_packet_socket();
    if (!own) return own.error();
    auto rest = open_packet_socket();
    if (!rest) return rest.error();
    return PacketView(std::move(*own), std::move(*rest));
}

Result<void> PacketView::watch(bool tcp, const IpAddress& address, std::uint16_t port) {
    if (auto attached = watch_all(own_.get(), make_filter(true, tcp, address, port)); !attached)
        return attached;
    return watch_all(rest_.get(), make_filter(false, tcp, address, port));
}

SeenAll PacketView::take(std::vector<SeenPacket>& out) {
    const bool own = take_packets(own_.get(), parse_probe_packet, out);
    const bool rest = take_packets(rest_.get(), parse_probe_packet, out);
    return {own, own && rest};
}

}  // namespace netlab::operations
