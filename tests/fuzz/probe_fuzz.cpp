#include "daemon/operations/echo_payload.hpp"
#include "daemon/operations/error_queue.hpp"
#include "daemon/operations/icmp.hpp"
#include "daemon/operations/probe_packet.hpp"
#include "tests/fuzz/check.hpp"

#include <cstring>
#include <vector>

#include <netinet/in.h>

/// Packets as a packet socket, a raw socket and an error queue give them: anybody may have made them.

using namespace netlab;
using namespace netlab::fuzz;
using namespace netlab::operations;

namespace {

using Bytes = std::span<const std::uint8_t>;

void fuzz_probe(Bytes bytes) {
    const auto packet = parse_probe_packet(bytes);
    const auto echo = parse_echo_packet(bytes);
    check(!packet || !echo);
    if (!packet) return;
    // The same packet as it comes and as it goes, with its ends the right way round and the wrong one.
    auto back = *packet;
    std::swap(back.source, back.destination);
    std::swap(back.source_port, back.destination_port);
    std::vector<SeenPacket> seen;
    for (const auto& one : {*packet, back}) {
        for (const bool outgoing : {true, false})
            seen.push_back({one, outgoing, one.id % 2 == 1, one.id % 4U, std::nullopt});
    }
    for (const bool known : {true, false}) {
        ProbeIdentity probe{packet->destination, packet->destination_port, std::nullopt, packet->tcp};
        if (known) probe.local_port = packet->source_port;
        (void)trace_probe(probe, seen, seen);
        (void)trace_probe(probe, std::span(seen).first(1), std::span(seen).last(1));
    }
}

void fuzz_echo(Bytes bytes) {
    const EchoCookie cookie{1, 2, 3, 4, 5, 6, 7, 8};
    for (const auto family : {Family::ipv4, Family::ipv6}) {
        const auto reply = icmp::parse_echo_reply(family, bytes);
        if (reply) {
            check(reply->payload.size() + icmp::header_size == reply->size && reply->size <= bytes.size());
            for (const std::uint64_t last : {std::uint64_t{1}, std::uint64_t{70'000}})
                (void)judge_echo_payload(reply->payload, bytes.size() % 64, reply->sequence, last, cookie);
        }
        (void)icmp::parse_quoted_echo(family, bytes);
        (void)icmp::parse_quoted_packet(family, bytes);
        if (bytes.size() < 2) continue;
        check(
            !icmp::error_text(family, bytes[0], bytes[1], static_cast<std::uint32_t>(bytes.size())).empty());
        (void)icmp::tells_mtu(family, bytes[0], bytes[1]);
    }
    // What is made is taken, and found intact.
    const auto payload = make_echo_payload(bytes.size(), bytes.size() + 1, cookie);
    const auto sequence = static_cast<std::uint16_t>(bytes.size() + 1);
    auto made = icmp::echo_request(Family::ipv6, 7, sequence, payload);
    check(icmp::parse_quoted_echo(Family::ipv6, made) == icmp::QuotedEcho{7, sequence});
    const auto verdict = judge_echo_payload(payload, payload.size(), sequence, bytes.size() + 1, cookie);
    check(verdict && verdict->state == PayloadState::intact && verdict->seq == bytes.size() + 1);
}

/// A control message with these bytes in it.
void fuzz_error(Bytes bytes) {
    constexpr std::size_t longest = 256;
    bytes = bytes.first(std::min(bytes.size(), longest));
    std::vector<cmsghdr> room(1 + (CMSG_SPACE(bytes.size()) / sizeof(cmsghdr)));
    auto& header = room.front();
    header.cmsg_len = CMSG_LEN(bytes.size());
    std::memcpy(CMSG_DATA(&header), bytes.data(), bytes.size());
    for (const auto& [level, type] : std::initializer_list<std::pair<int, int>>{
             {IPPROTO_IP, IP_RECVERR}, {IPPROTO_IPV6, IPV6_RECVERR}, {SOL_SOCKET, IP_RECVERR}}) {
        header.cmsg_level = level;
        header.cmsg_type = type;
        if (const auto error = parse_queued_error(header)) (void)error->is_icmp();
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    const Bytes bytes(data, size);
    fuzz_probe(bytes);
    fuzz_echo(bytes);
    fuzz_error(bytes);
    return 0;
}
