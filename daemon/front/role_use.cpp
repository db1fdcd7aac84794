#include "daemon/front/role_use.hpp"

namespace netlab::front {

namespace {

bool has(const api::Context& context, api::Role role) {
    return std::ranges::find(context.roles, role) != context.roles.end();
}

/// `role`, where it is of use and the caller has it.
api::Roles where(bool of_use, const api::Context& context, api::Role role) {
    api::Roles used;
    if (of_use && has(context, role)) used.add(role);
    return used;
}

/// What is no address and no target by its prefix is a name, for FROM's resolver.
bool may_ask_resolver(const api::WhyRequest& request, const api::Context& context) {
    const bool target = request.address || context.peer_match == api::PeerMatch::host ||
                        context.peer_match == api::PeerMatch::explicit_;
    return !target && !IpAddress::parse(request.to.substr(0, request.to.find('%')));
}

}  // namespace

api::Roles used_roles(const api::WhyRequest& request, const api::Context& context, bool) {
    if (!request.probe) return where(may_ask_resolver(request, context), context, api::Role::probe);
    const auto role = has(context, api::Role::trace) ? api::Role::trace : api::Role::host;
    return where(request.trace, context, role);
}

api::Roles used_roles(const api::ConntrackRequest&, const api::Context& context, bool of_host) {
    return where(of_host, context, api::Role::capture);
}

api::Roles used_roles(const api::SocketsRequest& request, const api::Context& context, bool of_host) {
    return where(of_host && request.processes && !request.summary, context, api::Role::host);
}

api::Roles used_roles(const api::ProcessesRequest&, const api::Context& context, bool) {
    return where(true, context, api::Role::host);
}

api::Roles used_roles(const api::PortsRequest&, const api::Context& context, bool) {
    return where(true, context, api::Role::host);
}

}  // namespace netlab::front
