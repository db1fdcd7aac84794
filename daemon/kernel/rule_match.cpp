#include "daemon/kernel/rule_match.hpp"

#include <algorithm>
#include <cstring>
#include <functional>
#include <span>

#include <arpa/inet.h>  // before the kernel's headers, which then leave out what it has
#include <linux/rtnetlink.h>
#include <netinet/icmp6.h>
#include <netinet/ip_icmp.h>

namespace netlab::kernel::rule_match {

namespace {

bool holds(const std::optional<Condition<IpPrefix>>& condition, const IpAddress& address) {
    return !condition || condition->value.contains(address) != condition->inverted;
}
bool holds(const std::optional<Condition<std::uint8_t>>& condition, std::uint8_t protocol) {
    return !condition || (condition->value == protocol) != condition->inverted;
}
bool holds(const std::optional<Condition<PortRange>>& condition, std::uint16_t port) {
    if (!condition) return true;
    const bool inside = condition->value.first <= port && port <= condition->value.second;
    return inside != condition->inverted;
}

Match as_match(bool holds) {
    return holds ? Match::yes : Match::no;
}

/// Of a condition on what may not be known.
template <class T, class Fact, class Holds>
Match match(const std::optional<Condition<T>>& condition, const std::optional<Fact>& fact, Holds holds) {
    if (!condition) return Match::yes;
    if (!fact) return Match::maybe;
    return as_match(holds(*fact, condition->value) != condition->inverted);
}

/// Without an entry of conntrack's a packet is invalid (nft_ct_get_eval() of net/netfilter/nft_ct.c,
/// conntrack_mt() of xt_conntrack.c).
std::optional<std::uint32_t> flow_as_seen(const PacketFacts& packet) {
    return packet.tracked ? packet.flow : std::optional<std::uint32_t>(flow_is_invalid);
}

/// A value as a register has it; nullopt where it is not known.
std::optional<std::vector<std::byte>> value_of(PacketField field, const PacketFacts& packet) {
    using Value = std::optional<std::vector<std::byte>>;
    const auto whole = [](const auto& value) {
        const auto bytes = std::as_bytes(std::span(&value, 1));
        return std::vector<std::byte>(bytes.begin(), bytes.end());
    };
    const auto port = [](std::uint16_t value) {
        return std::vector{std::byte(value >> 8), std::byte(value & 0xFF)};
    };
    const auto address = [](const IpAddress& value) {
        const auto bytes = std::as_bytes(value.bytes());
        return std::vector<std::byte>(bytes.begin(), bytes.end());
    };
    const auto name = [](const std::optional<std::string>& value) -> Value {
        constexpr std::size_t longest = 16;  // IFNAMSIZ
        if (!value || value->size() >= longest) return std::nullopt;
        std::vector<std::byte> out(longest);
        std::memcpy(out.data(), value->data(), value->size());
        return out;
    };
    const auto state = [](std::uint32_t flow) {
        constexpr std::uint32_t states = 15;
        constexpr std::uint32_t untracked = 1U << 6;  // NF_CT_STATE_UNTRACKED_BIT
        return (flow & flow_is_untracked) != 0 ? untracked : flow & states;
    };
    switch (field) {
        case PacketField::source:
            return packet.source_known ? Value(address(packet.source)) : std::nullopt;
        case PacketField::destination:
            return address(packet.destination);
        case PacketField::protocol:
            return std::vector{std::byte(packet.protocol)};
        case PacketField::source_port:
            return packet.source_known ? Value(port(packet.source_port)) : std::nullopt;
        case PacketField::destination_port:
            return port(packet.destination_port);
        case PacketField::input:
            return name(packet.input);
        case PacketField::output:
            return name(packet.output);
        case PacketField::mark:
            return packet.mark ? Value(whole(*packet.mark)) : std::nullopt;
        case PacketField::flow:
            return flow_as_seen(packet) ? Value(whole(state(*flow_as_seen(packet)))) : std::nullopt;
        case PacketField::icmp_type:
            if (const auto type = icmp_type_of(packet)) return std::vector{std::byte(*type)};
            return std::nullopt;
        case PacketField::destination_kind:
            // What it is if it is none of this namespace's is not known.
            return packet.destination_local.value_or(false) ? Value(whole(std::uint32_t{RTN_LOCAL}))
                                                            : std::nullopt;
    }
    return std::nullopt;
}

Match match(const SetCondition& condition, const PacketFacts& packet) {
    // Kernels differ in whether what is for all others counts as being in it, for what must not.
    if (condition.inverted && catch_all(*condition.set) != nullptr) return Match::maybe;
    const auto found = find(condition, packet);
    if (found.kind == NftFound::Kind::unknown) return Match::maybe;
    return as_match((found.kind == NftFound::Kind::one) != condition.inverted);
}

}  // namespace

/// RFC 792, RFC 4443.
std::optional<std::uint8_t> icmp_type_of(const PacketFacts& packet) {
    if (packet.icmp_type || !packet.flow) return packet.icmp_type;
    const bool reply = (*packet.flow & flow_is_established) != 0;
    if (packet.protocol == IPPROTO_ICMP) return reply ? ICMP_ECHOREPLY : ICMP_ECHO;
    if (packet.protocol == IPPROTO_ICMPV6) return reply ? ICMP6_ECHO_REPLY : ICMP6_ECHO_REQUEST;
    return std::nullopt;
}

std::optional<std::uint8_t> tcp_flags_of(const PacketFacts& packet) {
    constexpr std::uint8_t syn = 0x02;
    constexpr std::uint8_t ack = 0x10;
    if (packet.protocol != IPPROTO_TCP) return std::nullopt;
    if (packet.tcp_flags || !packet.flow) return packet.tcp_flags;
    return (*packet.flow & flow_is_established) != 0 ? syn | ack : syn;
}

bool is_called(const std::string& name, const std::string& wanted) {
    if (!wanted.ends_with('*')) return name == wanted;
    return name.starts_with(std::string_view(wanted).substr(0, wanted.size() - 1));
}

NftFound find(const SetCondition& condition, const PacketFacts& packet) {
    std::vector<std::byte> key;
    for (const auto field : condition.fields) {
        const auto value = value_of(field, packet);
        if (!value) return {NftFound::Kind::unknown, nullptr};
        // Each of several begins a register.
        while (key.size() % 4 != 0)
            key.push_back(std::byte{0});
        key.insert(key.end(), value->begin(), value->end());
    }
    while (condition.fields.size() > 1 && key.size() % 4 != 0)
        key.push_back(std::byte{0});
    return look_up(*condition.set, key);
}

Match match(const PacketRule& rule, const PacketFacts& packet) {
    const bool asks_source = rule.source || rule.source_port;
    const bool from_there = !packet.source_known || (holds(rule.source, packet.source) &&
                                                     holds(rule.source_port, packet.source_port));
    const bool fits = from_there && holds(rule.destination, packet.destination) &&
                      holds(rule.protocol, packet.protocol) &&
                      holds(rule.destination_port, packet.destination_port);
    if (!fits || rule.routing_header) return Match::no;
    const auto has_mark = [](std::uint32_t mark, const MarkBits& bits) {
        return (mark & bits.mask) == bits.value;
    };
    const auto has_flags = [](std::uint8_t flags, const TcpFlags& wanted) {
        return (flags & wanted.mask) == wanted.value;
    };
    const auto has_one = [](std::uint32_t flow, std::uint32_t bits) { return (flow & bits) != 0; };
    const auto is_so = [](const std::optional<bool>& wanted, const std::optional<bool>& fact) {
        if (!wanted) return Match::yes;
        return fact ? as_match(*fact == *wanted) : Match::maybe;
    };
    const bool open = rule.more_conditions || (asks_source && !packet.source_known);
    auto all = open ? Match::maybe : Match::yes;
    for (const auto one :
         {match(rule.input, packet.input, is_called), match(rule.output, packet.output, is_called),
          is_so(rule.destination_local, packet.destination_local),
          is_so(rule.reverse_path, packet.reverse_path), match(rule.mark, packet.mark, has_mark),
          match(rule.flow, flow_as_seen(packet), has_one),
          match(rule.tcp_flags, tcp_flags_of(packet), has_flags),
          match(rule.icmp_type, icmp_type_of(packet), std::equal_to<>()),
          match(rule.arp_operation, packet.arp_operation, std::equal_to<>())})
        all = std::min(all, one == Match::yes ? all : one);
    for (const auto& set : rule.sets)
        all = std::min(all, match(set, packet));
    return all;
}

}  // namespace netlab::kernel::rule_match
