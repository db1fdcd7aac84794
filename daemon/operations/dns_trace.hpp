#pragma once

#include "daemon/operations/dns_lookup.hpp"

#include <functional>
#include <string>
#include <vector>

namespace netlab::operations {

/// A server of a zone, by the name that the delegation gives it.
struct ZoneServer {
    NameServer server;
    std::string name;  ///< with a dot at its end; "" where it is known by its address only
    friend bool operator==(const ZoneServer&, const ZoneServer&) = default;
};

/// What an answer of a zone's server means for who follows the delegations.
enum class TraceStep : std::uint8_t {
    final,     ///< it is the answer: records, NXDOMAIN, or none of that type
    referral,  ///< it names the servers of a zone that is nearer to the name
    lame,      ///< it is none: it refuses, fails, or refers to where it came from
};
/// `zone` is the one that the server should answer for.
[[nodiscard]] TraceStep trace_step(const DnsMessage& message, std::string_view zone, std::string_view name);

/// The NS records of a referral that are for one zone, the nearest to the name; all NS records of the answers
/// to ". NS".
struct Delegation {
    std::string zone;
    std::vector<DnsResource> servers;
    std::vector<DnsResource> glue;  ///< addresses of those servers that came along
};
[[nodiscard]] Delegation delegation_of(const DnsMessage& message, std::string_view name);

/// `name` is `zone` or below it.
[[nodiscard]] bool is_below(std::string_view name, std::string_view zone);

struct DnsTraceSetting {
    DnsSetting dns;
    ResolvConf conf;                ///< FROM's own servers: they know the root, and addresses of servers
    std::vector<ZoneServer> roots;  ///< where to begin; none: FROM's servers are asked
    Output::Clock::time_point until{};
    api::DnsTransport transport = api::DnsTransport::udp;
    std::function<void(api::DnsReferral)> tell;
};

struct DnsTraceEnd {
    std::string name;        ///< without a dot at its end
    std::string zone;        ///< whose servers were asked last
    ZoneServer server;       ///< that answered, else the last that was asked
    DnsExchange exchange;    ///< `attempts`: all at that zone's servers
    std::string difficulty;  ///< why it goes no further, where it does not; a sentence
};

/// Follows the delegations from the root to `name` (absolute) as dig +trace does: each zone's servers one
/// after the other, with no recursion desired; 16 zones and 64 questions at most. errc::target_gone,
/// errc::operation_failed.
[[nodiscard]] Result<DnsTraceEnd> trace_dns(const std::string& name, std::uint16_t type,
                                            const DnsTraceSetting& setting);

}  // namespace netlab::operations
