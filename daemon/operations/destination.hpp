#pragma once

#include "common/api/context.hpp"
#include "daemon/operations/peer_address.hpp"
#include "daemon/operations/reach_request.hpp"
#include "daemon/operations/resolver.hpp"
#include "daemon/operations/scoped_address.hpp"

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
[[nodiscard]] DestinationWay destination_way(const ReachRequest& request, const api::Context& context);

/// Where the packets go.
struct Destination {
    ScopedAddress to;
    std::uint32_t interface_index = 0;  ///< of `request.interface`; 0: the routing table decides
    std::string resolved_by;
    std::optional<IpAddress> source;
    bool peer_address = false;  ///< it is an address of the context's peer
    std::string explanation;    ///< why this address was chosen for a target
    /// Servers that gave no answer before the one of `resolved_by` did.
    std::vector<std::string> silent_servers{};
};

/// Sockets and knowledge that the choice needs; all borrowed.
struct DestinationSources {
    int route_socket = -1;         ///< FROM's
    int peer_route_socket = -1;    ///< the peer's; -1 where its namespace is not at hand
    bool same_namespace = false;   ///< FROM and the peer live in one
    Resolver* resolver = nullptr;  ///< for DestinationWay::name
    std::chrono::milliseconds patience = Resolver::longest;  ///< for that
};

/// A Resolution means that the name did not resolve. errc::bad_request (wrong family, multicast, broadcast,
/// no zone), errc::no_such_interface, errc::no_such_target, errc::target_not_running, errc::no_address, and
/// those of the resolver.
[[nodiscard]] Result<std::variant<Destination, Resolution>> choose_destination(
    const ReachRequest& request, const api::Context& context, const DestinationSources& sources,
    const TargetWatch& watch, Output& output);

/// Why that address was taken for another target.
[[nodiscard]] std::string explain_choice(const api::Context& context, const PeerChoice& choice);

/// errc::bad_request for multicast, 255.255.255.255 and the broadcast address of a subnet that the target is
/// on.
[[nodiscard]] Result<void> check_unicast(const IpAddress& address, const api::Context& context);

}  // namespace netlab::operations
