#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

/// What an echo carries after its ICMP header: where it fits, the 64-bit sequence number (big endian) and
/// eight random bytes of this run, then ping's pattern, where byte i of the payload is i modulo 256.
namespace netlab::operations {

using EchoCookie = std::array<std::uint8_t, 8>;

[[nodiscard]] std::vector<std::uint8_t> make_echo_payload(std::size_t size, std::uint64_t seq,
                                                          const EchoCookie& cookie);

enum class PayloadState : std::uint8_t {
    intact,
    corrupt,  ///< shorter, longer or with other bytes than any that was sent
    foreign,  ///< somebody else's echo that happens to have our identifier
};

struct PayloadVerdict {
    PayloadState state = PayloadState::corrupt;
    std::uint64_t seq = 0;
    friend bool operator==(const PayloadVerdict&, const PayloadVerdict&) = default;
};

/// Judges the payload of a reply with the 16-bit sequence number `wire`. `last_sent` is the 64-bit number of
/// the last echo that was sent, `size` the payload's size then. Nothing where no echo of that number can have
/// been sent yet.
[[nodiscard]] std::optional<PayloadVerdict> judge_echo_payload(std::span<const std::uint8_t> payload,
                                                               std::size_t size, std::uint16_t wire,
                                                               std::uint64_t last_sent,
                                                               const EchoCookie& cookie);

/// The highest number from 1 to `last_sent` whose low 16 bits are `wire`; nothing where there is none.
[[nodiscard]] std::optional<std::uint64_t> unwrap_sequence(std::uint16_t wire, std::uint64_t last_sent);

}  // namespace netlab::operations
