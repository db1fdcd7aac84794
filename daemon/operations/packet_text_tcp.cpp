#include "daemon/operations/packet_text_parts.hpp"

#include <algorithm>
#include <array>

#include <tins/tcp.h>

namespace netlab::operations {

namespace {

constexpr std::size_t shortest = 20;
constexpr std::uint16_t dns_port = 53;

std::string flags_text(unsigned flags) {
    constexpr std::array letters{'F', 'S', 'R', 'P', '.', 'U', 'E', 'W'};
    std::string text;
    for (std::size_t bit = 0; bit < letters.size(); ++bit)
        if ((flags >> bit & 1U) != 0) text += letters[bit];
    return text.empty() ? "none" : text;
}

std::string bytes_text(const Tins::TCP::option& option) {
    constexpr std::string_view digits = "0123456789abcdef";
    std::string text;
    for (const auto byte : std::span(option.data_ptr(), option.data_size()))
        text.append({digits[byte >> 4U], digits[byte & 0x0FU]});
    return text;
}

std::string sack_text(const Tins::TCP::option& option) {
    const auto edges = option.to<Tins::TCP::sack_type>();
    if (edges.size() % 2 != 0) throw PacketInvalid();
    std::string text = "sack " + std::to_string(edges.size() / 2) + " ";
    for (std::size_t i = 0; i < edges.size(); i += 2)
        text += "{" + std::to_string(edges[i]) + ":" + std::to_string(edges[i + 1]) + "}";
    return text;
}

std::string timestamps_text(const Tins::TCP::option& option) {
    const auto [value, echo] = option.to<std::pair<std::uint32_t, std::uint32_t>>();
    return "TS val " + std::to_string(value) + " ecr " + std::to_string(echo);
}

/// Throws libtins' malformed_option where its data has not its type's size.
std::string option_text(const Tins::TCP::option& option) {
    switch (option.option()) {
        case Tins::TCP::NOP:
            return "nop";
        case Tins::TCP::MSS:
            return "mss " + std::to_string(option.to<std::uint16_t>());
        case Tins::TCP::WSCALE:
            return "wscale " + std::to_string(unsigned{option.to<std::uint8_t>()});
        case Tins::TCP::SACK_OK:
            return "sackOK";
        case Tins::TCP::SACK:
            return sack_text(option);
        case Tins::TCP::TSOPT:
            return timestamps_text(option);
        default: {
            const auto bytes = bytes_text(option);
            return "unknown-" + std::to_string(unsigned{option.option()}) +
                   (bytes.empty() ? "" : " 0x" + bytes);
        }
    }
}

/// How many bytes an option has in a header.
std::size_t size_of(const Tins::TCP::option& option) {
    return option.option() == Tins::TCP::NOP ? 1 : option.data_size() + 2;
}

std::string options_text(const PacketPart& segment, std::size_t header_length) {
    std::string text = ", options [";
    try {
        const auto tcp = header_of<Tins::TCP>(segment, header_length);
        std::size_t size = shortest;
        for (const auto& option : tcp.options()) {
            if (option.option() == Tins::TCP::EOL) break;
            if (size > shortest) text += ',';
            text += option_text(option);
            size += size_of(option);
        }
        // What is behind the list's end are no options, to libtins 4.0 either; later ones do not keep its
        // end.
        if (size < header_length) text += size > shortest ? ",eol" : "eol";
    } catch (const PacketCut&) {
        throw;
    } catch (const std::exception&) {
        text += "[bad opt]";
    }
    return text + "]";
}

/// A message in front of which its length stands (RFC 1035, 4.2.2), where the segment has it whole.
void dns_segment_text(PacketText& text, const PacketPart& data) {
    if (data.length() < 2) return;
    const std::size_t length = data.number16(0);
    if (length + 2 != data.length()) return;
    text.info += " ";
    dns_text(text, data.after(2), false);
}

void data_text(PacketText& text, const PacketPart& data) {
    const auto has = [&](std::uint16_t port) {
        return text.source.port == port || text.destination.port == port;
    };
    if (has(dns_port)) return dns_segment_text(text, data);
    if (has(80) || has(8080) || has(3128)) http_text(text, data);
}

Tins::TCP fixed_header(const PacketPart& segment) {
    std::array<std::uint8_t, shortest> fixed{};
    std::ranges::copy(segment.first(shortest), fixed.begin());
    // The options are read by themselves: what is wrong with them must not hide the rest.
    fixed[12] = shortest / 4 << 4;
    return {fixed.data(), fixed.size()};
}

void read_segment(PacketText& text, const PacketPart& segment) {
    text.source.port = segment.number16(0);
    text.destination.port = segment.number16(2);
    const auto header_length = static_cast<std::size_t>(segment.number8(12) >> 4U) * 4;
    if (header_length < shortest || header_length > segment.length()) {
        text.info += "tcp " + std::to_string(segment.length()) + " [bad hdr length " +
                     std::to_string(header_length) + "]";
        return;
    }
    const auto tcp = fixed_header(segment);
    const unsigned flags = segment.number8(13);
    const auto length = segment.length() - header_length;
    text.info += "Flags [" + flags_text(flags) + "]";
    if (length > 0 || (flags & (Tins::TCP::SYN | Tins::TCP::FIN | Tins::TCP::RST)) != 0) {
        text.info += ", seq " + std::to_string(tcp.seq());
        if (length > 0) text.info += ":" + std::to_string(static_cast<std::uint32_t>(tcp.seq() + length));
    }
    if ((flags & Tins::TCP::ACK) != 0) text.info += ", ack " + std::to_string(tcp.ack_seq());
    text.info += ", win " + std::to_string(tcp.window());
    if ((flags & Tins::TCP::URG) != 0) text.info += ", urg " + std::to_string(tcp.urg_ptr());
    if (header_length > shortest) text.info += options_text(segment, header_length);
    text.info += ", length " + std::to_string(length);
    if (length > 0) data_text(text, segment.after(header_length));
}

}  // namespace

void tcp_text(PacketText& text, const PacketPart& segment) {
    text.protocol = "TCP";
    read_layer(text, "tcp", [&] { read_segment(text, segment); });
}

}  // namespace netlab::operations
