#pragma once

#include "common/api/sockets.hpp"
#include "daemon/kernel/sock_diag.hpp"

#include <string>

/// The kernel's sockets as rows. Each fills in a row that is used again for the next socket, so that 100,000
/// of them cost no memory each; `target`, `interface` and `processes` are not touched.
namespace netlab::operations {

/// ss's name of a TCP_ state (include/net/tcp_states.h): "LISTEN", "UNCONN".
[[nodiscard]] std::string_view socket_state_name(std::uint8_t state);

/// What states of one kind the request asks for, as ss(8) does: without any option those of a connection.
[[nodiscard]] std::uint32_t wanted_states(const api::SocketsRequest& request, api::SocketKind kind);

/// Whether the request asks for a kind at all.
[[nodiscard]] bool is_wanted(const api::SocketsRequest& request, api::SocketKind kind);

/// "203.0.113.7", "2001:db8::7", in place of what is in `out`.
void write_address(std::string& out, std::uint8_t family, const std::array<std::uint8_t, 16>& address);

/// `protocol` as ss calls it.
void fill_row(api::SocketRow& row, const kernel::InetSocket& socket, std::string_view protocol);
void fill_row(api::SocketRow& row, const kernel::UnixSocket& socket);
void fill_row(api::SocketRow& row, const kernel::PacketSocket& socket);

[[nodiscard]] std::string_view unix_protocol(std::uint8_t type);    ///< SOCK_STREAM: "u_str"
[[nodiscard]] std::string_view packet_protocol(std::uint8_t type);  ///< SOCK_RAW: "p_raw"

/// A Unix socket's name: a path, "@" and what follows of an abstract one.
[[nodiscard]] std::string unix_name(std::string_view name);

/// `bytes`: a struct tcp_info as long as the kernel has it, which may be shorter or longer than ours.
[[nodiscard]] api::TcpInfo tcp_info(std::span<const std::byte> bytes, std::string_view congestion);
[[nodiscard]] api::SocketMemory socket_memory(std::span<const std::byte> bytes);

}  // namespace netlab::operations
