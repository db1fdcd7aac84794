#include "daemon/operations/network_check.hpp"

#include <algorithm>

#include <linux/if.h>
#include <linux/if_bridge.h>
#include <linux/rtnetlink.h>

namespace netlab::operations {

namespace {

using api::Finding;
using api::FindingCode;
using kernel::LinkDetails;

bool is_up(const LinkDetails& details) {
    return (details.link.flags & IFF_UP) != 0;
}

/// What somebody gave the interface on purpose: not link-local, and not learned from a router.
bool is_given(const kernel::Address& address) {
    constexpr std::uint32_t for_ever = 0xFFFFFFFF;
    return address.scope == RT_SCOPE_UNIVERSE && address.valid == for_ever;
}

bool option_is(const api::NetworkRow& network, std::string_view name, std::string_view value) {
    return std::ranges::any_of(network.options, [&](const api::NetworkOption& option) {
        return option.name == name && option.value == value;
    });
}

/// The engine was told not to give the bridge an address of this family.
bool without_gateway(const api::NetworkRow& network, const IpAddress& of_family) {
    if (of_family.is_v4() && option_is(network, "com.docker.network.bridge.inhibit_ipv4", "true"))
        return true;
    const auto* mode = of_family.is_v4() ? "com.docker.network.bridge.gateway_mode_ipv4"
                                         : "com.docker.network.bridge.gateway_mode_ipv6";
    return option_is(network, mode, "isolated");
}

class Check {
  public:
    Check(const api::NetworkRow& network, const NamespaceState& host) : network_(network), host_(host) {}

    std::vector<Finding> run(const std::vector<MemberState>& members) {
        if (network_.driver == "bridge") {
            bridge();
        } else {
            parent();
        }
        for (std::size_t i = 0; i < members.size(); ++i)
            member(network_.members[i], members[i]);
        if (bridge_ != nullptr) strange_ports(members);
        return std::move(findings_);
    }

  private:
    template <class... Words>
    void add(FindingCode code, const std::string& subject, const Words&... words) {
        std::string message;
        ((message += words), ...);
        findings_.push_back({code, subject, std::move(message)});
    }

    [[nodiscard]] std::string engine() const {
        return network_.engine == api::Runtime::podman ? "Podman" : "Docker";
    }

    void bridge() {
        const auto name = network_.bridge.value_or("");
        bridge_ = find_link(host_, name);
        if (bridge_ == nullptr)
            return add(FindingCode::bridge_missing, name, "its bridge ", name, " does not exist on the host");
        if (bridge_->link.kind != "bridge") {
            add(FindingCode::not_a_bridge, name, name, ", which should be its bridge, is ",
                bridge_->link.kind.empty() ? "no bridge" : "a " + bridge_->link.kind);
            bridge_ = nullptr;
            return;
        }
        if (!is_up(*bridge_)) add(FindingCode::bridge_down, name, "its bridge ", name, " is down");
        bridge_addresses(name);
    }

    void bridge_addresses(const std::string& name) {
        std::vector<IpAddress> had;
        for (const auto& address : host_.addresses) {
            if (address.index != bridge_->link.index) continue;
            had.push_back(address.prefix.address());
            if (!is_given(address) || is_known_gateway(address.prefix.address())) continue;
            add(FindingCode::bridge_address_unknown, name, "its bridge ", name, " has ",
                address.prefix.to_string(), ", which ", engine(), " does not know");
        }
        for (const auto& subnet : network_.subnets)
            gateway(name, subnet, had);
    }

    void gateway(const std::string& name, const api::NetworkSubnet& subnet,
                 const std::vector<IpAddress>& had) {
        if (without_gateway(network_, subnet.subnet.address())) return;
        if (subnet.gateway) {
            if (std::ranges::count(had, *subnet.gateway) > 0) return;
            add(FindingCode::gateway_missing, name, "its bridge ", name,
                " does not have the gateway's address ", subnet.gateway->to_string());
            return;
        }
        // Docker gives its bridge an address of each subnet, and does not always say which.
        const bool any = std::ranges::any_of(
            had, [&](const IpAddress& address) { return subnet.subnet.contains(address); });
        if (network_.engine == api::Runtime::docker && !any) {
            add(FindingCode::gateway_missing, name, "its bridge ", name, " has no address in ",
                subnet.subnet.to_string());
        }
    }

    [[nodiscard]] bool is_known_gateway(const IpAddress& address) const {
        return std::ranges::any_of(network_.subnets, [&](const api::NetworkSubnet& subnet) {
            return subnet.gateway ? *subnet.gateway == address : subnet.subnet.contains(address);
        });
    }

    void parent() {
        const auto name = network_.parent.value_or("");
        if (name.empty()) return;
        const auto* link = find_link(host_, name);
        if (link == nullptr) {
            add(FindingCode::parent_missing, name, "its parent ", name, " does not exist on the host");
        } else if (!is_up(*link)) {
            add(FindingCode::parent_down, name, "its parent ", name, " is down");
        }
    }

    void member(const api::NetworkMember& member, const MemberState& state) {
        const auto& name = member.name;
        if (state.elsewhere) return;
        if (!state.known) {
            return add(FindingCode::member_unknown, name, engine(), " names ", name,
                       " as a member, but netlab knows no such running container");
        }
        if (state.in == nullptr) {
            return add(FindingCode::member_unreadable, name, "the network namespace of ", name,
                       " cannot be read: ", state.unreadable);
        }
        if (state.interface == nullptr) {
            return add(FindingCode::interface_missing, name, name, " has no interface with ",
                       member.addresses.empty() ? "the MAC address " + member.mac
                                                : member.addresses.front().address().to_string(),
                       member.addresses.empty() || member.mac.empty() ? "" : " or " + member.mac);
        }
        const auto& interface = *state.interface;
        if (!is_up(interface))
            add(FindingCode::interface_down, name, interface.link.name, " of ", name, " is down");
        const auto mac = interface.link.mac ? interface.link.mac->to_string() : std::string();
        if (!member.mac.empty() && mac != member.mac) {
            add(FindingCode::mac_differs, name, interface.link.name, " of ", name, " has the MAC address ",
                mac, ", and ", engine(), " says ", member.mac);
        }
        addresses(member, *state.in, interface);
        if (bridge_ != nullptr && interface.link.kind == "veth") port(member, state);
    }

    void addresses(const api::NetworkMember& member, const NamespaceState& in, const LinkDetails& interface) {
        const auto& name = member.name;
        for (const auto& wanted : member.addresses) {
            const auto found = std::ranges::find_if(in.addresses, [&](const kernel::Address& address) {
                return address.index == interface.link.index && address.prefix.address() == wanted.address();
            });
            if (found == in.addresses.end()) {
                add(FindingCode::address_missing, name, interface.link.name, " of ", name, " does not have ",
                    wanted.to_string());
            } else if (found->prefix.length() != wanted.length()) {
                add(FindingCode::prefix_differs, name, interface.link.name, " of ", name, " has ",
                    found->prefix.to_string(), ", and ", engine(), " says ", wanted.to_string());
            }
        }
        for (const auto& address : in.addresses) {
            if (address.index != interface.link.index || !is_given(address)) continue;
            const bool known = std::ranges::any_of(member.addresses, [&](const IpPrefix& wanted) {
                return wanted.address() == address.prefix.address();
            });
            if (known) continue;
            add(FindingCode::address_unknown, name, interface.link.name, " of ", name, " has ",
                address.prefix.to_string(), ", which ", engine(), " does not know");
        }
    }

    void port(const api::NetworkMember& member, const MemberState& state) {
        const auto& name = member.name;
        const auto& own = state.interface->link.name;
        const auto& bridge = bridge_->link.name;
        const auto* port = state.port ? find_link(host_, *state.port) : nullptr;
        if (port == nullptr) {
            return add(FindingCode::port_missing, name, "the other end of ", own, " of ", name,
                       " is not on the host");
        }
        const auto at = port->link.name + ", the other end of " + own + " of " + name + ",";
        if (port->link.master != bridge_->link.index) {
            const auto* master = find_link(host_, port->link.master);
            return add(FindingCode::port_detached, name, at, " is no port of ", bridge,
                       master != nullptr ? " but of " + master->link.name : std::string());
        }
        if (!is_up(*port)) return add(FindingCode::port_down, name, at, " is down");
        if (port->bridge_port && is_up(*bridge_) && is_up(*state.interface) &&
            port->bridge_port->state != BR_STATE_FORWARDING) {
            add(FindingCode::port_blocked, name, at, " is ",
                kernel::port_state_name(port->bridge_port->state), " on ", bridge);
        }
    }

    void strange_ports(const std::vector<MemberState>& members) {
        std::vector<const LinkDetails*> strange;
        for (const auto& link : host_.links) {
            if (link.link.master != bridge_->link.index) continue;
            const bool known = std::ranges::any_of(
                members, [&](const MemberState& member) { return member.port == link.link.index; });
            if (!known) strange.push_back(&link);
        }
        // Some of them, and nobody can say which, lead to the members that are elsewhere.
        if (std::ssize(strange) <= std::ranges::count(members, true, &MemberState::elsewhere)) return;
        for (const auto* link : strange)
            add(FindingCode::port_unknown, link->link.name, link->link.name, " is a port of its bridge ",
                bridge_->link.name, ", and no member is behind it");
    }

    const api::NetworkRow& network_;
    const NamespaceState& host_;
    const LinkDetails* bridge_ = nullptr;
    std::vector<Finding> findings_;
};

}  // namespace

const LinkDetails* find_link(const NamespaceState& state, std::string_view name) {
    const auto found = std::ranges::find(
        state.links, name, [](const LinkDetails& details) { return std::string_view(details.link.name); });
    return found == state.links.end() ? nullptr : &*found;
}

const LinkDetails* find_link(const NamespaceState& state, std::uint32_t index) {
    const auto found =
        std::ranges::find(state.links, index, [](const LinkDetails& details) { return details.link.index; });
    return found == state.links.end() ? nullptr : &*found;
}

const LinkDetails* find_interface(const api::NetworkMember& member, const NamespaceState& state) {
    for (const auto& wanted : member.addresses) {
        for (const auto& address : state.addresses) {
            if (address.prefix.address() == wanted.address()) return find_link(state, address.index);
        }
    }
    for (const auto& details : state.links) {
        if (details.link.mac && details.link.mac->to_string() == member.mac) return &details;
    }
    return nullptr;
}

bool can_be_checked(const api::NetworkRow& network) {
    // Podman makes the bridge with the first member and removes it with the last.
    if (network.engine == api::Runtime::podman && network.members.empty()) return false;
    if (network.driver == "bridge") return network.bridge.has_value();
    return network.driver == "macvlan" || network.driver == "ipvlan";
}

std::vector<Finding> check_network(const api::NetworkRow& network, const NamespaceState& host,
                                   const std::vector<MemberState>& members) {
    return Check(network, host).run(members);
}

}  // namespace netlab::operations
