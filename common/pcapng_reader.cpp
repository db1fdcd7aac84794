#include "common/pcapng_reader.hpp"

#include <algorithm>
#include <cstring>

namespace netlab::pcapng {

namespace {

constexpr std::size_t head_size = 8;
constexpr std::size_t smallest_block = 12;
constexpr std::uint32_t swapped_magic = __builtin_bswap32(byte_order_magic);

Error bad(std::string why) {
    return {errc::protocol_error, "no valid pcapng: " + std::move(why), {}, {}};
}

std::uint16_t turned(std::uint16_t value) {
    return __builtin_bswap16(value);
}
std::uint32_t turned(std::uint32_t value) {
    return __builtin_bswap32(value);
}
std::uint64_t turned(std::uint64_t value) {
    return __builtin_bswap64(value);
}

/// The caller has looked that they are there.
template <class T>
T number_at(std::span<const std::byte> bytes, std::size_t at, ByteOrder order) {
    T value{};
    std::memcpy(&value, bytes.data() + at, sizeof value);
    return order == ByteOrder::swapped ? turned(value) : value;
}

constexpr std::size_t padded(std::size_t size) {
    return (size + 3) / 4 * 4;
}

std::string text_of(std::span<const std::byte> bytes) {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

struct Entry {
    std::uint16_t code = 0;
    std::span<const std::byte> value;
};

/// Options and name records have one form: code, length, value, filled up to four bytes.
class Entries {
  public:
    Entries(std::span<const std::byte> bytes, ByteOrder order) : bytes_(bytes), order_(order) {}

    /// nullopt at the end, which a code of 0 says, or the block's own end.
    Result<std::optional<Entry>> next() {
        if (bytes_.empty()) return std::optional<Entry>();
        if (bytes_.size() < 4) return bad("an option is cut off");
        const auto code = number_at<std::uint16_t>(bytes_, 0, order_);
        const std::size_t length = number_at<std::uint16_t>(bytes_, 2, order_);
        if (code == option::end) return std::optional<Entry>();
        if (padded(length) > bytes_.size() - 4) return bad("an option is longer than its block");
        const Entry entry{code, bytes_.subspan(4, length)};
        bytes_ = bytes_.subspan(4 + padded(length));
        return std::optional(entry);
    }

  private:
    std::span<const std::byte> bytes_;
    ByteOrder order_;
};

/// Hands each option behind the first `fixed` bytes of the body to `take`, which returns whether its length
/// is right.
template <class Take>
Result<void> take_options(const Block& block, std::size_t fixed, Take take) {
    Entries entries(block.body().subspan(fixed), block.order);
    for (;;) {
        const auto entry = entries.next();
        if (!entry) return entry.error();
        if (!*entry) return {};
        if (!take(**entry)) return bad("option " + std::to_string((*entry)->code) + " has a wrong length");
    }
}

Result<void> check_block(const Block& block, std::uint32_t type, std::size_t fixed) {
    if (block.type != type) return bad("a block of another type");
    if (block.body().size() < fixed) return bad("a block is too short");
    return {};
}

bool take_text(std::string& out, std::span<const std::byte> value) {
    if (out.empty()) out = text_of(value);
    return true;
}

bool take_count(std::uint64_t& out, std::span<const std::byte> value, ByteOrder order) {
    if (value.size() != sizeof out) return false;
    out = number_at<std::uint64_t>(value, 0, order);
    return true;
}

/// The high half first, whatever the byte order.
std::uint64_t halves_at(std::span<const std::byte> bytes, std::size_t at, ByteOrder order) {
    return std::uint64_t{number_at<std::uint32_t>(bytes, at, order)} << 32 |
           number_at<std::uint32_t>(bytes, at + 4, order);
}

bool take_time(std::uint64_t& out, std::span<const std::byte> value, ByteOrder order) {
    if (value.size() != sizeof out) return false;
    out = halves_at(value, 0, order);
    return true;
}

/// A power of ten, or of two where the highest bit is set. 0 where 64 bits do not hold it.
std::uint64_t ticks_of(std::uint8_t resolution) {
    const unsigned power = resolution & 0x7FU;
    if ((resolution & 0x80U) != 0) return power < 64 ? std::uint64_t{1} << power : 0;
    if (power > 19) return 0;
    std::uint64_t ticks = 1;
    for (unsigned i = 0; i < power; ++i)
        ticks *= 10;
    return ticks;
}

/// Appends an address for each of the names, which end with a zero byte each.
bool take_name_record(std::vector<api::NamedAddress>& out, std::span<const std::byte> value,
                      std::size_t size) {
    if (value.size() < size) return false;
    const std::span address_bytes(reinterpret_cast<const std::uint8_t*>(value.data()), size);
    const auto address = IpAddress::from_bytes(address_bytes);
    auto text = text_of(value.subspan(size));
    for (std::string_view rest = text; !rest.empty();) {
        const auto end = rest.find('\0');
        if (end == std::string_view::npos) return false;
        out.push_back({address, std::string(rest.substr(0, end))});
        rest.remove_prefix(end + 1);
    }
    return true;
}

}  // namespace

Result<std::optional<Block>> first_block(std::span<const std::byte> bytes, ByteOrder& order) {
    if (bytes.size() < smallest_block) return std::optional<Block>();
    auto now = order;
    // The section's type reads the same both ways; its byte order is told before its length can be read.
    if (number_at<std::uint32_t>(bytes, 0, ByteOrder::ours) == block::section) {
        const auto magic = number_at<std::uint32_t>(bytes, head_size, ByteOrder::ours);
        if (magic != byte_order_magic && magic != swapped_magic) return bad("its byte order is not known");
        now = magic == byte_order_magic ? ByteOrder::ours : ByteOrder::swapped;
    } else if (now == ByteOrder::unknown) {
        return bad("it does not begin with a section");
    }
    const auto length = number_at<std::uint32_t>(bytes, 4, now);
    if (length < smallest_block || length % 4 != 0 || length > longest_block)
        return bad("a block of " + std::to_string(length) + " bytes");
    if (bytes.size() < length) return std::optional<Block>();
    if (number_at<std::uint32_t>(bytes, length - 4, now) != length) return bad("a block's lengths differ");
    order = now;
    return std::optional(Block{number_at<std::uint32_t>(bytes, 0, now), now, bytes.first(length)});
}

void Reader::feed(std::span<const std::byte> bytes) {
    bytes_.erase(bytes_.begin(), bytes_.begin() + static_cast<std::ptrdiff_t>(read_));
    read_ = 0;
    bytes_.insert(bytes_.end(), bytes.begin(), bytes.end());
}

Result<std::optional<Block>> Reader::next() {
    auto block = first_block(std::span<const std::byte>(bytes_).subspan(read_), order_);
    if (block && *block) read_ += (*block)->bytes.size();
    return block;
}

Result<Section> decode_section(const Block& block) {
    constexpr std::size_t fixed = 16;
    if (auto checked = check_block(block, block::section, fixed); !checked) return checked.error();
    Section out;
    out.order = block.order;
    out.major = number_at<std::uint16_t>(block.body(), 4, block.order);
    out.minor = number_at<std::uint16_t>(block.body(), 6, block.order);
    const auto taken = take_options(block, fixed, [&](const Entry& entry) {
        switch (entry.code) {
            case option::comment:
                return take_text(out.comment, entry.value);
            case option::section_os:
                return take_text(out.os, entry.value);
            case option::section_application:
                return take_text(out.application, entry.value);
            default:
                return true;
        }
    });
    if (!taken) return taken.error();
    return out;
}

Result<InterfaceBlock> decode_interface(const Block& block) {
    constexpr std::size_t fixed = 8;
    if (auto checked = check_block(block, block::interface, fixed); !checked) return checked.error();
    InterfaceBlock out;
    auto& interface = out.interface;
    interface.link_type = static_cast<LinkType>(number_at<std::uint16_t>(block.body(), 0, block.order));
    interface.snap_length = number_at<std::uint32_t>(block.body(), 4, block.order);
    const auto taken = take_options(block, fixed, [&](const Entry& entry) {
        switch (entry.code) {
            case option::interface_name:
                return take_text(interface.name, entry.value);
            case option::interface_description:
                return take_text(interface.description, entry.value);
            case option::interface_resolution:
                if (entry.value.size() != 1) return false;
                out.ticks_per_second = ticks_of(std::to_integer<std::uint8_t>(entry.value[0]));
                return out.ticks_per_second != 0;
            case option::interface_filter:
                // Of the filters that are no text nothing is said.
                if (entry.value.empty()) return false;
                return entry.value[0] != std::byte{0} || take_text(interface.filter, entry.value.subspan(1));
            default:
                return true;
        }
    });
    if (!taken) return taken.error();
    return out;
}

Result<PacketBlock> decode_packet(const Block& block) {
    constexpr std::size_t fixed = 20;
    if (auto checked = check_block(block, block::packet, fixed); !checked) return checked.error();
    const auto body = block.body();
    PacketBlock out;
    out.head.interface = number_at<std::uint32_t>(body, 0, block.order);
    out.head.time_ns = halves_at(body, 4, block.order);
    out.head.captured = number_at<std::uint32_t>(body, 12, block.order);
    out.head.length = number_at<std::uint32_t>(body, 16, block.order);
    if (out.head.captured > body.size() - fixed) return bad("a packet is longer than its block");
    out.packet = body.subspan(fixed, out.head.captured);
    const auto options = fixed + padded(out.head.captured);
    if (options > body.size()) return bad("a packet is longer than its block");
    const auto taken = take_options(block, options, [&](const Entry& entry) {
        if (entry.code != option::packet_flags) return true;
        if (entry.value.size() != 4) return false;
        const auto direction = number_at<std::uint32_t>(entry.value, 0, block.order) & 3U;
        out.head.direction = direction == 3 ? Direction::unknown : static_cast<Direction>(direction);
        return true;
    });
    if (!taken) return taken.error();
    return out;
}

Result<std::uint32_t> packet_interface(const Block& block) {
    constexpr std::size_t fixed = 20;
    if (auto checked = check_block(block, block::packet, fixed); !checked) return checked.error();
    return number_at<std::uint32_t>(block.body(), 0, block.order);
}

Result<std::vector<api::NamedAddress>> decode_names(const Block& block) {
    constexpr std::uint16_t ipv4 = 1;
    constexpr std::uint16_t ipv6 = 2;
    if (auto checked = check_block(block, block::names, 0); !checked) return checked.error();
    std::vector<api::NamedAddress> out;
    // Behind the records are options, which say nothing that is wanted: the records' end is the end.
    const auto taken = take_options(block, 0, [&](const Entry& entry) {
        if (entry.code != ipv4 && entry.code != ipv6) return true;
        return take_name_record(out, entry.value, entry.code == ipv4 ? 4 : 16);
    });
    if (!taken) return taken.error();
    return out;
}

Result<Statistics> decode_statistics(const Block& block) {
    constexpr std::size_t fixed = 12;
    if (auto checked = check_block(block, block::statistics, fixed); !checked) return checked.error();
    Statistics out;
    out.interface = number_at<std::uint32_t>(block.body(), 0, block.order);
    out.end_ns = halves_at(block.body(), 4, block.order);
    const auto taken = take_options(block, fixed, [&](const Entry& entry) {
        switch (entry.code) {
            case option::comment:
                return take_text(out.comment, entry.value);
            case option::statistics_start:
                return take_time(out.start_ns, entry.value, block.order);
            case option::statistics_end:
                return take_time(out.end_ns, entry.value, block.order);
            case option::statistics_received:
                return take_count(out.received, entry.value, block.order);
            case option::statistics_dropped:
                return take_count(out.dropped, entry.value, block.order);
            case option::statistics_delivered:
                return take_count(out.delivered, entry.value, block.order);
            default:
                return true;
        }
    });
    if (!taken) return taken.error();
    return out;
}

}  // namespace netlab::pcapng
