#include "daemon/operations/pair_side.hpp"

#include "daemon/kernel/netlink.hpp"

namespace netlab::operations {

Result<void> need_two(const api::Context& context) {
    if (context.targets.size() != 1) return {};
    return Error{errc::bad_request,
                 "only " + context.targets.front().name + " is there, and has nobody to reach",
                 "netlab ls shows the targets and their networks",
                 {}};
}

Result<PairSide> open_pair_side(const TargetHandle& target, std::optional<Family> family) {
    PairSide side;
    side.device = target.device;
    side.inode = target.inode;
    auto route = kernel::open_route_socket();
    if (!route) return route.error();
    side.route = std::move(*route);
    if (family == Family::ipv6) return side;
    auto arp = ArpIntroduction::open();
    if (!arp) return arp.error();
    side.arp = std::move(*arp);
    return side;
}

}  // namespace netlab::operations
