#include "daemon/operations/destination_handles.hpp"

#include "daemon/kernel/netlink.hpp"

#include <algorithm>

namespace netlab::operations {

namespace {

/// The peer's addresses are read from its own namespace; `run` must be left in FROM's, where DNS is asked.
Result<void> open_peer(DestinationHandles& handles, Namespaces& namespaces, const api::Context& context,
                       const std::function<Result<void>()>& in_peer) {
    const auto peer = std::max<std::size_t>(context.targets.size(), 1);
    handles.same_namespace = namespaces[0].inode != 0 && namespaces[0].inode == namespaces[peer].inode &&
                             namespaces[0].device == namespaces[peer].device;
    // Its namespace could not be opened: then the engine's word for its addresses must do.
    if (!namespaces[peer].net) return {};
    if (auto entered = namespaces.enter(peer); !entered) return entered;
    auto route = kernel::open_route_socket();
    if (!route) return route.error();
    handles.peer_route = std::move(*route);
    if (in_peer) {
        if (auto opened = in_peer(); !opened) return opened;
    }
    return namespaces.enter(0);
}

}  // namespace

Result<DestinationHandles> DestinationHandles::open(Namespaces& namespaces, const ReachRequest& request,
                                                    const api::Context& context,
                                                    const std::function<Result<void>()>& in_peer) {
    DestinationHandles handles;
    if (!context.targets.empty()) {
        auto watch = TargetWatch::open(context.targets.front(), namespaces[0]);
        if (!watch) return watch.error();
        handles.watch = std::move(*watch);
    }
    if (context.peer_namespace && namespaces.size() > 1) {
        if (auto opened = open_peer(handles, namespaces, context, in_peer); !opened) return opened.error();
    }
    if (auto entered = namespaces.enter(0); !entered) return entered.error();
    auto route = kernel::open_route_socket();
    if (!route) return route.error();
    handles.route = std::move(*route);
    if (destination_way(request, context) == DestinationWay::name) {
        auto resolver = Resolver::open(namespaces[0], request.from);
        if (!resolver) return resolver.error();
        handles.resolver = std::move(*resolver);
    }
    return handles;
}

DestinationSources DestinationHandles::sources() {
    return {route.get(), peer_route.get(), same_namespace, resolver ? &*resolver : nullptr,
            Resolver::longest};
}

}  // namespace netlab::operations
