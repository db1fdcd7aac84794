#include "daemon/operations/topology.hpp"

#include <algorithm>
#include <numeric>

namespace netlab::operations {

namespace {

bool is_pair(const std::string& kind) {
    return kind == "veth" || kind == "netkit" || kind == "vxcan";
}

/// What passes frames between its ports. A VRF routes between them, and Open vSwitch does as it is told.
bool switches(const std::string& kind) {
    return kind == "bridge" || kind == "bond" || kind == "team";
}

bool shares_parents_segment(const std::string& kind) {
    return kind == "macvlan" || kind == "macvtap" || kind == "ipvlan" || kind == "ipvtap";
}

template <class Key>
std::vector<Port> values(const std::multimap<Key, Port>& map, const Key& key) {
    std::vector<Port> found;
    const auto [first, last] = map.equal_range(key);
    for (auto at = first; at != last; ++at)
        found.push_back(at->second);
    return found;
}

}  // namespace

bool NamespaceFacts::has_address(const IpAddress& address) const {
    return std::ranges::any_of(addresses,
                               [&](const kernel::Address& one) { return one.prefix.address() == address; });
}

bool NamespaceFacts::has_address(std::uint32_t index, const IpAddress& address) const {
    return std::ranges::any_of(addresses, [&](const kernel::Address& one) {
        return one.index == index && one.prefix.address() == address;
    });
}

bool NamespaceFacts::has_subnet(std::uint32_t index, const IpAddress& address) const {
    return std::ranges::any_of(addresses, [&](const kernel::Address& one) {
        return one.index == index && one.prefix.contains(address);
    });
}

Topology::Topology(std::vector<NamespaceFacts> facts) : facts_(std::move(facts)) {
    for (std::size_t place = 0; place < facts_.size(); ++place) {
        std::ranges::sort(facts_[place].links, {}, &kernel::Link::index);
        for (const auto& link : facts_[place].links)
            numbers_.emplace(Port{place, link.index}, numbers_.size());
        for (const auto& address : facts_[place].addresses)
            owners_.emplace(address.prefix.address(), Port{place, address.index});
    }
    parents_.resize(numbers_.size());
    std::iota(parents_.begin(), parents_.end(), std::size_t{0});
    sizes_.assign(numbers_.size(), 1);
    for (std::size_t place = 0; place < facts_.size(); ++place) {
        for (const auto& link : facts_[place].links) {
            const Port port{place, link.index};
            if (const auto other = peer(port)) join(port, *other);
            if (const auto bridge = master(port)) {
                join(port, *bridge);
                ports_.emplace(*bridge, port);
            }
            if (const auto above = parent(port)) {
                join(port, *above);
                children_.emplace(*above, port);
            }
        }
    }
}

const kernel::Link* Topology::link(Port port) const {
    if (port.place >= facts_.size()) return nullptr;
    const auto& links = facts_[port.place].links;
    const auto found = std::ranges::lower_bound(links, port.index, {}, &kernel::Link::index);
    return found != links.end() && found->index == port.index ? &*found : nullptr;
}

std::string Topology::name(Port port) const {
    const auto* found = link(port);
    return found == nullptr ? std::string() : found->name;
}

std::optional<Port> Topology::find(std::size_t from, std::optional<std::int32_t> nsid,
                                   std::uint32_t index) const {
    std::size_t place = from;
    if (nsid) {
        const auto known = facts_[from].numbered.find(*nsid);
        if (known == facts_[from].numbered.end()) return std::nullopt;
        place = known->second;
    }
    const Port port{place, index};
    return link(port) == nullptr ? std::nullopt : std::optional(port);
}

std::optional<Port> Topology::peer(Port port) const {
    const auto* here = link(port);
    if (here == nullptr || !is_pair(here->kind)) return std::nullopt;
    const auto there = find(port.place, here->peer_nsid, here->peer.value_or(0));
    // What was read a moment later may be another interface of that index.
    if (!there || link(*there)->kind != here->kind || link(*there)->peer != here->index) return std::nullopt;
    return there;
}

std::optional<Port> Topology::master(Port port) const {
    const auto* here = link(port);
    if (here == nullptr || here->master == 0) return std::nullopt;
    const Port above{port.place, here->master};
    const auto* bridge = link(above);
    return bridge != nullptr && switches(bridge->kind) ? std::optional(above) : std::nullopt;
}

std::optional<Port> Topology::parent(Port port) const {
    const auto* here = link(port);
    if (here == nullptr || !shares_parents_segment(here->kind)) return std::nullopt;
    return find(port.place, here->peer_nsid, here->peer.value_or(0));
}

std::vector<Port> Topology::ports(Port bridge) const {
    return values(ports_, bridge);
}

std::vector<Port> Topology::children(Port parent) const {
    return values(children_, parent);
}

const FrameRules& Topology::rules(Port port) const {
    static const FrameRules none;
    const auto& all = facts_.at(port.place).rules;
    const auto found = all.find(port.index);
    return found == all.end() ? none : found->second;
}

std::string Topology::full_name(Port port) const {
    return name(port) + " of " + facts_.at(port.place).target;
}

std::optional<std::size_t> Topology::number_of(Port port) const {
    const auto found = numbers_.find(port);
    return found == numbers_.end() ? std::nullopt : std::optional(found->second);
}

std::size_t Topology::segment(std::size_t number) const {
    while (parents_[number] != number)
        number = parents_[number];
    return number;
}

void Topology::join(Port a, Port b) {
    const auto one = number_of(a);
    const auto other = number_of(b);
    if (!one || !other) return;
    auto large = segment(*one);
    auto small = segment(*other);
    if (large == small) return;
    if (sizes_[large] < sizes_[small]) std::swap(large, small);
    parents_[small] = large;
    sizes_[large] += sizes_[small];
}

bool Topology::on_one_segment(Port a, Port b) const {
    const auto one = number_of(a);
    const auto other = number_of(b);
    return one && other && segment(*one) == segment(*other);
}

bool Topology::has_company(Port port) const {
    const auto number = number_of(port);
    return number && sizes_[segment(*number)] > 1;
}

std::vector<Port> Topology::owners(const IpAddress& address) const {
    return values(owners_, address);
}

std::vector<Port> Topology::on_segment(std::size_t place, Port port) const {
    std::vector<Port> found;
    for (const auto& link : facts_.at(place).links) {
        if (on_one_segment({place, link.index}, port)) found.push_back({place, link.index});
    }
    return found;
}

bool Topology::has_mac_on_segment(std::size_t place, Port port, const MacAddress& mac) const {
    return std::ranges::any_of(facts_.at(place).links, [&](const kernel::Link& link) {
        return link.mac == mac && on_one_segment({place, link.index}, port);
    });
}

}  // namespace netlab::operations
