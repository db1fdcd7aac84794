#include "daemon/operations/packet_text_parts.hpp"

#include <array>

#include <netinet/in.h>
#include <tins/icmp.h>

namespace netlab::operations {

namespace {

constexpr std::size_t header_size = 8;

/// The start of the packet that an error is about (RFC 792), as far as errors tell of it.
struct Quoted {
    std::string destination;
    std::uint8_t protocol = 0;
    PacketPart transport;
};

Quoted quoted_packet(const PacketPart& packet) {
    const auto size = static_cast<std::size_t>(packet.number8(0) & 0x0FU) * 4;
    return {packet.ipv4(16), packet.number8(9), packet.after(size)};
}

std::string port_text(const Quoted& quoted) {
    const auto port = std::to_string(quoted.transport.number16(2));
    switch (quoted.protocol) {
        case IPPROTO_TCP:
            return quoted.destination + " tcp port " + port + " unreachable";
        case IPPROTO_UDP:
            return quoted.destination + " udp port " + port + " unreachable";
        default:
            return quoted.destination + " protocol " + std::to_string(quoted.protocol) + " port " + port +
                   " unreachable";
    }
}

std::string too_big_text(const Quoted& quoted, std::uint16_t mtu) {
    auto text = quoted.destination + " unreachable - need to frag";
    if (mtu != 0) text += " (mtu " + std::to_string(mtu) + ")";
    return text;
}

/// What stands in front of the address, and behind it.
struct Around {
    const char* before;
    const char* after;
};

/// By code (RFC 1122, 3.2.2.1; RFC 1812, 5.2.7.1); 2, 3 and 4 have more to say.
constexpr std::array<Around, 16> unreachable_texts{
    Around{"net ", " unreachable"},
    Around{"host ", " unreachable"},
    Around{"", ""},
    Around{"", ""},
    Around{"", ""},
    Around{"", " unreachable - source route failed"},
    Around{"net ", " unreachable - unknown"},
    Around{"host ", " unreachable - unknown"},
    Around{"", " unreachable - source host isolated"},
    Around{"net ", " unreachable - admin prohibited"},
    Around{"host ", " unreachable - admin prohibited"},
    Around{"net ", " unreachable - tos prohibited"},
    Around{"host ", " unreachable - tos prohibited"},
    Around{"host ", " unreachable - admin prohibited filter"},
    Around{"host ", " unreachable - host precedence violation"},
    Around{"host ", " unreachable - precedence cutoff"}};

std::string unreachable_text(const Tins::ICMP& icmp, const Quoted& quoted) {
    const unsigned code = icmp.code();
    switch (code) {
        case 2:
            return quoted.destination + " protocol " + std::to_string(quoted.protocol) + " unreachable";
        case 3:
            return port_text(quoted);
        case 4:
            return too_big_text(quoted, icmp.mtu());
        default:
            break;
    }
    if (code >= unreachable_texts.size())
        return quoted.destination + " unreachable - #" + std::to_string(code);
    return unreachable_texts[code].before + quoted.destination + unreachable_texts[code].after;
}

std::string redirect_text(unsigned code, const Quoted& quoted, const std::string& gateway) {
    constexpr std::array<Around, 4> texts{Around{"redirect ", " to net "}, Around{"redirect ", " to host "},
                                          Around{"redirect-tos ", " to net "},
                                          Around{"redirect-tos ", " to host "}};
    if (code < texts.size()) return texts[code].before + quoted.destination + texts[code].after + gateway;
    return "redirect-#" + std::to_string(code) + " " + quoted.destination + " to " + gateway;
}

std::string exceeded_text(unsigned code) {
    if (code == 0) return "time exceeded in-transit";
    if (code == 1) return "ip reassembly time exceeded";
    return "time exceeded-#" + std::to_string(code);
}

std::string echo_text(const char* name, const Tins::ICMP& icmp) {
    return std::string(name) + ", id " + std::to_string(icmp.id()) + ", seq " +
           std::to_string(icmp.sequence());
}

std::string message_text(const PacketPart& message, const Tins::ICMP& icmp) {
    // Only what is about a packet must quote one.
    const auto quoted = [&] { return quoted_packet(message.after(header_size)); };
    switch (icmp.type()) {
        case Tins::ICMP::ECHO_REPLY:
            return echo_text("echo reply", icmp);
        case Tins::ICMP::ECHO_REQUEST:
            return echo_text("echo request", icmp);
        case Tins::ICMP::DEST_UNREACHABLE:
            return unreachable_text(icmp, quoted());
        case Tins::ICMP::SOURCE_QUENCH:
            return "source quench";
        case Tins::ICMP::REDIRECT:
            return redirect_text(icmp.code(), quoted(), message.ipv4(4));
        case Tins::ICMP::TIME_EXCEEDED:
            return exceeded_text(icmp.code());
        case Tins::ICMP::PARAM_PROBLEM:
            return icmp.code() != 0 ? "parameter problem - code " + std::to_string(icmp.code())
                                    : "parameter problem - octet " + std::to_string(icmp.pointer());
        default:
            return "type-#" + std::to_string(static_cast<unsigned>(icmp.type()));
    }
}

}  // namespace

void icmp_text(PacketText& text, const PacketPart& message) {
    text.protocol = "ICMP";
    read_layer(text, "icmp", [&] {
        // libtins wants more than a header of the types that have times; those are not shown.
        std::array<std::uint8_t, 20> bytes{};
        std::copy_n(message.first(header_size).data(), header_size, bytes.begin());
        const Tins::ICMP icmp(bytes.data(), bytes.size());
        text.info += "ICMP " + message_text(message, icmp) + ", length " + std::to_string(message.length());
    });
}

}  // namespace netlab::operations
