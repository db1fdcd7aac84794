#include "daemon/operations/peer_address.hpp"

#include <algorithm>

namespace netlab::operations {

namespace {

bool is_global(const IpAddress& address) {
    return !address.is_loopback() && !address.is_link_local() && !address.is_multicast() &&
           !address.is_unspecified();
}

bool has(const std::vector<IpPrefix>& prefixes, const IpAddress& address) {
    return std::ranges::find(prefixes, address, &IpPrefix::address) != prefixes.end();
}

/// The peer's addresses that can be asked from FROM, IPv4 first.
std::vector<IpAddress> candidates(const PeerFacts& facts) {
    std::vector<IpAddress> found;
    for (const auto& prefix : facts.peer) {
        const auto& address = prefix.address();
        if (!is_global(address) || (facts.family && address.family() != *facts.family)) continue;
        if (facts.same_namespace || !has(facts.from, address)) found.push_back(address);
    }
    std::ranges::stable_sort(found, {}, [](const IpAddress& address) { return address.is_v6(); });
    return found;
}

const IpPrefix* subnet_of(const std::vector<IpPrefix>& from, const IpAddress& address) {
    const auto at = std::ranges::find_if(from, [&](const IpPrefix& prefix) {
        return is_global(prefix.address()) && prefix.contains(address);
    });
    return at == from.end() ? nullptr : &*at;
}

}  // namespace

std::optional<PeerChoice> choose_peer_address(const PeerFacts& facts) {
    if (facts.same_namespace) {
        const auto* text = facts.family == Family::ipv6 ? "::1" : "127.0.0.1";
        return PeerChoice{*IpAddress::parse(text), PeerWay::loopback, std::nullopt};
    }
    auto addresses = candidates(facts);
    // Of several shared subnets the one that FROM's other traffic goes by.
    std::ranges::stable_sort(addresses, {}, [&](const IpAddress& address) {
        const auto at = std::ranges::find(facts.gateways, address);
        return std::pair(address.is_v6(), at - facts.gateways.begin());
    });
    for (const auto& address : addresses) {
        if (const auto* subnet = subnet_of(facts.from, address)) {
            return PeerChoice{address, PeerWay::shared_subnet, *subnet};
        }
    }
    if (addresses.empty()) return std::nullopt;
    const bool gateway = std::ranges::find(facts.gateways, addresses.front()) != facts.gateways.end();
    return PeerChoice{addresses.front(), gateway ? PeerWay::gateway : PeerWay::first_global, std::nullopt};
}

}  // namespace netlab::operations
