#include "daemon/operations/known_namespaces.hpp"

#include "daemon/kernel/namespace_number.hpp"

#include <algorithm>
#include <numeric>

namespace netlab::operations {

KnownNamespaces::KnownNamespaces(Namespaces& namespaces, const api::Context& context) {
    std::map<std::pair<std::uint64_t, std::uint64_t>, std::size_t> homes;
    auto sockets = open_in_each(namespaces, 0, namespaces.size(),
                                [](std::size_t) { return kernel::open_route_socket(); });
    places_.resize(namespaces.size());
    for (std::size_t i = 0; i < places_.size(); ++i) {
        places_[i].socket = std::move(sockets[i]);
        places_[i].net = std::move(namespaces[i].net);
        places_[i].home =
            places_[i].net ? homes.try_emplace({namespaces[i].device, namespaces[i].inode}, i).first->second
                           : i;
        places_[i].asked.resize(places_.size());
        places_[i].asked[i] = true;
    }
    order_.resize(places_.size());
    std::iota(order_.begin(), order_.end(), std::size_t{0});
    std::stable_partition(order_.begin(), order_.end(), [&](std::size_t place) {
        return target_at(context, place).runtime == api::Runtime::host;
    });
}

std::optional<std::size_t> KnownNamespaces::find(std::size_t from, std::optional<std::int32_t> nsid) {
    if (!nsid) return from;
    auto& place = places_[from];
    for (;;) {
        const auto known = place.numbered.find(*nsid);
        if (known != place.numbered.end()) return known->second;
        const auto candidate = place.socket ? next_candidate(place) : std::nullopt;
        if (!candidate) return std::nullopt;
        if (!places_[*candidate].net || places_[*candidate].home != *candidate) continue;
        const auto number = kernel::number_of_namespace(place.socket->get(), places_[*candidate].net.get());
        if (!number || !*number) continue;
        place.numbered.emplace(**number, *candidate);
        places_[*candidate].seen_from.push_back(from);
    }
}

std::optional<std::size_t> KnownNamespaces::next_candidate(Place& place) {
    while (!place.seen_from.empty() || place.next < order_.size()) {
        std::size_t candidate = 0;
        if (place.seen_from.empty()) {
            candidate = order_[place.next++];
        } else {
            candidate = place.seen_from.back();
            place.seen_from.pop_back();
        }
        if (place.asked[candidate]) continue;
        place.asked[candidate] = true;
        return candidate;
    }
    return std::nullopt;
}

std::optional<kernel::Link> KnownNamespaces::link(std::size_t place, std::uint32_t index) {
    auto& there = places_[place];
    if (const auto known = there.links.find(index); known != there.links.end()) return known->second;
    if (!there.socket || index == 0) return std::nullopt;
    const auto got = kernel::get_link(there.socket->get(), index);
    return there.links.emplace(index, got ? *got : std::nullopt).first->second;
}

void KnownNamespaces::remember(std::size_t place, const kernel::Link& link) {
    places_[place].links.insert_or_assign(link.index, link);
}

void KnownNamespaces::forget_links() {
    for (auto& place : places_)
        place.links.clear();
}

KnownNamespaces::Found KnownNamespaces::peer(std::size_t from, const kernel::Link& link) {
    auto found = parent(from, link.peer_nsid, link.peer.value_or(0));
    // It may have moved or gone since, and its index be another's.
    if (found.link && (found.link->kind != link.kind || found.link->peer != link.index)) found.link.reset();
    return found;
}

KnownNamespaces::Found KnownNamespaces::parent(std::size_t from, std::optional<std::int32_t> nsid,
                                               std::uint32_t index) {
    Found found{find(from, nsid), std::nullopt};
    if (found.place) found.link = link(*found.place, index);
    return found;
}

api::OtherEnd KnownNamespaces::describe(const Found& found, std::optional<std::int32_t> nsid,
                                        std::uint32_t index, const api::Context& context) const {
    api::OtherEnd end;
    end.index = index;
    end.nsid = nsid;
    if (found.place) end.target = target_at(context, *found.place).name;
    if (found.link) end.name = found.link->name;
    return end;
}

const api::Target& target_at(const api::Context& context, std::size_t place) {
    if (place < context.targets.size()) return context.targets[place];
    place -= context.targets.size();
    if (context.peer_namespace && context.peer) {
        if (place == 0) return *context.peer;
        --place;
    }
    if (place < context.publishers.size()) return context.publishers[place];
    return context.others.at(place - context.publishers.size());
}

std::optional<api::OtherEnd> peer_of(KnownNamespaces& known, const api::Context& context, std::size_t place,
                                     const kernel::Link& link) {
    const bool pair = link.kind == "veth" || link.kind == "netkit" || link.kind == "vxcan";
    if (!pair || link.peer.value_or(0) == 0) return std::nullopt;
    return known.describe(known.peer(place, link), link.peer_nsid, *link.peer, context);
}

}  // namespace netlab::operations
