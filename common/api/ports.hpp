#pragma once

#include "common/api/connect.hpp"
#include "common/api/inspection.hpp"
#include "common/api/nat_rule.hpp"
#include "common/api/target.hpp"

#include <optional>

namespace netlab::api {

/// POST /v1/ports: the published ports of containers, by what each is carried, and whether it can work. A
/// stream of PortRow, then an InspectionReport. Nothing is sent.
struct PortsRequest {
    std::vector<std::string> targets;
    bool all = false;      ///< every running container that has any
    bool exposed = false;  ///< also those that are exposed and not published
    friend bool operator==(const PortsRequest&, const PortsRequest&) = default;
};
BOOST_DESCRIBE_STRUCT(PortsRequest, (), (targets, all, exposed))

enum class CarrierKind : std::uint8_t {
    dnat,          ///< a rule of the host's netfilter
    proxy,         ///< a process of the engine's that accepts on the host and connects to the container
    process,       ///< another process holds the host's port
    host_network,  ///< nothing: the container's own sockets are the host's
};
BOOST_DESCRIBE_ENUM(CarrierKind, dnat, proxy, process, host_network)

/// Whose packets one carries.
enum class CarrierClients : std::uint8_t {
    all,
    outside,    ///< all but those that the host sends to its loopback address
    localhost,  ///< only these
};
BOOST_DESCRIBE_ENUM(CarrierClients, all, outside, localhost)

struct PortCarrier {
    CarrierKind kind = CarrierKind::dnat;
    CarrierClients clients = CarrierClients::all;
    std::optional<NatRule> rule;
    std::optional<Endpoint> to;        ///< where it leads; absent: not known
    std::optional<std::string> owner;  ///< whose address that is: a target; absent: nobody's that is known
    std::optional<std::int32_t> pid;   ///< as the host counts; absent: not known, or not for this caller
    std::optional<std::string> process;
    friend bool operator==(const PortCarrier&, const PortCarrier&) = default;
};
BOOST_DESCRIBE_STRUCT(PortCarrier, (), (kind, clients, rule, to, owner, pid, process))

/// The socket in the container.
struct PortListener {
    IpAddress address;
    std::uint16_t port = 0;
    std::optional<bool> v6only;
    std::optional<std::string> interface;  ///< that it is bound to
    std::optional<std::int32_t> pid;       ///< as the host counts
    std::optional<std::string> process;
    friend bool operator==(const PortListener&, const PortListener&) = default;
};
BOOST_DESCRIBE_STRUCT(PortListener, (), (address, port, v6only, interface, pid, process))

enum class PortVerdict : std::uint8_t {
    works,
    no_listener,    ///< nothing listens in the container
    other_port,     ///< nothing on this port, but on others
    loopback_only,  ///< it listens on a loopback address
    other_address,  ///< it listens on another address, or is bound to another interface
    other_family,   ///< it takes the other of IPv4 and IPv6 only
    queue_full,     ///< its program does not accept: connections wait in its queue
    not_carried,    ///< the engine says it is published, and nothing on the host leads there
    shadowed,       ///< something else takes the packets: an older rule, another process
    blocked,        ///< a rule, a route or an interface that is down stops it or the answer
    paused,
    unknown,        ///< netlab does not understand all that decides
    not_published,  ///< exposed only
};
BOOST_DESCRIBE_ENUM(PortVerdict, works, no_listener, other_port, loopback_only, other_address, other_family,
                    queue_full, not_carried, shadowed, blocked, paused, unknown, not_published)

/// One published port at one address of the host; of a container on the host's network one listening socket.
struct PortRow {
    static constexpr std::string_view type = "port";
    std::string target;
    std::optional<std::string> publisher;  ///< the container that has the port, where the target has joined
                                           ///< that one's network namespace
    Runtime engine = Runtime::docker;
    std::string protocol;                   ///< tcp, udp, sctp
    std::optional<IpAddress> host_address;  ///< absent: not published
    std::optional<std::uint16_t> host_port;
    std::uint16_t container_port = 0;
    Family family = Family::ipv4;  ///< of the clients
    std::vector<PortCarrier> carried_by;
    std::optional<Endpoint> to;            ///< in the container, as far as it is known
    std::optional<PortListener> listener;  ///< that takes it, or that comes nearest to it
    std::vector<std::uint16_t> listening;  ///< other ports that something listens on, where that matters
    PortVerdict verdict = PortVerdict::unknown;
    std::string explanation;  ///< "" where there is nothing to say
    std::string suggestion;
    std::vector<std::string> notes;  ///< what is worth knowing though it works
};
BOOST_DESCRIBE_STRUCT(PortRow, (),
                      (target, publisher, engine, protocol, host_address, host_port, container_port, family,
                       carried_by, to, listener, listening, verdict, explanation, suggestion, notes))

}  // namespace netlab::api
