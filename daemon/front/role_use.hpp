#pragma once

#include "common/api/conntrack.hpp"
#include "common/api/context.hpp"
#include "common/api/ports.hpp"
#include "common/api/processes.hpp"
#include "common/api/sockets.hpp"
#include "common/api/why.hpp"

/// For the audit: the roles of the caller's that a request makes use of although it is not refused without
/// them; it would see less, or do less. A request that has no such function makes use of none. `of_host`: a
/// target is in the host's namespace, by whatever name.
namespace netlab::front {

/// Role::trace, or Role::host in its place, for the table; Role::probe also where only a resolver is asked.
[[nodiscard]] api::Roles used_roles(const api::WhyRequest& request, const api::Context& context,
                                    bool of_host);
/// The events, too. Of the host by another name than `host`: Role::capture, which the worker asks for.
[[nodiscard]] api::Roles used_roles(const api::ConntrackRequest& request, const api::Context& context,
                                    bool of_host);
/// Role::host, for who holds the host's sockets.
[[nodiscard]] api::Roles used_roles(const api::SocketsRequest& request, const api::Context& context,
                                    bool of_host);
/// Role::host, for command lines and the host's processes.
[[nodiscard]] api::Roles used_roles(const api::ProcessesRequest& request, const api::Context& context,
                                    bool of_host);
/// Role::host, for the host's processes that take a published port.
[[nodiscard]] api::Roles used_roles(const api::PortsRequest& request, const api::Context& context,
                                    bool of_host);

}  // namespace netlab::front
