#pragma once

#include "common/api/connect.hpp"
#include "common/api/inspection.hpp"
#include "common/api/nat_rule.hpp"
#include "common/api/target.hpp"

#include <optional>

namespace netlab::api {

/// POST /v1/nat: how targets' packets leave the host, and how packets come in. A stream of NatOutRow and
/// NatInRow, then an InspectionReport. Nothing is sent.
struct NatRequest {
    std::vector<std::string> targets;
    bool all = false;  ///< the host's whole picture, by network
    friend bool operator==(const NatRequest&, const NatRequest&) = default;
};
BOOST_DESCRIBE_STRUCT(NatRequest, (), (targets, all))

enum class NatVerdict : std::uint8_t {
    translated,     ///< a MASQUERADE or SNAT rule gives it the host's address
    routed,         ///< it leaves with its own address
    host_network,   ///< it has the host's addresses: there is nothing to translate
    no_route,       ///< it has no route to the outside, or the host has none
    not_forwarded,  ///< the host does not forward
    not_by_host,    ///< its gateway is not the host: a macvlan's
    blocked,        ///< it does not get out, mostly by a rule; or, where `as` is there, its answer not back
    unknown,
};
BOOST_DESCRIBE_ENUM(NatVerdict, translated, routed, host_network, no_route, not_forwarded, not_by_host,
                    blocked, unknown)

/// The way out of one target by one of its networks; with `all`, of one network.
struct NatOutRow {
    static constexpr std::string_view type = "out";
    std::string target;  ///< "" with `all`
    std::string network;
    Family family = Family::ipv4;
    bool internal = false;             ///< the engine says that it is an internal network
    bool by_default = true;            ///< the target's default route is by this network
    std::optional<IpPrefix> source;    ///< the target's address; with `all` the network's subnet
    std::optional<IpAddress> gateway;  ///< that its kernel sends to
    std::string interface;             ///< in the target
    std::string bridge;                ///< the host's interface that it comes in by
    std::string output;                ///< the host's interface that it leaves by
    std::optional<IpAddress> as;       ///< the address that it leaves with, if it does
    NatVerdict verdict = NatVerdict::unknown;
    std::optional<NatRule> rule;         ///< that translates or drops it; with `shadowed_by` that would
    std::optional<NatRule> shadowed_by;  ///< comes first and ends the chain: `rule` is not met
    std::string explanation;
    std::string suggestion;
};
BOOST_DESCRIBE_STRUCT(NatOutRow, (),
                      (target, network, family, internal, by_default, source, gateway, interface, bridge,
                       output, as, verdict, rule, shadowed_by, explanation, suggestion))

/// A rule that changes the destination of packets.
struct NatInRow {
    static constexpr std::string_view type = "in";
    std::string target;   ///< whose address it leads to; "" nobody's that is known
    std::string network;  ///< "" as well
    Family family = Family::ipv4;
    std::string protocol;                    ///< tcp, udp, …; "" any
    std::optional<IpAddress> host_address;   ///< absent: any of the host's
    std::optional<std::uint16_t> host_port;  ///< the first of a range
    std::optional<Endpoint> to;              ///< port 0: the same
    NatRule rule;
    std::optional<NatRule> hairpin;      ///< gives the target the host's address when it talks to itself
    bool reached = true;                 ///< false: the engine leads nothing to it, no chain jumps there
    std::optional<NatRule> shadowed_by;  ///< comes first for what comes from outside, and leads elsewhere
};
BOOST_DESCRIBE_STRUCT(NatInRow, (),
                      (target, network, family, protocol, host_address, host_port, to, rule, hairpin, reached,
                       shadowed_by))

}  // namespace netlab::api
