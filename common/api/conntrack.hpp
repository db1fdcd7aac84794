#pragma once

#include "common/address.hpp"
#include "common/api/inspection.hpp"
#include "common/api/role.hpp"

#include <optional>

namespace netlab::api {

/// POST /v1/conntrack: entries of connection tracking (conntrack(8)): those of the host that concern
/// `target`, or all of one namespace's table. A stream of ConntrackRow, one ConntrackTableRow, then an
/// InspectionReport. Role observe; all of the host's table shows the flows of others, too: role capture.
struct ConntrackRequest {
    std::string target = "host";  ///< `host`: all of the host's table
    bool inside = false;          ///< all of the table in `target`'s own namespace
    bool nat = false;             ///< what is translated only
    std::optional<Family> family;
    std::optional<std::string> protocol;  ///< "tcp", "udp", "icmp", "icmpv6", "sctp", …, or its number
    /// As the source of the first packet, or what it was translated to; one address is a host prefix.
    std::optional<IpPrefix> source;
    std::optional<IpPrefix> destination;            ///< the same for its destination
    std::optional<std::uint16_t> port;              ///< any of the four
    std::optional<std::uint16_t> source_port;       ///< as `source`
    std::optional<std::uint16_t> destination_port;  ///< as `destination`
    std::vector<std::string> states;                ///< any of these: see conntrack_state_names()
    friend bool operator==(const ConntrackRequest&, const ConntrackRequest&) = default;
};
BOOST_DESCRIBE_STRUCT(ConntrackRequest, (),
                      (target, inside, nat, family, protocol, source, destination, port, source_port,
                       destination_port, states))

/// POST /v1/conntrack/events: what happens to such entries from now on, as it happens. A ConntrackStart, then
/// ConntrackRow with `time` and `event`, ConntrackLost where the kernel dropped some, and a ConntrackReport
/// once a client that shuts down its sending side has it finish. The same roles.
struct ConntrackEventsRequest : ConntrackRequest {
    std::uint64_t count = 0;       ///< events, 0: no end
    double duration_ms = 0;        ///< 0: no end
    std::uint32_t buffer_kib = 0;  ///< of events that wait to be read; 0: 8 MiB
    friend bool operator==(const ConntrackEventsRequest&, const ConntrackEventsRequest&) = default;
};
BOOST_DESCRIBE_STRUCT(ConntrackEventsRequest, (ConntrackRequest), (count, duration_ms, buffer_kib))

/// errc::bad_request: a state or a protocol that is not known; errc::permission_denied.
[[nodiscard]] Result<void> check(const ConntrackRequest& request, Roles roles);
[[nodiscard]] Result<void> check(const ConntrackEventsRequest& request, Roles roles);
/// A client may take its time to read 100,000 rows.
[[nodiscard]] std::uint32_t deadline_ms(const ConntrackRequest& request);
/// 0: events have no end.
[[nodiscard]] std::uint32_t deadline_ms(const ConntrackEventsRequest& request);
/// All of the host's table is not for this caller.
[[nodiscard]] Error conntrack_of_host_denied();

/// IPPROTO_ by its name or number; nullopt where there is no such.
[[nodiscard]] std::optional<std::uint8_t> conntrack_protocol(std::string_view word);
[[nodiscard]] std::string conntrack_protocol_name(std::uint8_t protocol);

/// A word of `states`: a state of TCP by conntrack(8)'s name in any case, or UNREPLIED, REPLIED, ASSURED,
/// OFFLOAD; nullopt where it is none of them, else as it is written in a row.
[[nodiscard]] std::optional<std::string> conntrack_state(std::string_view word);
[[nodiscard]] std::vector<std::string> conntrack_state_names();

struct ConntrackEnd {
    IpAddress address;
    std::optional<std::uint16_t> port;
    std::optional<std::string> name;  ///< of the target that has this address
    friend bool operator==(const ConntrackEnd&, const ConntrackEnd&) = default;
};
BOOST_DESCRIBE_STRUCT(ConntrackEnd, (), (address, port, name))

/// What an echo, or another question by ICMP, has in place of ports.
struct ConntrackIcmp {
    std::uint8_t type = 0;
    std::uint8_t code = 0;
    std::uint16_t id = 0;
    friend bool operator==(const ConntrackIcmp&, const ConntrackIcmp&) = default;
};
BOOST_DESCRIBE_STRUCT(ConntrackIcmp, (), (type, code, id))

/// Packets of one direction. Of the reply as they come in, before they are translated back.
struct ConntrackDirection {
    ConntrackEnd source;
    ConntrackEnd destination;
    std::optional<ConntrackIcmp> icmp;
    std::optional<std::uint64_t> packets;  ///< where net.netfilter.nf_conntrack_acct counts them
    std::optional<std::uint64_t> bytes;
    friend bool operator==(const ConntrackDirection&, const ConntrackDirection&) = default;
};
BOOST_DESCRIBE_STRUCT(ConntrackDirection, (), (source, destination, icmp, packets, bytes))

struct ConntrackTranslation {
    ConntrackEnd from;
    ConntrackEnd to;
    friend bool operator==(const ConntrackTranslation&, const ConntrackTranslation&) = default;
};
BOOST_DESCRIBE_STRUCT(ConntrackTranslation, (), (from, to))

/// Packets of this flow go where they should not any more, for as long as the entry is there.
struct ConntrackStale {
    std::string explanation;
    std::string suggestion;  ///< the conntrack(8) command line that deletes it, on the host
    friend bool operator==(const ConntrackStale&, const ConntrackStale&) = default;
};
BOOST_DESCRIBE_STRUCT(ConntrackStale, (), (explanation, suggestion))

enum class ConntrackEvent : std::uint8_t { new_, update, destroy };
BOOST_DESCRIBE_ENUM(ConntrackEvent, new_, update, destroy)

struct ConntrackRow {
    static constexpr std::string_view type = "entry";
    std::optional<std::string> time;  ///< RFC 3339 in UTC with nanoseconds, when the event was read
    std::optional<ConntrackEvent> event;
    Family family = Family::ipv4;
    std::string protocol;                  ///< "tcp", …; the number of one without a name
    std::optional<std::string> state;      ///< of TCP, SCTP and DCCP
    bool replied = false;                  ///< the other end has answered
    std::vector<std::string> status;       ///< the bits of enum ip_conntrack_status: seen_reply, assured, …
    std::optional<std::uint32_t> timeout;  ///< seconds until it goes unless a packet comes
    ConntrackDirection original;
    ConntrackDirection reply;
    std::optional<ConntrackTranslation> snat;  ///< of the first packet's source
    std::optional<ConntrackTranslation> dnat;  ///< of its destination
    std::optional<std::uint32_t> mark;
    std::optional<std::uint16_t> zone;
    std::uint32_t id = 0;
    std::optional<std::uint32_t> use;
    std::optional<std::string> helper;
    std::optional<std::string> started;  ///< where net.netfilter.nf_conntrack_timestamp keeps it
    std::optional<std::string> stopped;
    std::optional<ConntrackStale> stale;
    friend bool operator==(const ConntrackRow&, const ConntrackRow&) = default;
};
BOOST_DESCRIBE_STRUCT(ConntrackRow, (),
                      (time, event, family, protocol, state, replied, status, timeout, original, reply, snat,
                       dnat, mark, zone, id, use, helper, started, stopped, stale))

/// The table that the entries are in.
struct ConntrackTableRow {
    static constexpr std::string_view type = "table";
    std::string target;                          ///< whose namespace
    std::optional<std::uint64_t> entries;        ///< all there are, shown or not; absent: not told
    std::optional<std::uint64_t> maximum;        ///< net.netfilter.nf_conntrack_max
    std::optional<std::uint64_t> dropped;        ///< packets since the start, for a full table
    std::optional<std::uint64_t> early_dropped;  ///< entries that made room for others
    std::optional<std::uint64_t> insert_failed;
    bool stale_checked =
        false;  ///< false: the owners of addresses are not all known, nothing is called stale
    std::optional<std::string> finding;      ///< what is wrong with it
    std::optional<std::string> explanation;  ///< why it has no entries
    std::optional<std::string> suggestion;
    friend bool operator==(const ConntrackTableRow&, const ConntrackTableRow&) = default;
};
BOOST_DESCRIBE_STRUCT(ConntrackTableRow, (),
                      (target, entries, maximum, dropped, early_dropped, insert_failed, stale_checked,
                       finding, explanation, suggestion))

/// First of the events: from now on none is missed unseen.
struct ConntrackStart {
    static constexpr std::string_view type = "start";
    std::string target;                  ///< whose namespace's table it is
    std::optional<std::string> warning;  ///< why there may be none
};
BOOST_DESCRIBE_STRUCT(ConntrackStart, (), (target, warning))

/// Events were lost here, because they came faster than they were read; the kernel does not say how many.
struct ConntrackLost {
    static constexpr std::string_view type = "lost";
    std::string time;
};
BOOST_DESCRIBE_STRUCT(ConntrackLost, (), (time))

enum class ConntrackEnding : std::uint8_t {
    count,     ///< as many events as were asked for
    duration,  ///< the time is over
    finished,  ///< the client wanted no more
};
BOOST_DESCRIBE_ENUM(ConntrackEnding, count, duration, finished)

struct ConntrackReport {
    static constexpr std::string_view type = "report";
    ConntrackEnding end = ConntrackEnding::finished;
    std::uint64_t events = 0;     ///< said
    std::uint64_t new_ = 0;       ///< of these
    std::uint64_t updates = 0;    ///< of these
    std::uint64_t destroyed = 0;  ///< of these
    std::uint64_t overruns = 0;   ///< how often some were lost: each time one or more
    double elapsed_ms = 0;
};
BOOST_DESCRIBE_STRUCT(ConntrackReport, (), (end, events, new_, updates, destroyed, overruns, elapsed_ms))

}  // namespace netlab::api
