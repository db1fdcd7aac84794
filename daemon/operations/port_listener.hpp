#pragma once

#include "common/api/ports.hpp"
#include "daemon/operations/explanation.hpp"
#include "daemon/operations/residents.hpp"

#include <string>
#include <vector>

/// What listens behind a published port, in words. Pure.
namespace netlab::operations {

/// Of the verdicts about what listens in the container: by the row's `to`, `listener` and `listening`.
/// `residents`: who shares its network namespace, and may be who should listen.
[[nodiscard]] Explanation explain_listener(const api::PortRow& row, std::vector<std::string> residents = {});

/// Something listens, and its program is paused, or may be.
[[nodiscard]] Explanation explain_sleep(const Sleep& sleep);

}  // namespace netlab::operations
