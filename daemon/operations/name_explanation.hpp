#pragma once

#include "common/api/context.hpp"
#include "common/api/ping.hpp"
#include "daemon/operations/resolver.hpp"

#include <string>

/// Why a name does not resolve in a target, from what the engines say (the context) and what DNS said. Only
/// what follows from those is said.
namespace netlab::operations {

/// Empty strings where there is nothing to say.
struct Explanation {
    std::string explanation;
    std::string suggestion;  ///< a command, and in brackets another way
    friend bool operator==(const Explanation&, const Explanation&) = default;
};

/// `request.to` did not resolve in FROM.
[[nodiscard]] Explanation explain_unresolved(const api::Context& context, const api::PingRequest& request,
                                             const Resolution& resolution);

}  // namespace netlab::operations
