#include "daemon/operations/interface_facts.hpp"

#include "common/binary.hpp"

#include <algorithm>

#include <net/if.h>

namespace netlab::operations {

namespace {

/// Leaves room for the rest of the record below frame::largest.
constexpr std::size_t most_bytes = 200 * 1024;

bool fits(const std::vector<api::InterfaceFacts>& interfaces) {
    return binary::encode(interfaces).size() <= most_bytes;
}

}  // namespace

std::vector<api::InterfaceFacts> join_interfaces(const std::vector<kernel::Link>& links,
                                                 const std::vector<kernel::Address>& addresses) {
    std::vector<api::InterfaceFacts> out;
    for (const auto& link : links) {
        auto& facts = out.emplace_back();
        facts.index = link.index;
        facts.name = link.name;
        if (link.mac) facts.mac = link.mac->to_string();
        facts.loopback = (link.flags & IFF_LOOPBACK) != 0;
        facts.bridge = link.kind == "bridge";
        facts.port = link.master != 0;
    }
    std::ranges::sort(out, {}, &api::InterfaceFacts::index);
    for (const auto& address : addresses) {
        const auto place = std::ranges::lower_bound(out, address.index, {}, &api::InterfaceFacts::index);
        // An interface that came between the two dumps is told of by the next change.
        if (place != out.end() && place->index == address.index) place->addresses.push_back(address.prefix);
    }
    return out;
}

void fit_into_frame(std::vector<api::InterfaceFacts>& interfaces) {
    if (fits(interfaces)) return;
    std::erase_if(interfaces, [](const auto& facts) { return facts.port; });
    if (fits(interfaces)) return;
    std::erase_if(interfaces, [](const auto& facts) { return facts.addresses.empty(); });
    while (!fits(interfaces)) {
        // One interface may have more addresses than a frame holds.
        if (interfaces.size() == 1) {
            interfaces[0].addresses.resize(interfaces[0].addresses.size() / 2);
        } else {
            interfaces.resize(interfaces.size() / 2);
        }
    }
}

Result<Interfaces> read_interfaces(int route_socket, std::chrono::milliseconds deadline) {
    const auto links = kernel::dump_links(route_socket, deadline);
    if (!links) return links.error();
    const auto addresses = kernel::dump_addresses(route_socket, deadline);
    if (!addresses) return addresses.error();
    Interfaces out;
    out.facts = join_interfaces(links->rows, addresses->rows);
    fit_into_frame(out.facts);
    out.notified = links->notified || addresses->notified;
    return out;
}

}  // namespace netlab::operations
