#pragma once

#include "daemon/launcher/protocol.hpp"
#include "daemon/operations/operation.hpp"

#include <span>

namespace netlab::launcher {

/// Opens what a launch message refers to, and checks that each is what the front expects: a network
/// namespace, of that identity, of that process. `host` is the launcher's own namespace, borrowed.
/// errc::target_gone, errc::no_such_target, errc::operation_failed; with Needs::namespaces_may_fail the
/// handle is left empty instead.
[[nodiscard]] Result<operations::Namespaces> open_namespaces(std::span<const NamespaceReference> references,
                                                             const operations::Needs& needs, int host);

}  // namespace netlab::launcher
