#include "daemon/operations/conntrack_place.hpp"

#include "daemon/kernel/address.hpp"

#include <algorithm>

namespace netlab::operations {

Result<ConntrackPlace> enter_conntrack_place(Namespaces& namespaces, const api::ConntrackRequest& request,
                                             const api::Context& context) {
    const auto& target = context.targets.front();
    // By its other names, too, the host is the host.
    const bool is_host = target.runtime == api::Runtime::host ||
                         (context.host_namespace && namespaces[0].device == namespaces[1].device &&
                          namespaces[0].inode == namespaces[1].inode);
    if (is_host && std::ranges::count(context.roles, api::Role::capture) == 0)
        return api::conntrack_of_host_denied();
    if (auto entered = namespaces.enter(0); !entered) return entered.error();
    ConntrackPlace place{is_host, is_host ? "host" : target.name, {}};
    if (is_host || request.inside) return place;
    auto socket = kernel::open_route_socket();
    if (!socket) return socket.error();
    if (auto entered = namespaces.enter(1); !entered) return entered.error();
    return ConntrackPlace{true, "host", std::move(*socket)};
}

Result<void> limit_to_target(const ConntrackPlace& place, const api::Context& context,
                             ConntrackFilter& filter) {
    if (!place.addresses) return {};
    const auto read = kernel::dump_addresses(place.addresses.get());
    if (!read) return read.error();
    std::vector<IpAddress> own;
    for (const auto& address : read->rows) {
        const auto& ip = address.prefix.address();
        if (!ip.is_loopback() && !ip.is_link_local()) own.push_back(ip);
    }
    if (own.empty()) {
        return Error{errc::no_address,
                     context.targets.front().name + " has no address that the host could know its flows by",
                     "--inside shows the table of its own namespace",
                     {}};
    }
    filter.limit_to(std::move(own));
    return {};
}

Error no_conntrack() {
    return {errc::unsupported,
            "this kernel does not tell of connection tracking",
            "its module nf_conntrack_netlink is missing",
            {}};
}

}  // namespace netlab::operations
