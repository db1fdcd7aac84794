#include "daemon/operations/loopback_interface.hpp"

#include "daemon/kernel/link.hpp"

#include <net/if.h>

namespace netlab::operations {

bool loopback_is_down(int route_socket) {
    // The first interface of every namespace (LOOPBACK_IFINDEX in the kernel's include/net/flow.h).
    constexpr std::uint32_t loopback = 1;
    const auto link = kernel::get_link(route_socket, loopback);
    return link && *link && ((*link)->flags & IFF_LOOPBACK) != 0 && ((*link)->flags & IFF_UP) == 0;
}

std::string loopback_remedy(const api::Target& target) {
    if (target.runtime == api::Runtime::netns) return "ip -n " + target.name + " link set lo up";
    if (target.pid == 0) return {};
    return "nsenter --net=/proc/" + std::to_string(target.pid) + "/ns/net ip link set lo up";
}

}  // namespace netlab::operations
