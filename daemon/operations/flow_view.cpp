#include "daemon/operations/flow_view.hpp"

#include "daemon/operations/packet_program.hpp"
#include "daemon/operations/packet_socket.hpp"

#include <cerrno>

#include <netinet/in.h>
#include <sys/socket.h>

namespace netlab::operations {

namespace {

using api::WhyProtocol;

std::uint8_t protocol_number(WhyProtocol protocol, bool v4) {
    switch (protocol) {
        case WhyProtocol::tcp:
            return IPPROTO_TCP;
        case WhyProtocol::udp:
            return IPPROTO_UDP;
        case WhyProtocol::icmp:
            break;
    }
    if (v4) return IPPROTO_ICMP;
    return IPPROTO_ICMPV6;
}

void need_protocol(PacketProgram& program, WhyProtocol protocol, bool v4) {
    constexpr std::uint32_t fragment_offset = 0x1FFF;
    program.load(BPF_B, 0);
    program.mask(0xF0);
    program.need_equal(v4 ? 0x40 : 0x60);
    program.load(BPF_B, v4 ? 9 : 6);
    program.need_equal(protocol_number(protocol, v4));
    if (v4) {
        program.load(BPF_H, 6);
        program.need_none_of(fragment_offset);
        program.measure_header();
    } else {
        program.set_header(40);
    }
}

/// A port at that place behind the IP header.
void keep_where(PacketProgram& program, const Flow& flow, std::uint32_t at, std::uint16_t port) {
    need_protocol(program, flow.protocol, flow.remote.is_v4());
    if (flow.protocol == WhyProtocol::tcp) {
        // Not the data of a busy service: what begins a connection, and what ends it.
        constexpr std::uint32_t flags = 13;
        constexpr std::uint32_t syn_or_rst = 0x06;
        program.load_behind_header(BPF_B, flags);
        program.need_some_of(syn_or_rst);
    }
    program.load_behind_header(BPF_H, at);
    program.need_equal(port);
    program.keep();
}

PacketProgram filter_of(const Flow& flow) {
    constexpr std::uint32_t source_port = 0;
    constexpr std::uint32_t destination_port = 2;
    constexpr std::uint32_t echo_identifier = 4;
    PacketProgram program(packet_bytes);
    if (flow.protocol == WhyProtocol::icmp) {
        keep_where(program, flow, echo_identifier, flow.own);
    } else {
        for (const auto port : {flow.own, flow.remote_port}) {
            keep_where(program, flow, source_port, port);
            keep_where(program, flow, destination_port, port);
        }
    }
    program.drop();
    return program;
}

}  // namespace

Result<FlowView> FlowView::open() {
    auto socket = open_packet_socket();
    if (!socket) return socket.error();
    return FlowView(std::move(*socket));
}

Result<void> FlowView::watch(const Flow& flow) {
    echo_ = flow.protocol == WhyProtocol::icmp;
    return watch_all(socket_.get(), filter_of(flow));
}

bool FlowView::take(std::vector<SeenPacket>& out) {
    return take_packets(socket_.get(), echo_ ? parse_echo_packet : parse_probe_packet, out);
}

}  // namespace netlab::operations
