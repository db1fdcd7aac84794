#pragma once

#include "daemon/operations/port_judgement.hpp"

#include <algorithm>
#include <string_view>

#include <arpa/inet.h>  // before the kernel's headers, which then leave out what it has
#include <linux/netfilter.h>

/// What the tests of `ports`' verdicts begin with.
namespace netlab::operations::ports_case {

inline IpAddress address(const char* text) {
    return *IpAddress::parse(text);
}

inline HeldListener listener(const char* at, std::uint16_t port, std::string process = "httpd",
                             std::int32_t pid = 7) {
    return {{address(at), port, {}, {}, {}, {}}, pid, std::move(process)};
}

inline HeldListener proxy(const char* at, std::uint16_t port, const char* to, std::uint16_t to_port) {
    auto out = listener(at, port, "docker-proxy", 99);
    out.to = api::Endpoint{address(to), to_port};
    return out;
}

inline kernel::PacketRule dnat(std::uint16_t port, const char* to, std::uint16_t to_port) {
    kernel::PacketRule rule;
    rule.handle = 11;
    rule.protocol = {IPPROTO_TCP, false};
    rule.destination_port = {{port, port}, false};
    rule.input = {"docker0", true};
    rule.action = kernel::RuleAction::dnat;
    rule.to_address = address(to);
    rule.to_port = to_port;
    return rule;
}

inline kernel::RuleChain prerouting(std::vector<kernel::PacketRule> rules) {
    return {false, "ip nat",         "PREROUTING", kernel::NftHook{NF_INET_PRE_ROUTING, -100},
            true,  std::move(rules), false};
}
inline kernel::RuleChain forward(std::vector<kernel::PacketRule> rules, bool drops) {
    return {false, "ip filter",      "FORWARD", kernel::NftHook{NF_INET_FORWARD, 0},
            false, std::move(rules), drops};
}

/// co1 (172.17.0.2) publishes 8080 as 80 on a host with Docker's rules and nothing else.
struct Stage {
    Stage() {
        target.name = "co1";
        target.state = api::State::running;
        host.rules.v4 = {{prerouting({dnat(8080, "172.17.0.2", 80)}), forward({}, false)}, true};
        host.rules.v6 = {{}, true};
        host.addresses = {address("198.51.100.2"), address("2001:db8:51::2"), address("172.17.0.1")};
        host.outside_v4 = {"eth0", address("198.51.100.2"), true};
        host.outside_v6 = {"eth0", address("2001:db8:51::2"), true};
        host.listeners.tcp = {proxy("0.0.0.0", 8080, "172.17.0.2", 80), proxy("::", 8080, "172.17.0.2", 80)};
        host.way = [](const IpAddress& to) {
            HostWay way{"docker0", false, {}, true};
            if (to == address("172.17.0.3")) way.owners = {"co2"};
            return way;
        };
        listeners.tcp = {listener("0.0.0.0", 80)};
        port = {address("0.0.0.0"), 8080, 80, "tcp"};
    }
    [[nodiscard]] api::PortRow judge() const {
        ContainerFacts container{target,
                                 {{address("172.17.0.2"), "eth0"}},
                                 listeners,
                                 own,
                                 [this](const kernel::PacketFacts& answer) {
                                     const RouteBack on_link{RouteBack::Kind::there, "eth0"};
                                     return answer.destination == address("172.17.0.1") ? on_link : back;
                                 }};
        ClientNetworks networks;
        networks.add(host.rules.v4.chains);
        for (const auto* avoided : avoided_networks)
            networks.add(*IpPrefix::parse(avoided));
        for (const auto* link : links)
            networks.add(*IpPrefix::parse(link), true);
        const auto is_outside = [](const IpAddress& one) {
            return !IpPrefix::parse("172.17.0.0/16")->contains(one) && one != address("198.51.100.2");
        };
        container.publisher = publisher;
        container.undiscovered = [this](const IpAddress&) { return undiscovered; };
        container.clients.v4 = networks.clients(Family::ipv4, is_outside, 16);
        return judge_port(host, container, port);
    }

    api::Target target;
    HostFacts host;
    HeldListeners listeners;
    RuleSet own{{{}, true}, {{}, true}};
    RouteBack back{RouteBack::Kind::there, "eth0"};
    api::PublishedPort port;
    std::vector<const char*> avoided_networks;
    std::vector<const char*> links;
    std::string publisher;
    std::optional<Hindrance> undiscovered;
};

inline kernel::PacketRule of_source(const char* prefix, kernel::RuleAction action, bool inverted = false) {
    kernel::PacketRule rule;
    rule.handle = 30;
    rule.source = {*IpPrefix::parse(prefix), inverted};
    rule.action = action;
    return rule;
}

inline bool has_note(const api::PortRow& row, std::string_view begin) {
    return std::ranges::any_of(row.notes, [&](const std::string& note) { return note.starts_with(begin); });
}

inline kernel::RuleChain filter(const char* name, std::uint32_t hook, std::vector<kernel::PacketRule> rules,
                                bool drops = false) {
    return {false, "ip filter", name, kernel::NftHook{hook, 0}, false, std::move(rules), drops};
}

}  // namespace netlab::operations::ports_case
