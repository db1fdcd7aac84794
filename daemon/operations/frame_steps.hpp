#pragma once

#include "daemon/operations/topology.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

/// What may happen next to a frame at each interface, and what stops it there. Pure.
///
/// The rules are the kernel's: net/bridge/br_input.c and br_forward.c (a port's state, isolation, hairpin),
/// drivers/net/macvlan.c (modes; a child and its own parent's host do not hear each other),
/// drivers/net/ipvlan in its mode l2. VLANs and forwarding databases are not looked at.
namespace netlab::operations {

/// Why it is lost.
struct Obstacle {
    enum class Kind : std::uint8_t {
        link_down,  ///< an interface is down or has no carrier
        blocked,    ///< a bridge's port or a macvlan does not pass it
    };
    Kind kind = Kind::blocked;
    std::string note;
};

/// What happens to the frame at an interface.
enum class FrameAct : std::uint8_t {
    sent,      ///< it is given to the interface to be sent
    received,  ///< it came in by it
    taken,     ///< its namespace takes it
};

struct FrameState {
    Port port;
    FrameAct act = FrameAct::sent;
    friend auto operator<=>(const FrameState&, const FrameState&) = default;
};

/// From one state to the next.
struct FrameStep {
    FrameState to;
    std::optional<Port> device = std::nullopt;  ///< the one that passes it on between others
    std::optional<Obstacle> obstacle = std::nullopt;
};

/// All steps that a frame may take from `state`; `origin` is the interface that it was first sent by. A step
/// with an obstacle is one that it would take but for that. Of what came in by an interface that is no
/// bridge's port, the last step is its namespace's taking it; of a port, the first is into the bridge; of one
/// that is down, the obstacle is the only one.
[[nodiscard]] std::vector<FrameStep> frame_steps(const Topology& topology, Port origin,
                                                 const FrameState& state);

/// Why an interface sends nothing: "eth0 of co1 is down"; nullopt where it does.
[[nodiscard]] std::optional<std::string> why_down(const Topology& topology, Port port);

}  // namespace netlab::operations
