#pragma once

#include "common/api/resolv.hpp"
#include "common/api/target.hpp"
#include "daemon/operations/explanation.hpp"

#include <string>
#include <vector>

namespace netlab::operations {

/// What is known of the way from Docker's resolver in a container to the servers that it passes outside names
/// on to.
struct UpstreamWay {
    bool default_route = true;                   ///< the container has one; true also where that is not known
    std::vector<std::string> internal;           ///< its networks, where all of them are internal; else empty
    std::vector<api::ResolvUpstream> upstreams;  ///< empty where they are not known
    std::vector<std::string> unrouted;  ///< of those that are asked from the container: no route to them
};

/// For `run`, in the container's namespace by its route socket. What cannot be read is taken to be in order.
[[nodiscard]] UpstreamWay look_at_routes(int route_socket, std::vector<api::ResolvUpstream> upstreams);

/// Why names of the outside come to nothing in `from`, where they do; empty where nothing of it is a reason.
/// Pure.
[[nodiscard]] Explanation explain_upstream_way(const api::Target& from, const UpstreamWay& way);

}  // namespace netlab::operations
