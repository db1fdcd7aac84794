#include "daemon/operations/network_facts.hpp"

#include <algorithm>
#include <string_view>

namespace netlab::operations {

namespace {

using api::Runtime;

constexpr std::string_view container_mode = "container:";

bool has(const std::vector<std::string>& names, const std::string& name) {
    return std::ranges::find(names, name) != names.end();
}

}  // namespace

std::string list_and(std::span<const std::string> words) {
    std::string text;
    for (std::size_t i = 0; i < words.size(); ++i) {
        if (i > 0) text += i + 1 == words.size() ? " and " : ", ";
        text += words[i];
    }
    return text;
}

bool is_container(const api::Target& target) {
    return target.runtime == Runtime::docker || target.runtime == Runtime::podman;
}

bool is_running(const api::Target& target) {
    return target.state == api::State::running || target.state == api::State::paused;
}

std::string engine_name(Runtime runtime) {
    if (runtime == Runtime::docker) return "Docker";
    return runtime == Runtime::podman ? "Podman" : "";
}

std::string engine_command(Runtime runtime) {
    if (runtime == Runtime::docker) return "docker";
    return runtime == Runtime::podman ? "podman" : "";
}

std::string default_network(Runtime runtime) {
    if (runtime == Runtime::docker) return "bridge";
    return runtime == Runtime::podman ? "podman" : "";
}

std::vector<std::string> network_names(const api::Target& target) {
    std::vector<std::string> names;
    for (const auto& network : target.networks) {
        if (!network.name.empty() && !has(names, network.name)) names.push_back(network.name);
    }
    return names;
}

std::vector<std::string> user_networks(const api::Target& target) {
    auto names = network_names(target);
    std::erase_if(names, [&](const std::string& name) {
        return name == default_network(target.runtime) || name == "host" || name == "none";
    });
    return names;
}

std::vector<std::string> shared_networks(const api::Target& a, const api::Target& b) {
    if (a.runtime != b.runtime || !is_container(a)) return {};
    auto names = network_names(a);
    const auto others = network_names(b);
    std::erase_if(names, [&](const std::string& name) { return !has(others, name) || name == "none"; });
    return names;
}

std::string where_it_is(const api::Target& target) {
    const auto& name = target.name;
    switch (target.runtime) {
        case Runtime::netns:
            return name + " is a named namespace";
        case Runtime::pid:
            return name + " is a process";
        case Runtime::host:
            return "the host is no container";
        default:
            break;
    }
    if (target.network_mode == "host") return name + " is on the host's network";
    if (target.network_mode == "none") return name + " has no network (its mode is none)";
    const auto networks = network_names(target);
    if (!networks.empty()) return name + " is on " + list_and(networks);
    if (shares_namespace(target)) {
        const auto& shared = target.namespace_ ? target.namespace_->shared_with : std::vector<std::string>{};
        if (!shared.empty()) return name + " lives in the network namespace of " + list_and(shared);
        return name + " lives in another container's network namespace";
    }
    return name + " is on no network";
}

std::string on_network(const api::Target& target, const IpAddress& address) {
    for (const auto& membership : target.networks) {
        const bool holds = std::ranges::any_of(
            membership.addresses, [&](const IpPrefix& prefix) { return prefix.contains(address); });
        if (holds && !membership.name.empty()) return " on " + membership.name;
        if (holds && !membership.interface.empty()) return " on " + membership.interface;
    }
    return {};
}

bool are_on_networks(const api::Target& from, const api::Target& peer) {
    return is_container(from) && is_container(peer) && !from.networks.empty() && !peer.networks.empty() &&
           from.network_mode != "host" && peer.network_mode != "host";
}

std::optional<Explanation> explain_apart(const api::Target& from, const api::Target& peer) {
    if (!are_on_networks(from, peer) || !shared_networks(from, peer).empty()) return std::nullopt;
    auto text = from.name + " and " + peer.name + " share no network: " + where_it_is(from) + ", " +
                where_it_is(peer);
    if (from.runtime == Runtime::docker && peer.runtime == Runtime::docker)
        text += ". Docker keeps its bridge networks apart";
    return Explanation{std::move(text), connect_command(from, peer)};
}

bool shares_namespace(const api::Target& target) {
    return target.network_mode.starts_with(container_mode);
}

std::string connect_command(const api::Target& from, const api::Target& peer) {
    // The networks of a container that lives in another's namespace are that one's; none of its own can be
    // added.
    const auto joinable = [](const api::Target& target) {
        return target.network_mode != "host" && target.network_mode != "none" && !shares_namespace(target);
    };
    if (from.runtime != peer.runtime || !is_container(from)) return {};
    const auto connect = [&](const std::string& network, const api::Target& target) {
        return engine_command(from.runtime) + " network connect " + network + " " + target.name;
    };
    const auto from_networks = user_networks(from);
    if (!from_networks.empty() && joinable(peer)) return connect(from_networks.front(), peer);
    const auto peer_networks = user_networks(peer);
    if (!peer_networks.empty() && joinable(from)) return connect(peer_networks.front(), from);
    if (!joinable(from) || !joinable(peer)) return {};
    return engine_command(from.runtime) + " network create shared && " + connect("shared", from) + " && " +
           connect("shared", peer);
}

}  // namespace netlab::operations
