#pragma once

#include "common/api/point.hpp"
#include "daemon/targets/registry.hpp"

#include <span>
#include <string>
#include <vector>

namespace netlab::targets {

/// Capture points, and the namespaces that they are in.
struct Points {
    std::vector<api::CapturePoint> points;
    /// Each once. The last is the host where a point needs its namespace for a veth's other end.
    std::vector<Resolution> targets;
};

/// What users write for places to capture at: TARGET, TARGET:INTERFACE, TARGET:any, TARGET:INTERFACE@veth,
/// TARGET@veth, net:NETWORK. A word that is a target as a whole is that target. errc as
/// Registry::resolve() and members(); errc::bad_request where it is none of these.
[[nodiscard]] Result<Points> find_points(const Registry& registry, std::span<const std::string> words);

}  // namespace netlab::targets
