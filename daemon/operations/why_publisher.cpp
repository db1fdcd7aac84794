#include "daemon/operations/why_publisher.hpp"

#include "daemon/operations/connections.hpp"
#include "daemon/operations/why_rules.hpp"

#include <algorithm>

namespace netlab::operations {

namespace {

/// It is the engine that holds the port at that address.
bool is_published_on(const api::PublishedPort& port, const IpAddress& address) {
    if (!port.host_address) return false;
    return *port.host_address == address ||
           (port.host_address->is_unspecified() && port.host_address->family() == address.family());
}

/// The process connects to one of its addresses: which, its arguments tell.
std::vector<api::Endpoint> ways_to(const api::Target& target, std::uint16_t port,
                                   const std::vector<api::Endpoint>& led) {
    std::vector<api::Endpoint> all;
    for (const auto& network : target.networks) {
        for (const auto& prefix : network.addresses)
            all.push_back({prefix.address(), port});
    }
    for (const auto& one : led) {
        if (std::ranges::find(all, one) != all.end()) return {one};
    }
    return all;
}

}  // namespace

std::optional<Publisher> find_publisher(const api::Context& context, std::size_t first,
                                        std::string_view protocol, const api::Endpoint& host,
                                        const ProxyProcesses& proxies) {
    const auto led = proxies.leading_from(protocol, host);
    for (std::size_t i = 0; i < context.publishers.size(); ++i) {
        const auto& target = context.publishers[i];
        const auto port = std::ranges::find_if(target.ports, [&](const api::PublishedPort& one) {
            return one.protocol == protocol && is_published_on(one, host.address);
        });
        // Podman's process may only keep the port from others, and accepts nothing then.
        if (port == target.ports.end()) continue;
        return Publisher{&target, first + i, ways_to(target, port->container_port, led)};
    }
    return std::nullopt;
}

LegRules decide_leg_by_rules(const FamilyRules& rules, const std::string& host, const ProxyRoute& route,
                             api::WhyProtocol protocol, const api::Endpoint& to) {
    const HostPassage passage{host, {}, route.output, false};
    const Flow flow{protocol, 0, to.address, to.port};
    return {decide_by_rules(rules, passage, flow, route.own, to),
            decide_answer_by_rules(rules, passage, flow, route.own, to, route.own)};
}

ProxyLegs::ProxyLegs(int sock_diag_socket, std::vector<api::Endpoint> ways)
    : socket_(sock_diag_socket), ways_(std::move(ways)) {
    before_ = ports(false);
}

std::set<std::uint16_t> ProxyLegs::ports(bool established) const {
    std::set<std::uint16_t> out;
    if (socket_ < 0) return out;
    for (const auto& way : ways_) {
        const auto found = connections_to(socket_, way);
        if (!found) continue;
        for (const auto& [port, is_established] : *found) {
            if (is_established || !established) out.insert(port);
        }
    }
    return out;
}

BehindProxy::Leg ProxyLegs::look(bool given_up) const {
    using Leg = BehindProxy::Leg;
    const auto is_new = [&](std::uint16_t port) { return !before_.contains(port); };
    if (std::ranges::any_of(ports(true), is_new)) return Leg::there;
    if (given_up) return Leg::given_up;
    return std::ranges::any_of(ports(false), is_new) ? Leg::waiting : Leg::unseen;
}

}  // namespace netlab::operations
