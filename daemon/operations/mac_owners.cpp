#include "daemon/operations/mac_owners.hpp"

#include <algorithm>

namespace netlab::operations {

namespace {

bool is_group(const MacAddress& mac) {
    return (mac.bytes[0] & 1) != 0;
}

}  // namespace

MacOwners::MacOwners(KnownNamespaces& known, const api::Context& context, std::size_t place,
                     const std::vector<kernel::LinkDetails>& links)
    : known_(known), context_(context), place_(place), links_(links) {}

const kernel::Link* MacOwners::own(const MacAddress& mac, std::uint32_t index) const {
    const kernel::Link* other = nullptr;
    for (const auto& details : links_) {
        if (details.link.mac != mac) continue;
        // A bridge has one of its ports' addresses: the one that was asked for comes first.
        if (details.link.index == index) return &details.link;
        if (other == nullptr) other = &details.link;
    }
    return other;
}

const std::vector<kernel::Link>& MacOwners::links_at(std::size_t place) {
    const auto [entry, fresh] = behind_.try_emplace(place);
    const auto& socket = known_.socket(place);
    if (fresh && socket) {
        if (auto links = kernel::dump_links(socket->get())) entry->second = std::move(links->rows);
    }
    return entry->second;
}

std::optional<api::MacOwner> MacOwners::find(const MacAddress& mac, std::uint32_t index) {
    if (is_group(mac)) return std::nullopt;
    if (const auto* link = own(mac, index))
        return api::MacOwner{target_at(context_, place_).name, link->name};
    const auto port = known_.link(place_, index);
    if (!port || port->peer.value_or(0) == 0) return std::nullopt;
    const auto found = known_.peer(place_, *port);
    if (!found.place) return std::nullopt;
    const auto& target = target_at(context_, *found.place).name;
    if (found.link && found.link->mac == mac) return api::MacOwner{target, found.link->name};
    // Behind the veth may be a macvlan, or a bridge with more.
    for (const auto& link : links_at(*found.place)) {
        if (link.mac == mac) return api::MacOwner{target, link.name};
    }
    return std::nullopt;
}

}  // namespace netlab::operations
