#pragma once

#include "common/error.hpp"
#include "common/unique_fd.hpp"
#include "daemon/operations/packet_program.hpp"
#include "daemon/operations/probe_packet.hpp"

#include <optional>
#include <span>
#include <vector>

/// Packet sockets that see a namespace's packets from their IP headers on (SOCK_DGRAM).
namespace netlab::operations {

inline constexpr std::uint32_t packet_bytes = 128;  ///< that are kept of one: more than its headers

/// For `prepare`, with CAP_NET_RAW. It sees nothing yet, and never sends (read_only()).
/// errc::operation_failed.
[[nodiscard]] Result<UniqueFd> open_packet_socket();

/// From now on it has what `program` keeps, of all interfaces. errc::operation_failed.
[[nodiscard]] Result<void> watch_all(int socket, PacketProgram program);

using ParsePacket = std::optional<ProbePacket> (*)(std::span<const std::uint8_t>);

/// Appends what has come and `parse` understands, 4,096 at most. False where some may have been missed.
[[nodiscard]] bool take_packets(int socket, ParsePacket parse, std::vector<SeenPacket>& out);

}  // namespace netlab::operations
