#pragma once

#include "common/error.hpp"
#include "common/pcapng.hpp"

#include <optional>

/// Reading what common/pcapng.hpp writes, and what others do: the blocks of a capture, whoever made it, in
/// either byte order. Nothing is trusted: no length is believed before it was held against what there is.
namespace netlab::pcapng {

/// Of one block. netlab's packets have 256 KiB at most; the format has no bound.
inline constexpr std::uint32_t longest_block = 1U << 20;

/// Which way the numbers of a section are written.
enum class ByteOrder : std::uint8_t { unknown, ours, swapped };

/// One whole block, borrowed from the bytes that it was read from.
struct Block {
    std::uint32_t type = 0;
    ByteOrder order = ByteOrder::ours;
    std::span<const std::byte> bytes;  ///< with its head (8 bytes) and its tail (4 bytes)

    [[nodiscard]] std::span<const std::byte> body() const { return bytes.subspan(8, bytes.size() - 12); }
};

/// The block that `bytes` begin with; nullopt while it is not whole. `order` is what the last section's block
/// said (at the start unknown, as the first block must be a section's); a section's block changes it.
/// errc::protocol_error: it is no pcapng, a length is not divisible by 4, over longest_block, or not the same
/// at both ends of the block.
[[nodiscard]] Result<std::optional<Block>> first_block(std::span<const std::byte> bytes, ByteOrder& order);

/// The blocks of a capture that comes in pieces, cut anywhere.
class Reader {
  public:
    void feed(std::span<const std::byte> bytes);
    /// The next whole block, valid until the next call of either function; nullopt while there is none.
    /// errc as first_block()'s; after it nothing more can be read.
    [[nodiscard]] Result<std::optional<Block>> next();
    /// Nothing of a block is left over: the capture may end here.
    [[nodiscard]] bool at_boundary() const { return read_ == bytes_.size(); }

  private:
    Bytes bytes_;
    std::size_t read_ = 0;
    ByteOrder order_ = ByteOrder::unknown;
};

/// What a section's block says.
struct Section {
    ByteOrder order = ByteOrder::ours;
    std::uint16_t major = 0;
    std::uint16_t minor = 0;
    std::string os;
    std::string application;
    std::string comment;
    friend bool operator==(const Section&, const Section&) = default;
};

/// What an interface's block says.
struct InterfaceBlock {
    Interface interface;  ///< its link type may be none of the enumerators
    /// if_tsresol: ticks of a packet's time in a second; 1,000,000 where it does not say.
    std::uint64_t ticks_per_second = 1'000'000;
    friend bool operator==(const InterfaceBlock&, const InterfaceBlock&) = default;
};

/// What a packet's block says; its time is in the interface's ticks.
struct PacketBlock {
    PacketHead head;
    std::span<const std::byte> packet;  ///< head.captured bytes, borrowed
};

/// Each decodes a block of its own type. errc::protocol_error where the block is of another, is too short for
/// its fixed part, or has an option or a record that does not fit into it. Options that are not named here
/// are passed over; of one that may stand once the first counts.
[[nodiscard]] Result<Section> decode_section(const Block& block);
[[nodiscard]] Result<InterfaceBlock> decode_interface(const Block& block);
[[nodiscard]] Result<PacketBlock> decode_packet(const Block& block);
/// Of a packet's block only which interface it is of: for who counts a million of them.
[[nodiscard]] Result<std::uint32_t> packet_interface(const Block& block);
/// An address with several names comes once for each.
[[nodiscard]] Result<std::vector<api::NamedAddress>> decode_names(const Block& block);
[[nodiscard]] Result<Statistics> decode_statistics(const Block& block);

}  // namespace netlab::pcapng
