#include "daemon/kernel/namespace_number.hpp"
#include "daemon/operations/inspection.hpp"
#include "daemon/operations/topology.hpp"

#include <algorithm>
#include <numeric>
#include <set>

namespace netlab::operations {

namespace {

const api::Target& target_of(const api::Context& context, std::size_t place) {
    if (place < context.targets.size()) return context.targets[place];
    place -= context.targets.size();
    if (context.peer_namespace && context.peer) {
        if (place == 0) return *context.peer;
        --place;
    }
    return context.others.at(place);
}

}  // namespace

KnownPlaces::KnownPlaces(Namespaces& namespaces, const api::Context& context) {
    auto sockets = open_in_each(namespaces, 0, namespaces.size(),
                                [](std::size_t) { return kernel::open_route_socket(); });
    places_.resize(namespaces.size());
    for (std::size_t i = 0; i < places_.size(); ++i) {
        places_[i].target = target_of(context, i).name;
        places_[i].socket = std::move(sockets[i]);
        places_[i].net = std::move(namespaces[i].net);
        places_[i].home = i;
        for (std::size_t earlier = 0; earlier < i; ++earlier) {
            const bool same = namespaces[earlier].inode == namespaces[i].inode &&
                              namespaces[earlier].device == namespaces[i].device;
            if (same && places_[earlier].net && places_[earlier].home == earlier) places_[i].home = earlier;
        }
    }
    order_.resize(places_.size());
    std::iota(order_.begin(), order_.end(), std::size_t{0});
    std::stable_partition(order_.begin(), order_.end(), [&](std::size_t place) {
        return target_of(context, place).runtime == api::Runtime::host;
    });
}

std::map<std::int32_t, std::size_t> KnownPlaces::numbers(std::size_t place,
                                                         const std::vector<kernel::Link>& links) const {
    std::set<std::int32_t> wanted;
    for (const auto& link : links) {
        if (link.peer_nsid) wanted.insert(*link.peer_nsid);
    }
    std::map<std::int32_t, std::size_t> found;
    for (const auto candidate : order_) {
        if (wanted.empty()) break;
        if (!places_[candidate].net || places_[candidate].home != candidate || candidate == place) continue;
        const auto number =
            kernel::number_of_namespace(places_[place].socket->get(), places_[candidate].net.get());
        if (!number || !*number) continue;
        wanted.erase(**number);
        found.emplace(**number, candidate);
    }
    return found;
}

KnownPlaces::Read KnownPlaces::read() const {
    std::vector<NamespaceFacts> facts(places_.size());
    bool consistent = true;
    for (std::size_t i = 0; i < places_.size(); ++i) {
        facts[i].target = places_[i].target;
        if (!places_[i].socket || places_[i].home != i) continue;
        const int socket = places_[i].socket->get();
        auto links = kernel::dump_links(socket);
        auto addresses = kernel::dump_addresses(socket);
        if (!links || !addresses) {
            consistent = false;
            continue;
        }
        consistent = consistent && links->consistent && addresses->consistent;
        facts[i].numbered = numbers(i, links->rows);
        facts[i].links = std::move(links->rows);
        facts[i].addresses = std::move(addresses->rows);
    }
    return {Topology(std::move(facts)), consistent};
}

}  // namespace netlab::operations
