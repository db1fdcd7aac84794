#include "daemon/operations/route_probe.hpp"

#include "common/unique_fd.hpp"
#include "daemon/kernel/neighbour.hpp"

#include <algorithm>
#include <cerrno>

#include <netinet/in.h>
#include <sys/socket.h>

namespace netlab::operations {

RouteProbe probe_route(const ScopedAddress& to, std::uint32_t interface_index) {
    const int family = to.address.is_v4() ? AF_INET : AF_INET6;
    const UniqueFd socket(::socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    if (!socket) return {errno, std::nullopt};
    if (interface_index != 0) {
        // Where the kernel is too old for it the answer is that of the routing table.
        const auto index = static_cast<int>(interface_index);
        (void)::setsockopt(socket.get(), SOL_SOCKET, SO_BINDTOIFINDEX, &index, sizeof index);
    }
    constexpr std::uint16_t discard = 9;
    sockaddr_storage address;
    const auto length = to.address.to_sockaddr(address, discard, to.scope_id);
    if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), length) != 0)
        return {errno, std::nullopt};
    sockaddr_storage own{};
    socklen_t own_length = sizeof own;
    if (::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&own), &own_length) != 0)
        return {errno, std::nullopt};
    auto source = IpAddress::from_sockaddr(own);
    return {0, source ? std::optional(*source) : std::nullopt};
}

bool neighbour_is_silent(int route_socket, const IpAddress& address, std::uint32_t interface_index) {
    const auto neighbours = kernel::dump_neighbours(route_socket);
    if (!neighbours) return false;
    return std::ranges::any_of(neighbours->rows, [&](const kernel::Neighbour& neighbour) {
        return neighbour.address == address && neighbour.is_unanswered() &&
               (interface_index == 0 || neighbour.index == interface_index);
    });
}

std::vector<IpAddress> in_order_of_preference(const std::vector<IpAddress>& addresses,
                                              std::uint32_t interface_index) {
    const auto is_v6 = [](const IpAddress& address) { return address.is_v6(); };
    const auto v6 = std::ranges::count_if(addresses, is_v6);
    if (v6 == 0 || v6 == std::ssize(addresses)) return addresses;
    const auto rank = [&](const IpAddress& address) {
        const auto scope = address.is_link_local() && address.is_v6() ? interface_index : 0;
        const auto probe = probe_route({address, scope}, interface_index);
        const bool fits = probe.source && (address.is_link_local() || !probe.source->is_link_local());
        if (fits) return address.is_v6() ? 0 : 1;
        return address.is_v6() ? 3 : 2;
    };
    std::vector<std::pair<int, IpAddress>> ranked;
    ranked.reserve(addresses.size());
    for (const auto& address : addresses)
        ranked.emplace_back(rank(address), address);
    std::ranges::stable_sort(ranked, {}, &std::pair<int, IpAddress>::first);
    std::vector<IpAddress> ordered;
    ordered.reserve(ranked.size());
    for (const auto& [first, address] : ranked)
        ordered.push_back(address);
    return ordered;
}

}  // namespace netlab::operations
