#pragma once

#include "common/api/targets.hpp"
#include "common/api/version.hpp"
#include "daemon/targets/registry.hpp"

#include <string>

/// What the front answers by itself: one function for each row of api::Kind::registry.
namespace netlab::front {

/// What an answer may be made of.
struct Knowledge {
    const targets::Registry& registry;
    api::Roles roles;  ///< the caller's
};

/// JSON.
[[nodiscard]] std::string answer(const api::VersionRequest& request, const Knowledge& knowledge);
[[nodiscard]] std::string answer(const api::TargetsRequest& request, const Knowledge& knowledge);

}  // namespace netlab::front
