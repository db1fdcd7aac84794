#pragma once

#include "common/api/sockets.hpp"

#include <string>

/// Parts of a socket's row as ss(8) prints them. Each writes in place of what is in `out`.
namespace netlab::cli {

/// "203.0.113.7:80", "[2001:db8::7]%eth0:80", "*:80" (of a socket that takes both families), "/run/x.sock
/// 4711".
void write_local(std::string& out, const api::SocketRow& row);
void write_remote(std::string& out, const api::SocketRow& row);

/// "nginx,pid=7,host=4711,fd=6"; without the host's where both are the same.
void write_processes(std::string& out, const api::SocketRow& row);

/// "cubic rtt:0.05/0.02 cwnd:10 …", in the words of `ss -i`.
[[nodiscard]] std::string tcp_info_text(const api::TcpInfo& info);
/// "skmem:(r0,rb131072,t0,…)" as `ss -m` has it.
[[nodiscard]] std::string memory_text(const api::SocketMemory& memory);
/// "keepalive,9.5s,0", "" where it has none.
[[nodiscard]] std::string timer_text(const std::optional<api::SocketTimer>& timer);

}  // namespace netlab::cli
