#include "daemon/operations/probe_packet.hpp"

/// Packets as a packet socket sees them: anybody may have made them.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace netlab::operations;
    const auto packet = parse_probe_packet({data, size});
    if (!packet) return 0;
    SeenPacket seen;
    seen.packet = *packet;
    const std::vector<SeenPacket> both{seen, seen};
    (void)trace_probe({packet->source, packet->source_port, packet->destination_port, packet->tcp}, both,
                      both);
    return 0;
}
