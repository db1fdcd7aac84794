#pragma once

#include "common/api/route.hpp"
#include "daemon/kernel/interface_settings.hpp"
#include "daemon/kernel/route_query.hpp"
#include "daemon/operations/topology.hpp"

#include <functional>
#include <string>

namespace netlab::operations {

/// Asks the kernel of the namespace in that place.
struct AskKernel {
    std::function<Result<kernel::RouteReply>(std::size_t place, const kernel::RouteQuery&)> route;
    std::function<Result<kernel::InterfaceSettings>(std::size_t place, Family, std::uint32_t index)> settings;
    /// A route or rule of its says that such a packet is not to pass; empty: that cannot be told.
    std::function<bool(std::size_t place, const kernel::RouteQuery&)> refuses = {};
};

/// What becomes of a packet in one namespace, and what there is to say of it.
struct Verdict {
    api::RouteStep step = api::RouteStep::unknown;
    std::string note;
};

/// From the kernel's reply to `query`, and from what it has to be asked besides: its answers do not tell a
/// namespace that does not forward from one without a route (IPv4) or with one (IPv6), nor a source that is
/// not its own from a blackhole.
[[nodiscard]] Verdict judge(const Topology& topology, const AskKernel& ask, std::size_t place,
                            const kernel::RouteQuery& query, const kernel::RouteReply& reply);

/// What the reply means by itself.
[[nodiscard]] api::RouteStep step_of(const kernel::RouteReply& reply);

/// True of the steps after which the packet is gone.
[[nodiscard]] bool is_lost(api::RouteStep step);

}  // namespace netlab::operations
