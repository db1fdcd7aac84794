#include "daemon/operations/why_segment.hpp"

#include "daemon/operations/host_command.hpp"
#include "daemon/operations/known_namespaces.hpp"
#include "daemon/operations/network_facts.hpp"

#include <algorithm>
#include <initializer_list>

namespace netlab::operations {

namespace {

class Segment {
  public:
    Segment(const Topology& topology, const api::Context& context, std::size_t place, const IpAddress& wanted)
        : topology_(topology),
          context_(context),
          place_(place),
          target_(target_at(context, place)),
          wanted_(wanted) {}

    Explanation explain() {
        if (!is_container(target_)) return {};
        if (auto lost = lost_address(); !lost.explanation.empty()) return lost;
        for (const auto& membership : target_.networks) {
            const auto port = interface_of(membership);
            if (!port) continue;
            for (const auto check :
                 {&Segment::down, &Segment::off_bridge, &Segment::no_gateway, &Segment::double_address}) {
                if (auto found = (this->*check)(membership, *port); !found.explanation.empty()) return found;
            }
        }
        return {};
    }

  private:
    /// Its engine gave it the address, and its kernel does not have it.
    [[nodiscard]] Explanation lost_address() const {
        const auto& facts = topology_[place_];
        // Of one that shares its namespace the engine's word is another's.
        if (facts.links.empty() || shares_namespace(target_) || target_.network_mode == "host") return {};
        std::optional<IpAddress> lost;
        const api::Membership* network = nullptr;
        for (const auto& membership : target_.networks) {
            for (const auto& prefix : membership.addresses) {
                const auto& address = prefix.address();
                if (address.family() != wanted_.family() || address.is_link_local()) continue;
                const bool is_there = facts.has_address(address);
                if (is_there && address != wanted_) return {};
                if (is_there || (lost && address != wanted_)) continue;
                lost = address;
                network = &membership;
            }
        }
        if (!lost) return {};
        return {target_.name + " does not have " + lost->to_string() + ", which " +
                    engine_name(target_.runtime) + " gave it on " + network->name,
                engine_command(target_.runtime) + " restart " + target_.name};
    }

    [[nodiscard]] std::optional<Port> interface_of(const api::Membership& membership) const {
        for (const auto& prefix : membership.addresses) {
            for (const auto owner : topology_.owners(prefix.address())) {
                if (owner.place == place_) return owner;
            }
        }
        return std::nullopt;
    }

    /// Commands with an interface's name in them are for plain names only.
    [[nodiscard]] std::string in(std::size_t place, const std::string& command,
                                 std::initializer_list<Port> named) const {
        for (const auto port : named) {
            if (!is_plain_word(topology_.name(port))) return {};
        }
        return command_in(target_at(context_, place), command);
    }

    [[nodiscard]] bool is_up(Port port) const {
        const auto* link = topology_.link(port);
        constexpr std::uint32_t up = 1;  // IFF_UP
        return link == nullptr || (link->flags & up) != 0;
    }

    Explanation down(const api::Membership&, Port port) const {
        std::vector<Port> concerned{port};
        if (const auto peer = topology_.peer(port)) {
            concerned.push_back(*peer);
            if (const auto bridge = topology_.master(*peer)) concerned.push_back(*bridge);
        }
        for (const auto& one : concerned) {
            if (!is_up(one))
                return {topology_.full_name(one) + " is down",
                        in(one.place, "ip link set " + topology_.name(one) + " up", {one})};
        }
        return {};
    }

    /// The interface of the namespace that the engine's gateway address should be on, and is.
    [[nodiscard]] std::optional<Port> gateway_owner(const api::Membership& membership,
                                                    std::size_t place) const {
        if (!membership.gateway) return std::nullopt;
        for (const auto owner : topology_.owners(*membership.gateway)) {
            if (owner.place == place) return owner;
        }
        return std::nullopt;
    }

    /// Of another container on the same network, the bridge that its veth is on.
    [[nodiscard]] std::optional<Port> bridge_of_others(const api::Membership& membership, Port veth) const {
        for (const auto& prefix : membership.addresses) {
            for (std::size_t other = 0; other < topology_.size(); ++other) {
                for (const auto& address : topology_[other].addresses) {
                    const Port candidate{other, address.index};
                    if (other == place_ || other == veth.place ||
                        !prefix.contains(address.prefix.address()) ||
                        !is_engines(address.prefix.address(), topology_[other].target))
                        continue;
                    const auto peer = topology_.peer(candidate);
                    if (peer && peer->place == veth.place)
                        if (const auto bridge = topology_.master(*peer)) return bridge;
                }
            }
        }
        return std::nullopt;
    }

    /// The engine says that this target has it; anybody could give himself an address.
    [[nodiscard]] bool is_engines(const IpAddress& address, const std::string& name) const {
        return std::ranges::any_of(
            context_.names, [&](const auto& one) { return one.address == address && one.name == name; });
    }

    Explanation off_bridge(const api::Membership& membership, Port port) const {
        const auto veth = topology_.peer(port);
        if (!veth || veth->place == place_ || topology_.master(*veth)) return {};
        auto bridge = gateway_owner(membership, veth->place);
        if (!bridge) bridge = bridge_of_others(membership, *veth);
        Explanation out;
        out.explanation = topology_.full_name(*veth) + ", the other end of " + topology_.full_name(port) +
                          ", is on no bridge: nothing that " + target_.name + " sends goes anywhere";
        out.suggestion =
            bridge ? in(veth->place,
                        "ip link set " + topology_.name(*veth) + " master " + topology_.name(*bridge),
                        {*veth, *bridge})
                   : engine_command(target_.runtime) + " network disconnect " + membership.name + " " +
                         target_.name + " && " + engine_command(target_.runtime) + " network connect " +
                         membership.name + " " + target_.name;
        return out;
    }

    Explanation no_gateway(const api::Membership& membership, Port port) const {
        const auto veth = topology_.peer(port);
        const auto bridge = veth ? topology_.master(*veth) : std::nullopt;
        if (!bridge || !membership.gateway || membership.addresses.empty()) return {};
        const auto owners = topology_.owners(*membership.gateway);
        const auto here = [&](Port owner) { return topology_.on_one_segment(owner, *bridge); };
        if (std::ranges::any_of(owners, here)) return {};
        const auto length = membership.addresses.front().length();
        const auto address = membership.gateway->to_string() + "/" + std::to_string(length);
        return {topology_.full_name(*bridge) + ", the bridge of " + membership.name +
                    ", has lost its address " + membership.gateway->to_string() + ", which is " +
                    target_.name + "'s gateway",
                in(bridge->place, "ip addr add " + address + " dev " + topology_.name(*bridge), {*bridge})};
    }

    Explanation double_address(const api::Membership& membership, Port port) const {
        for (const auto& prefix : membership.addresses) {
            for (const auto owner : topology_.owners(prefix.address())) {
                if (owner == port || !topology_.on_one_segment(owner, port)) continue;
                return {prefix.address().to_string() + " is there more than once: " + target_.name + " and " +
                            topology_[owner.place].target + " have it, on " + topology_.full_name(owner),
                        in(owner.place,
                           "ip addr del " + prefix.address().to_string() + "/" +
                               std::to_string(prefix.length()) + " dev " + topology_.name(owner),
                           {owner})};
            }
        }
        return {};
    }

    const Topology& topology_;
    const api::Context& context_;
    std::size_t place_;
    const api::Target& target_;
    IpAddress wanted_;
};

}  // namespace

Explanation explain_segment(const Topology& topology, const api::Context& context, std::size_t place,
                            const IpAddress& wanted) {
    return Segment(topology, context, place, wanted).explain();
}

}  // namespace netlab::operations
