#pragma once

#include "cli/render/table.hpp"
#include "common/api/routes.hpp"

/// How a route looks in a table; for `routes` and `route`.
namespace netlab::cli {

[[nodiscard]] Cell gateway_cell(const api::RouteEntry& route);  ///< "-" where the destination is on the link
[[nodiscard]] Cell interface_cell(const api::RouteEntry& route);  ///< of each next hop
[[nodiscard]] Cell kind_cell(const api::RouteEntry& route);
/// What few routes have: flags, metrics, "from …", expiry, encapsulation.
[[nodiscard]] Cell details_cell(const api::RouteEntry& route);

}  // namespace netlab::cli
