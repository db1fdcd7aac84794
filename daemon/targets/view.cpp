#include "daemon/targets/view.hpp"

#include "daemon/targets/names.hpp"

#include <algorithm>

namespace netlab::targets {

namespace {

/// The launcher's messages hold no longer one.
constexpr std::size_t longest_path = 255;

bool has_address(const api::InterfaceFacts& interface, const IpAddress& address) {
    return std::ranges::any_of(interface.addresses,
                               [&](const IpPrefix& prefix) { return prefix.address() == address; });
}

/// The engine does not know the interface's name: it is the one with a membership's address, else with its
/// MAC address.
void name_interface(api::Membership& network, const std::vector<api::InterfaceFacts>& interfaces) {
    const auto owns = [&](const api::InterfaceFacts& interface) {
        return std::ranges::any_of(network.addresses, [&](const IpPrefix& prefix) {
            return has_address(interface, prefix.address());
        });
    };
    auto found = std::ranges::find_if(interfaces, owns);
    if (found == interfaces.end() && !network.mac.empty()) {
        found = std::ranges::find(interfaces, network.mac, &api::InterfaceFacts::mac);
    }
    if (found != interfaces.end()) network.interface = found->name;
}

std::vector<api::Membership> memberships(const std::vector<api::InterfaceFacts>& interfaces) {
    std::vector<api::Membership> out;
    for (const auto& interface : interfaces) {
        if (interface.loopback || interface.port || interface.addresses.empty()) continue;
        auto& network = out.emplace_back();
        network.interface = interface.name;
        network.addresses = interface.addresses;
        network.mac = interface.mac;
        std::ranges::stable_sort(network.addresses, {},
                                 [](const IpPrefix& p) { return p.address().family(); });
    }
    return out;
}

View view_without_engine(const api::NamespaceRecord& record) {
    View view;
    view.target.state = api::State::running;
    view.target.namespace_ = api::Namespace{record.device, record.inode, {}};
    view.target.networks = memberships(record.interfaces);
    auto& reference = view.reference.emplace();
    reference.device = record.device;
    reference.inode = record.inode;
    return view;
}

}  // namespace

bool is_running(const api::Target& target) {
    return (target.state == api::State::running || target.state == api::State::paused) && target.pid > 0;
}

std::string_view joined_container(const api::Target& target) {
    constexpr std::string_view prefix = "container:";
    const std::string_view mode = target.network_mode;
    return mode.starts_with(prefix) ? mode.substr(prefix.size()) : std::string_view();
}

NamespaceReference reference_of(const api::ContainerRecord& record, const api::NamespaceRecord* facts) {
    NamespaceReference reference;
    const auto& path = record.sandbox_path;
    // On the host's network Docker says …/netns/default, which is bound to whatever namespace the engine
    // lives in.
    const bool own_path = path.starts_with('/') && path.size() <= longest_path &&
                          !path.ends_with("/default") && path.find('\0') == path.npos &&
                          record.target.network_mode != "host" && joined_container(record.target).empty();
    reference.way = own_path ? Way::path : Way::process;
    if (own_path) reference.path = path;
    reference.pid = record.target.pid;
    if (facts != nullptr) {
        reference.start_time = facts->start_time;
        reference.device = facts->device;
        reference.inode = facts->inode;
    }
    return reference;
}

namespace {

/// It runs in a namespace that the container it joined has no more: that one was restarted, stopped or
/// removed since.
bool is_left_behind(const api::ContainerRecord& record, const api::NamespaceRecord* facts,
                    const Owner& owner) {
    if (!is_running(record.target) || joined_container(record.target).empty()) return false;
    if (owner.record == nullptr || !is_running(owner.record->target)) return true;
    if (facts == nullptr || owner.facts == nullptr || facts->inode == 0 || owner.facts->inode == 0)
        return false;
    return facts->inode != owner.facts->inode || facts->device != owner.facts->device;
}

std::string left_behind(const api::ContainerRecord& record, const Owner& owner) {
    const std::string engine = record.target.runtime == api::Runtime::podman ? "podman" : "docker";
    if (owner.record == nullptr) {
        return "the container whose network namespace it joined is gone: make it anew";
    }
    const auto& name = owner.record->target.name;
    if (!is_running(owner.record->target)) {
        return "it joined the network namespace of " + name + ", which does not run: " + engine + " start " +
               name + ", then " + engine + " restart " + record.target.name;
    }
    return "it lives in the network namespace that " + name +
           " had before its restart, and has no network: " + engine + " restart " + record.target.name;
}

}  // namespace

View view_container(const api::ContainerRecord& record, const api::NamespaceRecord* facts,
                    const Owner& owner) {
    View view;
    auto& target = view.target = record.target;
    view.project = record.compose_project;
    view.service = record.compose_service;
    target.namespace_.reset();
    const bool left = is_left_behind(record, facts, owner);
    if (left) target.warning = left_behind(record, owner);
    if (target.networks.empty() && owner.record != nullptr && !left) {
        target.networks = owner.record->target.networks;
        view.borrowed = true;
    }
    if (!is_running(target)) return view;
    view.reference = reference_of(record, facts);
    if (facts == nullptr || facts->inode == 0) return view;
    target.namespace_ = api::Namespace{facts->device, facts->inode, {}};
    for (auto& network : target.networks)
        name_interface(network, facts->interfaces);
    return view;
}

View view_named(const api::NamespaceRecord& record) {
    auto view = view_without_engine(record);
    view.target.runtime = api::Runtime::netns;
    view.target.id = record.id;
    view.target.name = record.id.substr(record.id.rfind('/') + 1);
    view.reference->way = Way::path;
    view.reference->path = record.id;
    return view;
}

View view_host(const api::NamespaceRecord& record) {
    auto view = view_without_engine(record);
    view.target.runtime = api::Runtime::host;
    view.target.name = "host";
    view.reference->way = Way::host;
    return view;
}

}  // namespace netlab::targets
