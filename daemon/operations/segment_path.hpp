#pragma once

#include "daemon/operations/frame_steps.hpp"

#include <optional>
#include <vector>

/// The way of one frame over an Ethernet segment, by the rules of frame_steps.hpp. Pure.
namespace netlab::operations {

/// A device that passes a frame on between others: a bridge or bond between its ports, the parent of macvlans
/// or ipvlans between these and what is outside.
struct Crossing {
    Port device;
    std::optional<Port>
        entry;                 ///< the port that it comes in by; of a parent itself, where it is from outside
    std::optional<Port> exit;  ///< the port that it leaves by; of a parent itself, where it goes outside
    friend bool operator==(const Crossing&, const Crossing&) = default;
};

struct FramePath {
    std::vector<Crossing> crossings;
    Port last;             ///< the last interface that it comes to; of a whole path the one that gets it
    bool arrived = false;  ///< the namespace of `last` gets it
    /// Where it is lost: at the last of the crossings, or where it was sent if there is none.
    std::optional<Obstacle> obstacle;
};

/// From the interface `out`, by which its namespace sends it, to one of `ends`: the shortest way without an
/// obstacle, else the one with the fewest, up to its first. nullopt: none leads there.
[[nodiscard]] std::optional<FramePath> path_to(const Topology& topology, Port out,
                                               const std::vector<Port>& ends);

/// The same for a frame that nobody who is known is meant by: up to the first bridge, which may pass it to
/// any of its ports, to the first namespace, or to the last interface before the outside.
[[nodiscard]] FramePath path_to_nobody(const Topology& topology, Port out);

}  // namespace netlab::operations
