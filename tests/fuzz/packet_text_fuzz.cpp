#include "daemon/operations/packet_text.hpp"

#include <algorithm>
#include <array>
#include <cstdlib>

/// A packet as it was captured: anybody may have made it. The first byte says what the link was and how much
/// of the packet was cut.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace netlab::operations;
    if (size == 0) return 0;
    constexpr std::array links{LinkType::ethernet, LinkType::raw_ip, LinkType::linux_sll2};
    const auto packet = std::as_bytes(std::span(data, size)).subspan(1);
    const auto wire_length = packet.size() + std::size_t{data[0] & 0x40U ? 1500U : 0U};
    const auto text =
        packet_text(packet, static_cast<std::uint32_t>(wire_length), links[data[0] % links.size()]);
    const auto printable = [](char c) { return c >= 0x20 && c < 0x7F; };
    if (!std::ranges::all_of(packet_line(text), printable)) std::abort();
    return 0;
}
