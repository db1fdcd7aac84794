#pragma once

#include "daemon/operations/destination.hpp"
#include "daemon/operations/operation.hpp"

#include <functional>

namespace netlab::operations {

/// What choose_destination() needs, opened in `prepare` (with Needs::resolver_files and ip_sockets).
struct DestinationHandles {
    UniqueFd route;       ///< FROM's
    UniqueFd peer_route;  ///< empty where the other end is no target, or its namespace is not at hand
    bool same_namespace = false;
    std::optional<Resolver> resolver;
    TargetWatch watch;

    /// The namespaces are FROM's and, where Context::peer_namespace says so, the other end's. `in_peer` is
    /// called in that one, where it can be entered. The process is left in FROM's. errc::target_gone,
    /// errc::operation_failed.
    [[nodiscard]] static Result<DestinationHandles> open(Namespaces& namespaces, const ReachRequest& request,
                                                         const api::Context& context,
                                                         const std::function<Result<void>()>& in_peer = {});

    /// Borrows from this.
    [[nodiscard]] DestinationSources sources();
};

}  // namespace netlab::operations
