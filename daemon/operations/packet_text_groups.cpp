#include "daemon/operations/packet_text_parts.hpp"

#include <algorithm>
#include <array>
#include <cstdio>

/// IGMP (RFC 2236, RFC 3376), which libtins does not know, and the reports of MLDv2 (RFC 3810), whose group
/// records are the same but for the addresses' size.
namespace netlab::operations {

namespace {

constexpr std::size_t header_size = 8;

/// RFC 3376, 4.2.12; RFC 3810, 5.2.12.
std::string record_type_name(unsigned type) {
    constexpr std::array names{"is_in", "is_ex", "to_in", "to_ex", "allow", "block"};
    return type >= 1 && type <= names.size() ? names[type - 1] : "[v3-report-#" + std::to_string(type) + "]";
}

std::string group_text(const PacketPart& part, std::size_t at, std::size_t address_size) {
    return address_size == 4 ? part.ipv4(at) : part.ipv6(at);
}

/// As `tcpdump -v` has them.
void records_text(PacketText& text, const PacketPart& message, std::size_t address_size) {
    constexpr unsigned most_shown = 16;
    const unsigned count = message.number16(6);
    text.info += ", " + std::to_string(count) + " group record(s)";
    auto rest = message.after(header_size);
    for (unsigned i = 0; i < std::min(count, most_shown); ++i) {
        const auto type = rest.number8(0);
        const std::size_t sources = rest.number16(2);
        text.info += " [gaddr " + group_text(rest, 4, address_size) + " " + record_type_name(type) + ", " +
                     std::to_string(sources) + " source(s)]";
        // Behind the sources there may be words that mean nothing.
        rest = rest.after(4 + address_size + sources * address_size + std::size_t{rest.number8(1)} * 4);
    }
    if (count > most_shown) text.info += " ...";
}

/// In tenths of a second; RFC 3376, 4.1.1.
unsigned response_time(unsigned code) {
    return code < 128 ? code : ((code & 0x0FU) | 0x10U) << ((code >> 4U & 7U) + 3U);
}

std::string query_text(const PacketPart& message) {
    constexpr std::size_t third_version = 12;
    constexpr unsigned usual = 100;
    const unsigned code = message.number8(1);
    const auto group = message.ipv4(4);
    const bool general = group == "0.0.0.0";
    if (message.length() < third_version) {
        std::string text = code == 0 ? " v1" : " v2";
        if (code != 0 && code != usual) text += " [max resp time " + std::to_string(code) + "]";
        return text + (general ? "" : " [gaddr " + group + "]");
    }
    std::string text = " v3";
    if (code != usual) {
        const auto time = response_time(code);
        text += " [max resp time " + std::to_string(time / 10) + "." + std::to_string(time % 10) + "s]";
    }
    if (general) return text;
    text += " [gaddr " + group;
    const auto sources = message.number16(10);
    if (sources > 0) text += ", " + std::to_string(sources) + " source(s)";
    return text + "]";
}

}  // namespace

void igmp_text(PacketText& text, const PacketPart& message) {
    text.protocol = "IGMP";
    read_layer(text, "igmp", [&] {
        switch (const auto type = message.number8(0)) {
            case 0x11:
                text.info += "igmp query";
                text.info += query_text(message);
                break;
            case 0x12:
                text.info += "igmp v1 report " + message.ipv4(4);
                break;
            case 0x16:
                text.info += "igmp v2 report " + message.ipv4(4);
                break;
            case 0x17:
                text.info += "igmp leave " + message.ipv4(4);
                break;
            case 0x22:
                text.info += "igmp v3 report";
                records_text(text, message, 4);
                break;
            default:
                text.info += "igmp-" + std::to_string(type);
        }
    });
}

void mld_report_text(PacketText& text, const PacketPart& message) {
    records_text(text, message, 16);
}

}  // namespace netlab::operations
