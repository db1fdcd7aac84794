#pragma once

#include "common/api/context.hpp"
#include "common/api/route.hpp"
#include "daemon/operations/known_namespaces.hpp"
#include "daemon/operations/topology.hpp"

#include <optional>
#include <string>

namespace netlab::operations {

/// What the word DESTINATION of `netlab route` comes to.
struct RouteDestination {
    IpAddress address;
    std::uint32_t output = 0;          ///< index of the target's interface that the zone names; 0: none
    std::optional<std::string> named;  ///< the target whose address it is, where it was named
    std::optional<std::size_t> place;  ///< of that target, in the topology
    std::string explanation;           ///< why that one of its addresses
};

/// True where the word is an address, with or without a zone, and not a target's name.
[[nodiscard]] bool is_address_word(const std::string& word);

/// Place 0 of the topology is the target. errc::no_such_target with the nearest names,
/// errc::target_not_running, errc::no_address, errc::no_such_interface, errc::bad_request (no zone; a `from`
/// of the other family), and those of kernel::default_routes().
[[nodiscard]] Result<RouteDestination> route_destination(const api::RouteRequest& request,
                                                         const api::Context& context,
                                                         const KnownNamespaces& known,
                                                         const Topology& topology);

}  // namespace netlab::operations
