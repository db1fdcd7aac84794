#pragma once

#include "common/address.hpp"
#include "daemon/kernel/netlink.hpp"

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

/// Connection tracking (NETLINK_NETFILTER, net/netfilter/nf_conntrack_netlink.c). What is tracked is chosen
/// by whoever sends packets.
namespace netlab::kernel {

/// In place of ports, where the protocol is ICMP or ICMPv6.
struct ConntrackIcmp {
    std::uint8_t type = 0;
    std::uint8_t code = 0;
    std::uint16_t id = 0;
    friend bool operator==(const ConntrackIcmp&, const ConntrackIcmp&) = default;
};

struct ConntrackCounter {
    std::uint64_t packets = 0;
    std::uint64_t bytes = 0;
    friend bool operator==(const ConntrackCounter&, const ConntrackCounter&) = default;
};

/// What the packets of one direction have in their headers when they come in.
struct ConntrackTuple {
    IpAddress source;
    IpAddress destination;
    std::uint8_t protocol = 0;  ///< IPPROTO_
    std::optional<std::uint16_t> source_port;
    std::optional<std::uint16_t> destination_port;
    std::optional<ConntrackIcmp> icmp;
    std::optional<std::uint16_t> zone;  ///< of this direction only
    friend bool operator==(const ConntrackTuple&, const ConntrackTuple&) = default;
};

/// One entry. An absent member: the kernel does not tell it, or keeps no such thing.
struct Conntrack {
    ConntrackTuple original;
    ConntrackTuple reply;
    std::uint32_t status = 0;              ///< IPS_ bits
    std::optional<std::uint32_t> timeout;  ///< seconds
    /// TCP_CONNTRACK_, or what SCTP and DCCP have as such.
    std::optional<std::uint8_t> state;
    std::optional<ConntrackCounter> original_counter;
    std::optional<ConntrackCounter> reply_counter;
    std::optional<std::uint32_t> mark;
    std::optional<std::uint16_t> zone;
    std::uint32_t id = 0;
    std::optional<std::uint32_t> use;
    std::optional<std::uint64_t> started_ns;  ///< since 1970
    std::optional<std::uint64_t> stopped_ns;
    std::string helper;  ///< "ftp", …; empty: none
    friend bool operator==(const Conntrack&, const Conntrack&) = default;

    [[nodiscard]] bool replied() const;  ///< the other end has answered
    /// The first packet's source is another than what answers go to.
    [[nodiscard]] bool source_translated() const;
    /// The first packet's destination is another than where answers come from.
    [[nodiscard]] bool destination_translated() const;
    [[nodiscard]] bool translated() const { return source_translated() || destination_translated(); }
    /// The name of `state`, as conntrack(8) has it; empty where it has none or none that is known.
    [[nodiscard]] std::string_view state_name() const;
};

/// The bits of enum ip_conntrack_status by their names: "seen_reply", "assured", …
[[nodiscard]] std::vector<std::string> conntrack_status_names(std::uint32_t status);

enum class ConntrackChange : std::uint8_t { created, updated, destroyed };

using TakeConntrack = std::function<void(ConntrackChange change, const Conntrack& entry)>;

/// Calls `take` for each entry among the messages in `bytes`; those of a dump are `updated`. Returns how many
/// were left out because they have no two whole directions.
std::uint64_t parse_conntrack(std::span<const std::byte> bytes, const TakeConntrack& take);

/// Of one namespace's table.
struct ConntrackStatistics {
    std::optional<std::uint64_t> entries;
    std::optional<std::uint64_t> maximum;  ///< net.netfilter.nf_conntrack_max
    std::optional<std::uint64_t> dropped;  ///< packets for which there was no room; sum over all processors
    std::optional<std::uint64_t> early_dropped;  ///< entries that had to make room
    std::optional<std::uint64_t> insert_failed;
    friend bool operator==(const ConntrackStatistics&, const ConntrackStatistics&) = default;
};
/// Adds what the answers to IPCTNL_MSG_CT_GET_STATS and IPCTNL_MSG_CT_GET_STATS_CPU among `bytes` say.
void parse_conntrack_statistics(std::span<const std::byte> bytes, ConntrackStatistics& out);

/// The table of the calling thread's network namespace, asked for while CAP_NET_ADMIN is there and read when
/// it is not: nfnetlink checks the capability when a request is sent only.
class ConntrackTable {
  public:
    /// `family`: of this one only. errc::operation_failed.
    [[nodiscard]] static Result<ConntrackTable> ask(std::optional<Family> family = {});

    struct End {
        bool consistent = true;      ///< false: it was read too slowly, or not to its end
        bool supported = true;       ///< false: this kernel has no conntrack that netlink tells of
        std::uint64_t left_out = 0;  ///< entries that were not understood
    };
    /// Once. errc as read_dump().
    [[nodiscard]] Result<End> read(const TakeConntrack& take);
    /// Once. What is not told is absent.
    [[nodiscard]] ConntrackStatistics statistics();

  private:
    struct Pending {
        UniqueFd socket;
        std::uint32_t sequence = 0;
    };
    [[nodiscard]] static Result<Pending> send(std::uint8_t message, std::optional<Family> family);

    Pending entries_;
    std::vector<std::byte> whole_;  ///< the answer to IPCTNL_MSG_CT_GET_STATS
    Pending processors_;
};

/// What happens to the table of the namespace that open() was called in.
class ConntrackEvents {
  public:
    /// Takes CAP_NET_ADMIN. `buffer`: bytes of events that may wait to be read. errc::operation_failed.
    [[nodiscard]] static Result<ConntrackEvents> open(std::size_t buffer);

    [[nodiscard]] int descriptor() const { return socket_.get(); }

    struct Reading {
        bool nothing = false;        ///< none waits
        bool overrun = false;        ///< some were lost before what comes next
        std::uint64_t left_out = 0;  ///< that were not understood
    };
    /// The events of one datagram, without waiting. errc::operation_failed.
    [[nodiscard]] Result<Reading> read(const TakeConntrack& take) const;

  private:
    explicit ConntrackEvents(UniqueFd socket) : socket_(std::move(socket)) {}
    UniqueFd socket_;
};

}  // namespace netlab::kernel
