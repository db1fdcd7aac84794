#pragma once

#include "daemon/kernel/netlink.hpp"

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

/// The kernel's account of a packet's way through nf_tables (NFT_MSG_TRACE, net/netfilter/nf_tables_trace.c):
/// of each packet that a rule has set nftrace for, each rule that decided something about it, each policy.
namespace netlab::kernel {

enum class TraceKind : std::uint8_t { unknown, rule, return_, policy };

struct TraceEvent {
    TraceKind kind = TraceKind::unknown;
    std::uint32_t id = 0;     ///< of the packet in this namespace
    std::uint8_t family = 0;  ///< of the table: NFPROTO_
    std::string table;
    std::string chain;
    std::optional<std::uint64_t> handle;  ///< of the rule
    std::optional<std::int32_t> verdict;  ///< NF_ACCEPT, NF_DROP, NFT_JUMP, …
    std::string jump;                     ///< the chain of a jump or goto
    std::optional<std::uint32_t> policy;  ///< NF_ACCEPT or NF_DROP
    std::uint32_t input = 0;              ///< interface index, 0 none
    std::uint32_t output = 0;
    std::vector<std::byte> network_header;  ///< told once for each walk through a base chain
    std::vector<std::byte> transport_header;
    friend bool operator==(const TraceEvent&, const TraceEvent&) = default;
};

/// The NFT_MSG_TRACE messages among `bytes`. Names are written by whoever is root in the namespace.
[[nodiscard]] std::vector<TraceEvent> parse_trace(std::span<const std::byte> bytes);

/// Hears the traces of one namespace.
class TraceListener {
  public:
    /// For `prepare`, in the namespace, with CAP_NET_ADMIN. errc::operation_failed.
    [[nodiscard]] static Result<TraceListener> open();

    [[nodiscard]] int descriptor() const { return socket_.get(); }
    /// Appends what has come. False where the kernel had to leave some out (ENOBUFS).
    [[nodiscard]] bool take(std::vector<TraceEvent>& out);

  private:
    explicit TraceListener(UniqueFd socket) : socket_(std::move(socket)) {}
    UniqueFd socket_;
};

}  // namespace netlab::kernel
