#include "daemon/operations/echo_payload.hpp"

#include <algorithm>

namespace netlab::operations {

namespace {

constexpr std::size_t seq_size = 8;
constexpr std::size_t head_size = seq_size + std::tuple_size_v<EchoCookie>;

std::uint64_t read_seq(std::span<const std::uint8_t> payload) {
    std::uint64_t seq = 0;
    for (const auto byte : payload.first(seq_size))
        seq = seq << 8 | byte;
    return seq;
}

std::ptrdiff_t matching_cookie_bytes(std::span<const std::uint8_t> payload, const EchoCookie& cookie) {
    std::ptrdiff_t same = 0;
    for (std::size_t i = 0; i < cookie.size(); ++i)
        same += payload[seq_size + i] == cookie[i] ? 1 : 0;
    return same;
}

}  // namespace

std::vector<std::uint8_t> make_echo_payload(std::size_t size, std::uint64_t seq, const EchoCookie& cookie) {
    std::vector<std::uint8_t> payload(size);
    for (std::size_t i = 0; i < size; ++i)
        payload[i] = static_cast<std::uint8_t>(i);
    if (size < head_size) return payload;
    for (std::size_t i = 0; i < seq_size; ++i)
        payload[i] = static_cast<std::uint8_t>(seq >> (8 * (seq_size - 1 - i)));
    std::copy(cookie.begin(), cookie.end(), payload.begin() + seq_size);
    return payload;
}

std::optional<std::uint64_t> unwrap_sequence(std::uint16_t wire, std::uint64_t last_sent) {
    const auto distance = static_cast<std::uint16_t>(static_cast<std::uint16_t>(last_sent) - wire);
    if (distance >= last_sent) return std::nullopt;
    return last_sent - distance;
}

std::optional<PayloadVerdict> judge_echo_payload(std::span<const std::uint8_t> payload, std::size_t size,
                                                 std::uint16_t wire, std::uint64_t last_sent,
                                                 const EchoCookie& cookie) {
    auto seq = unwrap_sequence(wire, last_sent);
    if (!seq) return std::nullopt;
    if (size >= head_size && payload.size() >= head_size) {
        const auto same = matching_cookie_bytes(payload, cookie);
        // By chance fewer than one in ten million has half of the bytes right.
        if (same < std::ptrdiff_t{4}) return PayloadVerdict{PayloadState::foreign, *seq};
        // A reply that is more than 65,536 echoes late says so itself.
        const auto said = read_seq(payload);
        if (same == static_cast<std::ptrdiff_t>(cookie.size()) && said <= last_sent && said != 0 &&
            static_cast<std::uint16_t>(said) == wire) {
            seq = said;
        }
    }
    const auto sent = make_echo_payload(size, *seq, cookie);
    return PayloadVerdict{std::ranges::equal(payload, sent) ? PayloadState::intact : PayloadState::corrupt,
                          *seq};
}

}  // namespace netlab::operations
