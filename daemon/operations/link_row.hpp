#pragma once

#include "common/api/links.hpp"
#include "daemon/kernel/link_details.hpp"

namespace netlab::operations {

/// All of a row that the kernel's one message says: without target, master, peer and parent.
[[nodiscard]] api::LinkRow link_row(const kernel::LinkDetails& details);

[[nodiscard]] api::BridgeSettings bridge_settings(const kernel::BridgeDetails& bridge);
[[nodiscard]] api::BridgePortSettings bridge_port_settings(const kernel::BridgePortDetails& port);

}  // namespace netlab::operations
