#include "cli/render/target_table.hpp"

#include "common/described.hpp"

#include <algorithm>

namespace netlab::cli {

namespace {

using api::Membership;
using api::PublishedPort;
using api::State;
using api::Target;

constexpr std::size_t id_length = 12;  // as docker ps
constexpr std::size_t most_named = 3;

/// Of many only the first three and "7 more", where the table is to stay readable. Three and "1 more" would
/// be no shorter than four.
std::vector<std::string> few(std::vector<std::string> texts, bool wide) {
    if (wide || texts.size() <= most_named + 1) return texts;
    const auto more = texts.size() - most_named;
    texts.resize(most_named);
    texts.push_back(std::to_string(more) + " more");
    return texts;
}

Hue hue_of(State state) {
    switch (state) {
        case State::running:
            return Hue::good;
        case State::created:
        case State::exited:
            return Hue::faint;
        case State::paused:
        case State::restarting:
        case State::removing:
            return Hue::warning;
        case State::dead:
            return Hue::bad;
    }
    return Hue::plain;
}

/// "net 172.18.0.2": the address that a person thinks of first, which is the IPv4 one where there is one.
std::string short_membership(const Membership& membership) {
    std::string text = membership.name.empty() ? membership.interface : membership.name;
    if (!membership.addresses.empty()) text += " " + membership.addresses.front().address().to_string();
    return text;
}

std::string long_membership(const Membership& membership) {
    std::string text = membership.name;
    if (!membership.interface.empty()) text += (text.empty() ? "" : " ") + membership.interface;
    for (const auto& address : membership.addresses)
        text += " " + address.to_string();
    if (membership.gateway) text += " gw " + membership.gateway->to_string();
    if (membership.gateway_v6) text += " gw " + membership.gateway_v6->to_string();
    if (!membership.mac.empty()) text += " mac " + membership.mac;
    return text;
}

std::vector<std::string> network_texts(const Target& target, bool wide) {
    std::vector<std::string> texts;
    for (const auto& membership : target.networks) {
        texts.push_back(wide ? long_membership(membership) : short_membership(membership));
    }
    if (target.warning) texts.insert(texts.begin(), "! " + *target.warning);
    if (texts.empty() && (target.network_mode == "host" || target.network_mode == "none")) {
        texts.push_back(target.network_mode);
    }
    return few(std::move(texts), wide);
}

/// "4026532281, shared with co1, co2, 7 more".
std::vector<std::string> namespace_texts(const Target& target, bool wide) {
    if (!target.namespace_) return {};
    std::vector<std::string> texts = few(target.namespace_->shared_with, wide);
    if (!texts.empty()) texts.front().insert(0, "shared with ");
    const auto inode = target.namespace_->inode;
    texts.insert(texts.begin(), inode == 0 ? "unknown" : std::to_string(inode));
    return texts;
}

bool is_any(const PublishedPort& port, Family family) {
    return port.host_address && port.host_address->family() == family && port.host_address->is_unspecified();
}

/// The IPv6 twin of a port that is published on all IPv4 addresses too.
bool is_twin(const PublishedPort& port, std::span<const PublishedPort> ports) {
    if (!is_any(port, Family::ipv6)) return false;
    return std::ranges::any_of(ports, [&](const PublishedPort& other) {
        return is_any(other, Family::ipv4) && other.host_port == port.host_port &&
               other.container_port == port.container_port && other.protocol == port.protocol;
    });
}

bool follows(const PublishedPort& last, const PublishedPort& next) {
    return last.host_address == next.host_address && last.protocol == next.protocol &&
           last.host_port.has_value() == next.host_port.has_value() &&
           last.container_port + 1 == next.container_port &&
           (!last.host_port || *last.host_port + 1 == *next.host_port);
}

std::string range(std::uint16_t first, std::uint16_t last) {
    return first == last ? std::to_string(first) : std::to_string(first) + "-" + std::to_string(last);
}

std::string port_text(const PublishedPort& first, const PublishedPort& last) {
    std::string text;
    if (first.host_port) {
        if (first.host_address) {
            const auto address = first.host_address->to_string();
            text = (first.host_address->is_v6() ? "[" + address + "]" : address) + ":";
        }
        text += range(*first.host_port, last.host_port.value_or(*first.host_port)) + "->";
    }
    return text + range(first.container_port, last.container_port) + "/" + first.protocol;
}

}  // namespace

std::vector<std::string> port_texts(std::span<const PublishedPort> ports) {
    std::vector<PublishedPort> shown;
    std::ranges::copy_if(ports, std::back_inserter(shown),
                         [&](const auto& port) { return !is_twin(port, ports); });
    std::ranges::stable_sort(shown, {}, [](const PublishedPort& port) {
        return std::tuple(!port.host_port, port.host_address, port.protocol, port.container_port,
                          port.host_port);
    });
    std::vector<std::string> texts;
    for (std::size_t first = 0; first < shown.size();) {
        std::size_t last = first;
        while (last + 1 < shown.size() && follows(shown[last], shown[last + 1]))
            ++last;
        texts.push_back(port_text(shown[first], shown[last]));
        first = last + 1;
    }
    return texts;
}

Table target_table(std::span<const Target> targets, bool wide) {
    Table table;
    table.headings = {"NAME", "RUNTIME", "STATE", "NETWORKS", "PORTS", "NAMESPACE"};
    if (wide) table.headings.insert(table.headings.end(), {"ID", "PID", "IMAGE"});
    for (const auto& target : targets) {
        std::vector<Cell> row{
            target.name,
            std::string(described::enumerator_name(target.runtime)),
            Cell(std::string(described::enumerator_name(target.state)), hue_of(target.state)),
            network_texts(target, wide),
            port_texts(target.ports),
            namespace_texts(target, wide)};
        if (wide) {
            const bool engine =
                target.runtime == api::Runtime::docker || target.runtime == api::Runtime::podman;
            row.emplace_back(engine ? target.id.substr(0, id_length) : target.id);
            row.emplace_back(target.pid > 0 ? std::to_string(target.pid) : std::string());
            row.emplace_back(target.image);
        }
        table.rows.push_back(std::move(row));
    }
    return table;
}

}  // namespace netlab::cli
