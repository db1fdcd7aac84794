#pragma once

#include "common/api/context.hpp"
#include "daemon/operations/explanation.hpp"
#include "daemon/operations/reach_request.hpp"
#include "daemon/operations/resolver.hpp"

/// Why a name does not resolve in a target, from what the engines say (the context) and what DNS said. Only
/// what follows from those is said.
namespace netlab::operations {

/// What the servers said, or why they could not, in a sentence; "" of a name that resolved.
[[nodiscard]] std::string what_dns_said(const ReachRequest& request, const Resolution& resolution);

/// `request.to` did not resolve in FROM.
[[nodiscard]] Explanation explain_unresolved(const api::Context& context, const ReachRequest& request,
                                             const Resolution& resolution);

}  // namespace netlab::operations
