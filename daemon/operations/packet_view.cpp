#include "daemon/operations/packet_view.hpp"

#include <array>
#include <cerrno>
#include <cstring>

#include <arpa/inet.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <netinet/in.h>
#include <sys/socket.h>

namespace netlab::operations {

namespace {

constexpr std::uint32_t kept_bytes = 128;  ///< of a packet: more than its headers

/// A classic BPF program as it is written: a test that fails jumps behind the next keep(). The packet
/// begins with the IP header (SOCK_DGRAM).
class Program {
  public:
    void load(std::uint16_t size, std::uint32_t at) { add(BPF_LD | size | BPF_ABS, at); }
    void load_behind_header(std::uint16_t size, std::uint32_t at) { add(BPF_LD | size | BPF_IND, at); }
    /// X becomes the length of the IPv4 header.
    void measure_header() { add(BPF_LDX | BPF_B | BPF_MSH, 0); }
    void set_header(std::uint32_t length) { add(BPF_LDX | BPF_IMM, length); }
    void mask(std::uint32_t bits) { add(BPF_ALU | BPF_AND | BPF_K, bits); }
    void need_equal(std::uint32_t value) {
        failing_.push_back(code_.size());
        add(BPF_JMP | BPF_JEQ | BPF_K, value);
    }
    void need_none_of(std::uint32_t bits) {
        inverted_.push_back(code_.size());
        add(BPF_JMP | BPF_JSET | BPF_K, bits);
    }
    void need_some_of(std::uint32_t bits) {
        failing_.push_back(code_.size());
        add(BPF_JMP | BPF_JSET | BPF_K, bits);
    }
    /// The packet is kept (or not) where all tests since the last decision held; else the next ones are
    /// asked.
    void keep() { decide(kept_bytes); }
    void drop() { decide(0); }
    [[nodiscard]] sock_fprog finished() { return {static_cast<unsigned short>(code_.size()), code_.data()}; }

  private:
    void decide(std::uint32_t bytes) {
        add(BPF_RET | BPF_K, bytes);
        const auto end = code_.size();
        // Jumps are relative to the next instruction, and eight bits wide: each branch is shorter by far.
        for (const auto at : failing_)
            code_[at].jf = static_cast<std::uint8_t>(end - at - 1);
        for (const auto at : inverted_)
            code_[at].jt = static_cast<std::uint8_t>(end - at - 1);
        failing_.clear();
        inverted_.clear();
    }
    void add(int code, std::uint32_t value) {
        code_.push_back({static_cast<std::uint16_t>(code), 0, 0, value});
    }

    std::vector<sock_filter> code_;
    std::vector<std::size_t> failing_;   // jump where false
    std::vector<std::size_t> inverted_;  // jump where true
};

/// Where an address and a port of a packet stand.
struct Place {
    std::uint32_t address = 0;
    std::uint32_t port = 0;
};

/// The begin of a branch: a packet of that family and protocol.
void need_protocol(Program& program, bool tcp, bool v4) {
    program.load(BPF_B, 0);
    program.mask(0xF0);
    program.need_equal(v4 ? 0x40 : 0x60);
    program.load(BPF_B, v4 ? 9 : 6);
    program.need_equal(tcp ? IPPROTO_TCP : IPPROTO_UDP);
}

/// Its end: whole headers, and of TCP what says how a connection begins or fails.
void need_news(Program& program, bool tcp, bool v4) {
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
void need_own(Program& program, bool tcp, const IpAddress& address, std::uint16_t port, Place at) {
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
Program make_filter(bool own, bool tcp, const IpAddress& address, std::uint16_t port) {
    const bool v4 = address.is_v4();
    Program program;
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

Result<UniqueFd> open_socket() {
    // Protocol 0: bound to nothing, so that it need not hold what nobody has asked for.
    UniqueFd socket(::socket(AF_PACKET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (!socket) return system_error(errc::operation_failed, "open a packet socket", errno);
    return socket;
}

Result<void> attach(int socket, Program program) {
    const auto filter = program.finished();
    if (::setsockopt(socket, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof filter) != 0)
        return system_error(errc::operation_failed, "filter the probe's packets", errno);
    const int buffer = 1 << 20;
    (void)::setsockopt(socket, SOL_SOCKET, SO_RCVBUF, &buffer, sizeof buffer);
    sockaddr_ll any{};
    any.sll_family = AF_PACKET;
    // Outgoing packets are shown to sockets of all protocols only (net/core/dev.c, dev_queue_xmit_nit).
    any.sll_protocol = htons(ETH_P_ALL);
    if (::bind(socket, reinterpret_cast<const sockaddr*>(&any), sizeof any) != 0)
        return system_error(errc::operation_failed, "watch the probe's packets", errno);
    return {};
}

SeenPacket seen_packet(const ProbePacket& packet, const sockaddr_ll& from) {
    SeenPacket seen;
    seen.packet = packet;
    seen.outgoing = from.sll_pkttype == PACKET_OUTGOING;
    seen.other_host = from.sll_pkttype == PACKET_OTHERHOST;
    seen.interface = static_cast<std::uint32_t>(from.sll_ifindex);
    MacAddress mac;
    if (from.sll_halen == mac.bytes.size()) {
        std::memcpy(mac.bytes.data(), from.sll_addr, mac.bytes.size());
        seen.mac = mac;
    }
    return seen;
}

/// False where some may have been missed.
bool take_from(int socket, std::vector<SeenPacket>& out) {
    constexpr int most = 4096;
    int count = 0;
    for (; count < most; ++count) {
        std::array<std::uint8_t, kept_bytes> bytes;
        sockaddr_ll from{};
        socklen_t length = sizeof from;
        const auto size = ::recvfrom(socket, bytes.data(), bytes.size(), MSG_DONTWAIT,
                                     reinterpret_cast<sockaddr*>(&from), &length);
        if (size < 0) {
            if (errno == EAGAIN) break;
            continue;  // the end of an interface, told once
        }
        const auto packet = parse_probe_packet(std::span(bytes).first(static_cast<std::size_t>(size)));
        if (packet) out.push_back(seen_packet(*packet, from));
    }
    tpacket_stats statistics{};
    socklen_t size = sizeof statistics;
    const bool told = ::getsockopt(socket, SOL_PACKET, PACKET_STATISTICS, &statistics, &size) == 0;
    return told && statistics.tp_drops == 0 && count < most;
}

}  // namespace

Result<PacketView> PacketView::open() {
    auto own = open_socket();
    if (!own) return own.error();
    auto rest = open_socket();
    if (!rest) return rest.error();
    return PacketView(std::move(*own), std::move(*rest));
}

Result<void> PacketView::watch(bool tcp, const IpAddress& address, std::uint16_t port) {
    if (auto attached = attach(own_.get(), make_filter(true, tcp, address, port)); !attached) return attached;
    return attach(rest_.get(), make_filter(false, tcp, address, port));
}

SeenAll PacketView::take(std::vector<SeenPacket>& out) {
    const bool own = take_from(own_.get(), out);
    const bool rest = take_from(rest_.get(), out);
    return {own, own && rest};
}

}  // namespace netlab::operations
