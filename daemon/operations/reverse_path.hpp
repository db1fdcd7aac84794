#pragma once

#include "daemon/kernel/interface_settings.hpp"
#include "daemon/kernel/route_query.hpp"

namespace netlab::operations {

/// Whether the reverse path filter is why the kernel has answered EINVAL for a packet that comes in; older
/// kernels say EXDEV (inet_rtm_getroute() in net/ipv4/route.c). For what no route or rule refuses: those come
/// first. `settings` of its input; `back`: the answer for the way to its source. Pure.
[[nodiscard]] bool is_path_filtered(const kernel::RouteQuery& query,
                                    const Result<kernel::InterfaceSettings>& settings,
                                    const Result<kernel::RouteReply>& back);

/// The way to the packet's source, as the filter asks for it; `query` has one.
[[nodiscard]] kernel::RouteQuery way_back(const kernel::RouteQuery& query);

}  // namespace netlab::operations
