#pragma once

#include "common/api/routes.hpp"
#include "daemon/kernel/route_entry.hpp"
#include "daemon/operations/interface_names.hpp"

namespace netlab::operations {

/// A route by the words of ip(8).
[[nodiscard]] api::RouteEntry route_entry(const std::string& target, const kernel::Route& route,
                                          const InterfaceNames& names);

}  // namespace netlab::operations
