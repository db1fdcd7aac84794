#pragma once

#include "daemon/kernel/netlink.hpp"

#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string_view>

/// The kernel's sockets (net/ipv4/inet_diag.c, net/unix/diag.c, net/packet/diag.c). There may be 100,000 of
/// them, so each is parsed into the same struct, whose spans are only good until the next one.
namespace netlab::kernel {

/// Bits of `states`: 1 << TCP_ESTABLISHED and so on (include/net/tcp_states.h).
inline constexpr std::uint32_t every_socket_state = 0xFFE;

struct InetSocket {
    std::uint8_t family = 0;  ///< AF_INET or AF_INET6
    std::uint8_t state = 0;   ///< TCP_
    std::uint8_t timer = 0;
    std::uint8_t retransmits = 0;
    std::uint32_t expires_ms = 0;
    std::array<std::uint8_t, 16> local{};  ///< network order; of AF_INET the first four
    std::array<std::uint8_t, 16> remote{};
    std::uint16_t local_port = 0;  ///< host order; of RAW the protocol
    std::uint16_t remote_port = 0;
    std::uint32_t interface = 0;  ///< that it is bound to
    std::uint32_t recv_queue = 0;
    std::uint32_t send_queue = 0;
    std::uint32_t uid = 0;
    std::uint32_t inode = 0;
    std::optional<bool> v6only;
    std::span<const std::byte> tcp_info;     ///< struct tcp_info, as long as this kernel has it
    std::string_view congestion;             ///< name of the algorithm
    std::span<const std::byte> memory_info;  ///< SK_MEMINFO_ numbers
};

struct UnixSocket {
    std::uint8_t type = 0;  ///< SOCK_
    std::uint8_t state = 0;
    std::uint32_t inode = 0;
    std::optional<std::uint32_t> peer;
    std::string_view name;  ///< a path, or a zero byte and an abstract name of any bytes
    std::uint32_t recv_queue = 0;
    std::uint32_t send_queue = 0;
    std::optional<std::uint32_t> uid;
    std::span<const std::byte> memory_info;
};

struct PacketSocket {
    std::uint8_t type = 0;       ///< SOCK_RAW or SOCK_DGRAM
    std::uint16_t protocol = 0;  ///< ETH_P_, host order
    std::uint32_t inode = 0;
    std::uint32_t interface = 0;
    std::optional<std::uint32_t> uid;
    std::span<const std::byte> memory_info;
};

/// Of one message of type TCPDIAG_GETSOCK or SOCK_DIAG_BY_FAMILY, without its nlmsghdr. False where it is
/// malformed or of another family.
[[nodiscard]] bool parse_inet_socket(std::span<const std::byte> message, InetSocket& out);
[[nodiscard]] bool parse_unix_socket(std::span<const std::byte> message, UnixSocket& out);
[[nodiscard]] bool parse_packet_socket(std::span<const std::byte> message, PacketSocket& out);

/// A line of /proc/net/raw or raw6, for kernels without raw_diag. It does not tell the interface. False for
/// the headings and for what is malformed.
[[nodiscard]] bool parse_proc_raw(std::string_view line, std::uint8_t family, InetSocket& out);

/// What is asked of inet_diag. The kernel itself leaves out what has another state, port or family.
struct InetQuery {
    std::uint8_t family = 0;    ///< AF_INET, AF_INET6; 0 for both, in one walk, with IPPROTO_TCP only
    std::uint8_t protocol = 0;  ///< IPPROTO_TCP, IPPROTO_UDP, IPPROTO_RAW
    std::uint32_t states = every_socket_state;
    std::uint16_t local_port = 0;  ///< 0: any
    std::uint16_t remote_port = 0;
    bool tcp_info = false;
    bool memory = false;
};

/// These call `each` for every socket. No capability is needed. errc as stream_dump().
[[nodiscard]] Result<DumpEnd> dump_inet_sockets(int socket, const InetQuery& query,
                                                const std::function<void(const InetSocket&)>& each);
[[nodiscard]] Result<DumpEnd> dump_unix_sockets(int socket, std::uint32_t states, bool memory,
                                                const std::function<void(const UnixSocket&)>& each);
/// The inode of the socket that a connected one of AF_UNIX is connected to; 0 while nobody has accepted the
/// connection. `socket` was made in the network namespace of `diag`. errc as ask().
[[nodiscard]] Result<std::uint32_t> unix_peer_inode(int diag, int socket);
/// They have no state.
[[nodiscard]] Result<DumpEnd> dump_packet_sockets(int socket,
                                                  const std::function<void(const PacketSocket&)>& each);

}  // namespace netlab::kernel
