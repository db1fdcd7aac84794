#include "daemon/operations/packet_text_parts.hpp"

#include <array>

#include <netinet/in.h>
#include <tins/icmpv6.h>

namespace netlab::operations {

namespace {

constexpr std::size_t header_size = 8;

/// RFC 4443, 3.1; tcpdump's words.
std::string unreachable_text(const PacketPart& message) {
    const auto quoted = message.after(header_size);
    constexpr std::size_t ipv6_size = 40;
    const auto destination = quoted.ipv6(24);
    const unsigned code = message.number8(1);
    switch (code) {
        case 0:
            return ", unreachable route " + destination;
        case 1:
            return ", unreachable prohibited " + destination;
        case 2:
            return ", beyond scope " + destination + ", source address " + quoted.ipv6(8);
        case 3:
            return ", unreachable address " + destination;
        case 4:
            break;
        default:
            return ", unknown unreach code (" + std::to_string(code) + ")";
    }
    const unsigned protocol = quoted.number8(6);
    const char* name = protocol == IPPROTO_TCP ? " tcp" : protocol == IPPROTO_UDP ? " udp" : nullptr;
    // What stands behind extension headers is not looked for.
    if (name == nullptr)
        return ", unreachable port, " + destination + " protocol " + std::to_string(protocol);
    return ", unreachable port, " + destination + name + " port " +
           std::to_string(quoted.number16(ipv6_size + 2));
}

std::string exceeded_text(const PacketPart& message) {
    switch (message.number8(1)) {
        case 0:
            return " for " + message.after(header_size).ipv6(24);
        case 1:
            return " (reassembly)";
        default:
            return ", unknown code (" + std::to_string(message.number8(1)) + ")";
    }
}

std::string problem_text(const PacketPart& message) {
    constexpr std::array names{", erroneous - octet ", ", next header - octet ", ", option - octet "};
    const std::size_t code = message.number8(1);
    if (code < names.size()) return names[code] + std::to_string(message.number32(4));
    return ", code-#" + std::to_string(code);
}

/// A message whose addresses libtins reads from its first `size` bytes; options are not shown.
Tins::ICMPv6 without_options(const PacketPart& message, std::size_t size) {
    return header_of<Tins::ICMPv6>(message, size);
}

/// RFC 2710, 3.
std::string listener_text(const PacketPart& message) {
    constexpr std::size_t size = 24;
    (void)message.first(size);
    return "max resp delay: " + std::to_string(message.number16(4)) + " addr: " + message.ipv6(8);
}

/// RFC 3810, 5.1.
std::string query_text(const PacketPart& message) {
    constexpr std::size_t first_version = 24;
    constexpr std::size_t second_version = 28;
    if (message.length() == first_version) return listener_text(message);
    if (message.length() < second_version)
        return " unknown-version (len " + std::to_string(message.length()) + ") ";
    auto text = " v2 [gaddr " + message.ipv6(8);
    const auto sources = message.number16(26);
    if (sources > 0) text += ", " + std::to_string(sources) + " source(s)";
    return text + "]";
}

struct TypeName {
    unsigned type;
    const char* name;
};

constexpr std::array type_names{TypeName{1, "destination unreachable"},
                                TypeName{2, "packet too big"},
                                TypeName{3, "time exceeded in-transit"},
                                TypeName{4, "parameter problem"},
                                TypeName{128, "echo request"},
                                TypeName{129, "echo reply"},
                                TypeName{130, "multicast listener query"},
                                TypeName{131, "multicast listener report"},
                                TypeName{132, "multicast listener done"},
                                TypeName{133, "router solicitation"},
                                TypeName{134, "router advertisement"},
                                TypeName{135, "neighbor solicitation"},
                                TypeName{136, "neighbor advertisement"},
                                TypeName{137, "redirect"},
                                TypeName{143, "multicast listener report v2"}};

std::string type_name(unsigned type) {
    for (const auto& one : type_names)
        if (one.type == type) return one.name;
    return "unknown icmp6 type (" + std::to_string(type) + ")";
}

std::string echo_text(const PacketPart& message) {
    const auto icmp = without_options(message, header_size);
    return ", id " + std::to_string(icmp.identifier()) + ", seq " + std::to_string(icmp.sequence());
}

std::string redirect_text(const PacketPart& message) {
    const auto icmp = without_options(message, 40);
    return ", " + icmp.dest_addr().to_string() + " to " + icmp.target_addr().to_string();
}

std::string details_text(const PacketPart& message) {
    constexpr std::size_t neighbour_size = 24;
    switch (message.number8(0)) {
        case Tins::ICMPv6::DEST_UNREACHABLE:
            return unreachable_text(message);
        case Tins::ICMPv6::PACKET_TOOBIG:
            return ", mtu " + std::to_string(message.number32(4));
        case Tins::ICMPv6::TIME_EXCEEDED:
            return exceeded_text(message);
        case Tins::ICMPv6::PARAM_PROBLEM:
            return problem_text(message);
        case Tins::ICMPv6::ECHO_REQUEST:
        case Tins::ICMPv6::ECHO_REPLY:
            return echo_text(message);
        case Tins::ICMPv6::MGM_QUERY:
            return query_text(message);
        case Tins::ICMPv6::MGM_REPORT:
        case Tins::ICMPv6::MGM_REDUCTION:
            return listener_text(message);
        case Tins::ICMPv6::NEIGHBOUR_SOLICIT:
            return ", who has " + without_options(message, neighbour_size).target_addr().to_string();
        case Tins::ICMPv6::NEIGHBOUR_ADVERT:
            return ", tgt is " + without_options(message, neighbour_size).target_addr().to_string();
        case Tins::ICMPv6::REDIRECT:
            return redirect_text(message);
        default:
            return {};
    }
}

}  // namespace

void icmpv6_text(PacketText& text, const PacketPart& message) {
    text.protocol = "ICMPv6";
    read_layer(text, "icmp6", [&] {
        (void)message.first(4);
        text.info += "ICMP6, " + type_name(message.number8(0));
        if (message.number8(0) == Tins::ICMPv6::MLD2_REPORT) {
            mld_report_text(text, message);
        } else {
            text.info += details_text(message);
        }
        text.info += ", length " + std::to_string(message.length());
    });
}

}  // namespace netlab::operations
