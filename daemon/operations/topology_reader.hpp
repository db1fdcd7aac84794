#pragma once

#include "daemon/operations/known_namespaces.hpp"
#include "daemon/operations/topology.hpp"

namespace netlab::operations {

struct ReadTopology {
    Topology topology;
    bool consistent = true;  ///< false: something changed while it was read, or a namespace could not be read
};

/// Reads links and addresses of all. Where two targets live in one namespace, only the first's place has any.
/// What cannot be read (it may have ended) is without links; its neighbours' other ends are then unknown.
[[nodiscard]] ReadTopology read_topology(KnownNamespaces& known, const api::Context& context);

}  // namespace netlab::operations
