#pragma once

#include "common/api/context.hpp"
#include "common/api/ping.hpp"
#include "daemon/operations/echo_socket.hpp"
#include "daemon/operations/resolver.hpp"

#include <optional>
#include <string>
#include <variant>

namespace netlab::operations {

/// How the word TO becomes an address.
enum class DestinationWay : std::uint8_t {
    numeric,  ///< it is one
    target,   ///< it names a target, whose address its namespace tells
    name,     ///< FROM's resolver is asked
};
[[nodiscard]] DestinationWay destination_way(const api::PingRequest& request, const api::Context& context);

/// Where the echoes go.
struct PingDestination {
    EchoDestination to;
    std::uint32_t interface_index = 0;  ///< of `request.interface`; 0: the routing table decides
    std::string resolved_by;
    std::optional<IpAddress> source;
    bool peer_address = false;  ///< it is an address of the context's peer
    std::string explanation;    ///< why this address was chosen for a target
};

/// Sockets and knowledge that the choice needs; all borrowed.
struct DestinationSources {
    int route_socket = -1;         ///< FROM's
    int peer_route_socket = -1;    ///< the peer's; -1 where its namespace is not at hand
    bool same_namespace = false;   ///< FROM and the peer live in one
    Resolver* resolver = nullptr;  ///< for DestinationWay::name
};

/// A Resolution means that the name did not resolve. errc::bad_request (wrong family, multicast, broadcast,
/// no zone), errc::no_such_interface, errc::no_such_target, errc::target_not_running, errc::no_address, and
/// those of the resolver.
[[nodiscard]] Result<std::variant<PingDestination, Resolution>> choose_destination(
    const api::PingRequest& request, const api::Context& context, const DestinationSources& sources,
    const TargetWatch& watch, Output& output);

/// errc::bad_request for multicast, 255.255.255.255 and the broadcast address of a subnet that the target is
/// on.
[[nodiscard]] Result<void> check_unicast(const IpAddress& address, const api::Context& context);

}  // namespace netlab::operations
