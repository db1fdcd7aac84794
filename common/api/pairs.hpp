#pragma once

#include "common/address.hpp"
#include "common/api/cost.hpp"
#include "common/api/inspection.hpp"
#include "common/api/role.hpp"

#include <optional>
#include <string_view>

/// Who reaches whom: every target with every other, both ways, all at once. Role probe. A row for each pair
/// as soon as its fate is known, then a report.
namespace netlab::api {

/// POST /v1/ping/pairs: one ICMP echo for each pair.
struct PingPairsRequest {
    std::vector<std::string> targets;
    bool all = false;
    std::string network;  ///< in place of `targets`: the running members of an engine's network
    std::optional<Family> family;
    double wait_ms = 1000;  ///< how long a reply may take before it counts as lost
    friend bool operator==(const PingPairsRequest&, const PingPairsRequest&) = default;
};
BOOST_DESCRIBE_STRUCT(PingPairsRequest, (), (targets, all, network, family, wait_ms))

/// POST /v1/connect/pairs: one TCP connection for each pair, given up at once.
struct ConnectPairsRequest {
    std::vector<std::string> targets;
    bool all = false;
    std::string network;
    std::uint16_t port = 0;
    std::optional<Family> family;
    double wait_ms = 1000;
    friend bool operator==(const ConnectPairsRequest&, const ConnectPairsRequest&) = default;
};
BOOST_DESCRIBE_STRUCT(ConnectPairsRequest, (), (targets, all, network, port, family, wait_ms))

/// errc::bad_request.
[[nodiscard]] Result<void> check(const PingPairsRequest& request, Roles roles);
[[nodiscard]] Result<void> check(const ConnectPairsRequest& request, Roles roles);
/// Echoes may have to wait for room in the kernel's neighbour table.
[[nodiscard]] std::uint32_t deadline_ms(const PingPairsRequest& request);
[[nodiscard]] std::uint32_t deadline_ms(const ConnectPairsRequest& request);

[[nodiscard]] Cost cost(const PingPairsRequest& request, const Context& context);
[[nodiscard]] Cost cost(const ConnectPairsRequest& request, const Context& context);

enum class PairOutcome : std::uint8_t {
    answered,     ///< the echo was
    lost,         ///< no reply in time, and no error
    connected,    ///< TCP: the handshake was completed
    refused,      ///< TCP: a reset, or an ICMP "port unreachable"
    timed_out,    ///< TCP: nothing came back in time
    unreachable,  ///< an ICMP error, or the kernel of `from` would not send
    no_address,   ///< `to` has none that `from` could try: nothing was sent
};
BOOST_DESCRIBE_ENUM(PairOutcome, answered, lost, connected, refused, timed_out, unreachable, no_address)

/// First event: who takes part, in the order of the request.
struct PairsStart {
    static constexpr std::string_view type = "start";
    std::vector<std::string> targets;
};
BOOST_DESCRIBE_STRUCT(PairsStart, (), (targets))

struct PairRow {
    static constexpr std::string_view type = "pair";
    std::string from;
    std::string to;
    std::optional<IpAddress> address;  ///< of `to`, that was tried
    PairOutcome outcome = PairOutcome::lost;
    std::optional<double> rtt_us;        ///< of the echo, of the handshake
    std::optional<std::string> message;  ///< why not: "host unreachable"
    std::optional<IpAddress> by;         ///< whose ICMP error that was
};
BOOST_DESCRIBE_STRUCT(PairRow, (), (from, to, address, outcome, rtt_us, message, by))

/// The echoes cannot go out at once: told before the first of them.
struct PairsPacing {
    static constexpr std::string_view type = "pacing";
    std::uint32_t entries = 0;   ///< of the neighbour table, that all pairs need
    std::uint32_t room = 0;      ///< that it has
    std::uint32_t capacity = 0;  ///< net.ipv4.neigh.default.gc_thresh3, for all namespaces together
    double seconds = 0;          ///< that it will take, about
    std::string explanation;
    std::string suggestion;
};
BOOST_DESCRIBE_STRUCT(PairsPacing, (), (entries, room, capacity, seconds, explanation, suggestion))

struct PairsReport {
    static constexpr std::string_view type = "report";
    std::uint64_t targets = 0;   ///< that took part
    std::uint64_t failures = 0;  ///< targets that could not
    std::uint64_t pairs = 0;
    std::uint64_t good = 0;  ///< answered or connected
    std::uint64_t bad = 0;   ///< the others
    double elapsed_ms = 0;
    std::optional<std::string> explanation;
    std::optional<std::string> suggestion;
};
BOOST_DESCRIBE_STRUCT(PairsReport, (),
                      (targets, failures, pairs, good, bad, elapsed_ms, explanation, suggestion))

}  // namespace netlab::api
