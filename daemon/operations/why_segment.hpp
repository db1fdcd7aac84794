#pragma once

#include "common/api/context.hpp"
#include "daemon/operations/explanation.hpp"
#include "daemon/operations/topology.hpp"

namespace netlab::operations {

/// What is wrong with the links by which a container (the target in that place) hangs on its networks: a veth
/// that is on no bridge, a bridge without the network's gateway address, an interface that is down, an
/// address that somebody else on the segment has too; its lost address, where that is `wanted`, or where none
/// of those that it was given in that family is there. Empty where nothing is, or netlab does not see it.
/// Pure.
[[nodiscard]] Explanation explain_segment(const Topology& topology, const api::Context& context,
                                          std::size_t place, const IpAddress& wanted);

}  // namespace netlab::operations
