#pragma once

#include "common/api/route.hpp"
#include "common/api/why.hpp"
#include "daemon/operations/route_walk.hpp"
#include "daemon/operations/topology.hpp"

#include <optional>
#include <vector>

/// The way of a packet as the kernels' tables have it, as the points where it can be seen. Pure.
namespace netlab::operations {

/// One place on the way.
struct WayPoint {
    std::optional<std::size_t> place = {};  ///< whose it is; absent outside
    std::optional<Port> port =
        {};                 ///< where packets can be seen; absent of a decision, and of what is outside
    bool forwards = false;  ///< a bridge that passes the frame on between its ports: no packet shows there
    bool duplicate_next_hop = false;  ///< HopFacts::duplicate_next_hop
    api::WhyHop hop = {};
};

struct Way {
    std::vector<WayPoint> points;
    api::RouteStep end = api::RouteStep::unknown;  ///< of the last namespace
    std::string end_target;                        ///< whose that is
    std::optional<std::size_t> end_place;
    std::string note;  ///< why it ends there, where it is lost
    bool ends_on_bridge =
        false;  ///< that does not pass the frame on: nobody has the address, a port is down, …
};

/// A hop of a walk() with what is known of it besides.
struct PlacedHop : api::RouteHop, HopFacts {};

[[nodiscard]] Way way_of(const Topology& topology, const std::vector<PlacedHop>& hops);

/// Its part up to where it comes to that namespace: without the points by which it leaves there. Nothing of
/// it where it does not come there.
[[nodiscard]] Way until(Way way, std::size_t place, const std::string& target);
/// The same of a walk: without what that namespace's routes say, and all behind it. The whole where it does
/// not come there.
[[nodiscard]] std::vector<PlacedHop> until(std::vector<PlacedHop> hops, std::size_t place);

/// Where it went on under another destination: `rest` is walked from the namespace where `first` ends.
[[nodiscard]] Way joined(Way first, const Way& rest, const std::string& translation);

}  // namespace netlab::operations
