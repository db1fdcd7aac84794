#include "cli/capture_ledger.hpp"
#include "tests/fuzz/check.hpp"

#include <algorithm>

namespace {

using namespace netlab;
using netlab::fuzz::check;

/// Every decoder takes every block: which one it is for is for it to say.
void decode(const pcapng::Block& block) {
    (void)pcapng::decode_section(block);
    (void)pcapng::decode_interface(block);
    (void)pcapng::decode_names(block);
    (void)pcapng::decode_statistics(block);
    (void)pcapng::packet_interface(block);
    const auto packet = pcapng::decode_packet(block);
    check(!packet || packet->packet.size() == packet->head.captured);
}

}  // namespace

/// A capture as a client reads it, from whoever answers. The first byte says into which pieces it is cut.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    const std::size_t piece = data[0] + std::size_t{1};
    const auto bytes = std::as_bytes(std::span(data, size)).subspan(1);
    pcapng::Reader reader;
    cli::CaptureLedger ledger;
    std::size_t read = 0;
    for (std::size_t at = 0; at < bytes.size(); at += piece) {
        reader.feed(bytes.subspan(at, std::min(piece, bytes.size() - at)));
        for (;;) {
            const auto block = reader.next();
            if (!block) return 0;
            if (!*block) break;
            // What is given are the bytes that came, in their order.
            check(std::ranges::equal((*block)->bytes, bytes.subspan(read, (*block)->bytes.size())));
            read += (*block)->bytes.size();
            decode(**block);
            (void)ledger.note(**block);
        }
    }
    // One that ended as it should has said of each point what was lost.
    check(!ledger.complete() || ledger.points().empty() || ledger.dropped().has_value());
    return 0;
}
