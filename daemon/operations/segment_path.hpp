#pragma once

#include "daemon/operations/topology.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

/// The way of one frame over an Ethernet segment, and what stops it there. Pure.
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

/// Why it is lost.
struct Obstacle {
    enum class Kind : std::uint8_t {
        link_down,  ///< an interface is down or has no carrier
        blocked,    ///< a bridge's port or a macvlan does not pass it
    };
    Kind kind = Kind::blocked;
    std::string note;
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
///
/// The rules are the kernel's: net/bridge/br_input.c and br_forward.c (a port's state, isolation, hairpin),
/// drivers/net/macvlan.c (modes; a child and its own parent's host do not hear each other),
/// drivers/net/ipvlan in its mode l2. VLANs and forwarding databases are not looked at.
[[nodiscard]] std::optional<FramePath> path_to(const Topology& topology, Port out,
                                               const std::vector<Port>& ends);

/// The same for a frame that nobody who is known is meant by: up to the first bridge, which may pass it to
/// any of its ports, to the first namespace, or to the last interface before the outside.
[[nodiscard]] FramePath path_to_nobody(const Topology& topology, Port out);

/// Why an interface sends nothing: "eth0 of co1 is down"; nullopt where it does.
[[nodiscard]] std::optional<std::string> why_down(const Topology& topology, Port port);

}  // namespace netlab::operations
