#pragma once

#include "common/api/routes.hpp"

namespace netlab::api {

/// POST /v1/route: which way the kernel of a target would send a packet, as `ip route get` has it, and what
/// becomes of it behind the target. A stream of one RouteAnswer and an InspectionReport, whose findings are
/// the packet's not arriving. Nothing is sent; netfilter is not looked at.
struct RouteRequest {
    std::string target;
    std::string destination;  ///< an address (link-local: with its zone, fe80::1%eth0), or a target's name
    std::optional<IpAddress> from;  ///< source of the packet; absent: the kernel chooses
    std::uint32_t mark = 0;
    std::string iif;  ///< as if it came in by this interface; "": it is the target's own
    friend bool operator==(const RouteRequest&, const RouteRequest&) = default;
};
BOOST_DESCRIBE_STRUCT(RouteRequest, (), (target, destination, from, mark, iif))

/// errc::bad_request where a word is missing or the two addresses are of different families.
[[nodiscard]] Result<void> check(const RouteRequest& request, Roles roles);

/// The errc::bad_request that says so of a packet's two addresses.
[[nodiscard]] Error different_families(const IpAddress& from, const IpAddress& destination);

/// What becomes of a packet in one namespace.
enum class RouteStep : std::uint8_t {
    routed,       ///< sent on by a route
    switched,     ///< sent on by a bridge, without a look at addresses
    delivered,    ///< the destination is an address of this namespace
    unreachable,  ///< no route, or one that says so
    prohibited,
    blackhole,
    not_forwarded,  ///< this namespace does not send on what comes in (ip_forward, forwarding)
    link_down,      ///< an interface that it would leave by is down, or has no carrier
    blocked,        ///< a bridge's port or a macvlan does not pass it on
    refused,        ///< for another reason: the note has the kernel's words
    leaves,         ///< by an interface whose other end is not in a namespace that netlab knows
    unknown,        ///< nobody that netlab knows has the next hop's address there
};
BOOST_DESCRIBE_ENUM(RouteStep, routed, switched, delivered, unreachable, prohibited, blackhole, not_forwarded,
                    link_down, blocked, refused, leaves, unknown)

struct RouteHop {
    std::string target;  ///< whose namespace; "" where netlab knows none
    RouteStep step = RouteStep::unknown;
    std::optional<std::string> input;  ///< the interface it comes in by; of a bridge the bridge itself, of
                                       ///< a macvlan's or ipvlan's parent the parent
    std::optional<std::string> port;   ///< the bridge's port that it comes in by
    std::optional<std::string> output;
    std::optional<std::string> output_port;  ///< the bridge's port that it leaves by
    std::optional<IpAddress>
        next_hop;                     ///< whose MAC address the packet gets: a gateway's or the destination's
    std::optional<RouteEntry> route;  ///< the kernel's answer in this namespace
    std::string note;
};
BOOST_DESCRIBE_STRUCT(RouteHop, (), (target, step, input, port, output, output_port, next_hop, route, note))

/// The answer of the target's kernel by the fields of a route, `destination` being the address itself, and
/// the way from there on.
struct RouteAnswer : RouteEntry {
    static constexpr std::string_view type = "answer";
    RouteStep outcome = RouteStep::unknown;  ///< in the target
    std::optional<std::string> matched;      ///< the destination of the table's entry that decided
    std::optional<std::string> named;  ///< the target whose address `destination` is, where it was named
    std::string explanation;           ///< why that one of its addresses
    std::vector<RouteHop> hops;        ///< the first is the target
};
BOOST_DESCRIBE_STRUCT(RouteAnswer, (RouteEntry), (outcome, matched, named, explanation, hops))

}  // namespace netlab::api
