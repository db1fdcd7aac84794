#include "common/pcapng.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <limits>

namespace netlab::pcapng {

namespace {

constexpr std::size_t header_size = 28;  // of a packet block, up to the packet's bytes
constexpr std::size_t options_size = 12;

template <class T>
void append_number(Bytes& out, T value) {
    const auto* bytes = reinterpret_cast<const std::byte*>(&value);
    out.insert(out.end(), bytes, bytes + sizeof value);
}

void append_bytes(Bytes& out, std::span<const std::byte> bytes) {
    out.insert(out.end(), bytes.begin(), bytes.end());
    out.resize(out.size() + (4 - bytes.size() % 4) % 4);
}

void append_option(Bytes& out, std::uint16_t code, std::span<const std::byte> value) {
    const auto piece = value.first(std::min<std::size_t>(value.size(), 0xFFFF));
    append_number(out, code);
    append_number(out, static_cast<std::uint16_t>(piece.size()));
    append_bytes(out, piece);
}

/// Nothing where the text is empty.
void append_text(Bytes& out, std::uint16_t code, std::string_view text) {
    if (!text.empty()) append_option(out, code, std::as_bytes(std::span(text)));
}

void append_count(Bytes& out, std::uint16_t code, std::uint64_t count) {
    append_option(out, code, std::as_bytes(std::span(&count, 1)));
}

/// A time as a statistics block's options have it: the high half first.
void append_time(Bytes& out, std::uint16_t code, std::uint64_t ns) {
    const std::array halves{static_cast<std::uint32_t>(ns >> 32), static_cast<std::uint32_t>(ns)};
    append_option(out, code, std::as_bytes(std::span(halves)));
}

void end_options(Bytes& out) {
    append_number(out, option::end);
    append_number(out, std::uint16_t{0});
}

/// Returns where the block begins: end_block() writes its length there.
std::size_t begin_block(Bytes& out, std::uint32_t type) {
    const auto begin = out.size();
    append_number(out, type);
    append_number(out, std::uint32_t{0});
    return begin;
}

void end_block(Bytes& out, std::size_t begin) {
    const auto length = static_cast<std::uint32_t>(out.size() - begin + sizeof(std::uint32_t));
    append_number(out, length);
    std::memcpy(out.data() + begin + sizeof(std::uint32_t), &length, sizeof length);
}

}  // namespace

void append_section(Bytes& out, std::string_view os, std::string_view application) {
    const auto begin = begin_block(out, block::section);
    append_number(out, byte_order_magic);
    append_number(out, std::uint16_t{1});
    append_number(out, std::uint16_t{0});
    append_number(out, std::numeric_limits<std::uint64_t>::max());  // its length is not known
    append_text(out, option::section_os, os);
    append_text(out, option::section_application, application);
    end_options(out);
    end_block(out, begin);
}

void append_interface(Bytes& out, const Interface& interface) {
    const auto begin = begin_block(out, block::interface);
    append_number(out, static_cast<std::uint16_t>(interface.link_type));
    append_number(out, std::uint16_t{0});
    append_number(out, interface.snap_length);
    append_text(out, option::interface_name, interface.name);
    append_text(out, option::interface_description, interface.description);
    constexpr std::array nanoseconds{std::byte{9}};
    append_option(out, option::interface_resolution, nanoseconds);
    // A zero in front: the filter is a text (section 4.2, if_filter).
    if (!interface.filter.empty())
        append_text(out, option::interface_filter, std::string(1, '\0') + interface.filter);
    end_options(out);
    end_block(out, begin);
}

void append_names(Bytes& out, std::span<const api::NamedAddress> names) {
    const auto begin = begin_block(out, block::names);
    for (const auto& [address, name] : names) {
        constexpr std::uint16_t ipv4 = 1;
        constexpr std::uint16_t ipv6 = 2;
        const auto bytes = address.bytes();
        const auto text = std::string_view(name).substr(0, 255);
        append_number(out, address.is_v4() ? ipv4 : ipv6);
        append_number(out, static_cast<std::uint16_t>(bytes.size() + text.size() + 1));
        Bytes record;
        record.reserve(bytes.size() + text.size() + 1);
        std::ranges::copy(std::as_bytes(bytes), std::back_inserter(record));
        std::ranges::copy(std::as_bytes(std::span(text)), std::back_inserter(record));
        record.push_back(std::byte{0});
        append_bytes(out, record);
    }
    append_number(out, std::uint32_t{0});  // nrb_record_end
    end_block(out, begin);
}

void append_statistics(Bytes& out, const Statistics& statistics) {
    const auto begin = begin_block(out, block::statistics);
    append_number(out, statistics.interface);
    append_number(out, static_cast<std::uint32_t>(statistics.end_ns >> 32));
    append_number(out, static_cast<std::uint32_t>(statistics.end_ns));
    append_text(out, option::comment, statistics.comment);
    append_time(out, option::statistics_start, statistics.start_ns);
    append_time(out, option::statistics_end, statistics.end_ns);
    append_count(out, option::statistics_received, statistics.received);
    append_count(out, option::statistics_dropped, statistics.dropped);
    append_count(out, option::statistics_delivered, statistics.delivered);
    end_options(out);
    end_block(out, begin);
}

std::byte* begin_packet(std::byte* out, const PacketHead& head) {
    const std::array words{block::packet,
                           static_cast<std::uint32_t>(packet_block_size(head.captured)),
                           head.interface,
                           static_cast<std::uint32_t>(head.time_ns >> 32),
                           static_cast<std::uint32_t>(head.time_ns),
                           head.captured,
                           head.length};
    static_assert(sizeof words == header_size);
    std::memcpy(out, words.data(), sizeof words);
    return out + sizeof words;
}

void end_packet(std::byte* out, const PacketHead& head) {
    const auto size = packet_block_size(head.captured);
    auto* end = out + size - options_size - sizeof(std::uint32_t);
    auto* behind = out + header_size + head.captured;
    std::memset(behind, 0, static_cast<std::size_t>(end - behind));
    struct {
        std::uint16_t code = option::packet_flags;
        std::uint16_t length = sizeof(std::uint32_t);
        std::uint32_t flags = 0;
        std::uint32_t end = 0;
        std::uint32_t size = 0;
    } rest;
    static_assert(sizeof rest == options_size + sizeof(std::uint32_t));
    rest.flags = static_cast<std::uint32_t>(head.direction);
    rest.size = static_cast<std::uint32_t>(size);
    std::memcpy(end, &rest, sizeof rest);
}

void append_packet(Bytes& out, const PacketHead& head, std::span<const std::byte> packet) {
    const auto begin = out.size();
    out.resize(begin + packet_block_size(head.captured));
    std::ranges::copy(packet, begin_packet(out.data() + begin, head));
    end_packet(out.data() + begin, head);
}

}  // namespace netlab::pcapng
