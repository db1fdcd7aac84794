#pragma once

#include "common/error.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

/// What front and launcher say to each other, over one SOCK_SEQPACKET pair: one message a packet, fixed
/// format, native byte order (both ends are one binary). Everything that the front sends is checked as if the
/// front were hostile.
namespace netlab::launcher {

inline constexpr std::uint32_t magic = 0x6E65746C;       // "netl"
inline constexpr std::uint32_t peer_magic = 0x6E657470;  // "netp"
inline constexpr std::size_t most_targets = 256;
inline constexpr std::size_t largest_request = 96 * 1024;
inline constexpr std::size_t largest_message =
    192 * 1024;  ///< below the kernel's default send buffer of 212,992

enum class Way : std::uint32_t {
    host = 1,     ///< the launcher's own network namespace
    path = 2,     ///< a bind-mounted namespace file; by `pid` where the path is not to be had
    process = 3,  ///< /proc/PID/ns/net
};

/// A namespace, and what must be true of it when it is opened.
struct NamespaceReference {
    Way way = Way::host;
    std::int32_t pid = 0;          ///< 0: none
    std::uint64_t start_time = 0;  ///< of that process, as in /proc/PID/stat; 0: not checked
    std::uint64_t device = 0;      ///< with `inode`: the identity it must have; 0 and 0: not checked
    std::uint64_t inode = 0;
    std::uint32_t may_fail = 0;  ///< 1: the operation starts without it (the other end's namespace)
    std::uint32_t reserved = 0;
    std::array<char, 256> path{};  ///< absolute, ends with a zero
};
static_assert(sizeof(NamespaceReference) == 296);

/// Front to launcher, with one descriptor (SCM_RIGHTS): the worker's end of its stream.
/// `target_count` NamespaceReferences follow, then `request_size` bytes of request.
struct LaunchHeader {
    std::uint32_t magic = launcher::magic;
    std::uint16_t operation = 0;  ///< a row of the catalogue
    std::uint16_t target_count = 0;
    std::uint64_t id = 0;  ///< the request's, for the log and for the answers
    std::uint32_t request_size = 0;
    std::uint32_t deadline_ms = 0;  ///< after which the worker is killed; 0: never
};
static_assert(sizeof(LaunchHeader) == 24);

/// Front to launcher, with one descriptor: a client's connection. Does who made it live where the daemon
/// does? The front could not know: /proc/PID/ns asks for CAP_SYS_PTRACE.
struct PeerQuestion {
    std::uint32_t magic = peer_magic;
    std::uint32_t reserved = 0;
    std::uint64_t id = 0;  ///< for the answer
};
static_assert(sizeof(PeerQuestion) == 16);

enum class NoticeKind : std::uint32_t {
    started = 1,  ///< `value` is the worker's PID; a pidfd comes with it
    refused = 2,  ///< `value` is an errno: no worker was started
    exited = 3,   ///< `value` is the status as of waitpid(2)
    peer = 4,     ///< `value` is 0, or an errno: EPERM where the peer lives in other namespaces
};

/// Launcher to front.
struct Notice {
    std::uint32_t magic = launcher::magic;
    NoticeKind kind = NoticeKind::refused;
    std::uint64_t id = 0;
    std::int32_t value = 0;
    std::uint32_t reserved = 0;
};
static_assert(sizeof(Notice) == 24);

/// A launch message taken apart. The spans point into the packet.
struct Launch {
    LaunchHeader header;
    std::vector<NamespaceReference> targets;
    std::span<const std::byte> request;
};

/// errc::protocol_error for anything that is not exactly one valid message.
[[nodiscard]] Result<Launch> parse_launch(std::span<const std::byte> packet);

/// nullopt for anything that is not exactly one valid question.
[[nodiscard]] std::optional<PeerQuestion> parse_peer_question(std::span<const std::byte> packet);

/// errc::too_large where it would not fit into one packet.
[[nodiscard]] Result<std::vector<std::byte>> make_launch(LaunchHeader header,
                                                         std::span<const NamespaceReference> targets,
                                                         std::span<const std::byte> request);

}  // namespace netlab::launcher
