#pragma once

#include "daemon/launcher/protocol.hpp"
#include "daemon/targets/registry.hpp"

namespace netlab::front {

/// A namespace as the registry knows it, in the launcher's fixed format.
/// errc::too_large where its path is longer than the launcher takes and no process stands for it.
[[nodiscard]] Result<launcher::NamespaceReference> launcher_reference(
    const targets::NamespaceReference& reference);

}  // namespace netlab::front
