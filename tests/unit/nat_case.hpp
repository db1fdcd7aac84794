#pragma once

#include "daemon/operations/nat_judgement.hpp"
#include "tests/support/catch.hpp"

#include <functional>

#include <arpa/inet.h>  // before the kernel's headers, which then leave out what it has
#include <linux/netfilter.h>
#include <linux/netfilter_bridge.h>

/// One way out of a host, as rules are added to it.
namespace netlab::operations::nat_case {

using api::NatVerdict;
using kernel::PacketRule;
using kernel::RuleAction;
using kernel::RuleChain;

inline IpAddress address(const char* text) {
    return *IpAddress::parse(text);
}

inline PacketRule rule(std::uint64_t handle, RuleAction action) {
    PacketRule out;
    out.handle = handle;
    out.action = action;
    return out;
}

inline PacketRule towards(const char* interface, std::uint64_t handle = 30) {
    auto out = rule(handle, RuleAction::drop);
    out.output = {interface, false};
    return out;
}

inline PacketRule of_flow(std::uint32_t state, std::uint64_t handle = 31) {
    auto out = rule(handle, RuleAction::drop);
    out.flow = {state, false};
    return out;
}

inline RuleChain chain(const char* table, const char* name, std::uint32_t hook, std::int32_t priority,
                       std::vector<PacketRule> rules) {
    return {false, table, name, kernel::NftHook{hook, priority}, false, std::move(rules), false};
}

inline RuleChain on_device(const char* device, std::uint32_t hook, std::vector<PacketRule> rules) {
    auto out = chain("netdev t", "c", hook, 0, std::move(rules));
    out.hook->devices = {device};
    return out;
}

inline RuleChain nat_chain(const char* name, std::uint32_t hook, std::int32_t priority,
                           std::vector<PacketRule> rules) {
    auto out = chain("ip nat", name, hook, priority, std::move(rules));
    out.nat = true;
    return out;
}

inline RuleChain masquerade() {
    auto out = rule(3, RuleAction::masquerade);
    out.source = {*IpPrefix::parse("172.18.0.0/16"), false};
    return nat_chain("POSTROUTING", NF_INET_POST_ROUTING, 100, {out});
}

/// co1's way by br-1 and eth0, which MASQUERADE translates.
struct Case {
    api::Target co1;
    FamilyRules host{{masquerade()}, true};
    FamilyRules own{{}, true};
    WayOut way{address("172.18.0.2"),
               address("203.0.113.8"),
               "br-1",
               "eth0",
               address("198.51.100.2"),
               true,
               {},
               true};

    explicit Case(const std::function<void(Case&)>& with = {}) {
        co1.name = "co1";
        co1.pid = 77;
        way.bridged = true;
        way.port = "veth1";
        way.network = *IpPrefix::parse("172.18.0.2/16");
        way.target = &co1;
        way.interface = "eth0";
        way.own_rules = &own;
        if (with) with(*this);
    }
    Case(const Case&) = delete;
    Case& operator=(const Case&) = delete;

    [[nodiscard]] api::NatOutRow judged() const {
        api::NatOutRow row;
        judge_way_out(host, way, row);
        return row;
    }
};

inline Case with_host_chain(RuleChain more) {
    return Case([&](Case& one) { one.host.chains.push_back(std::move(more)); });
}

inline Case with_frames(RuleChain more) {
    return Case([&](Case& one) { one.host.frames.push_back(std::move(more)); });
}

inline Case with_own_chain(RuleChain more) {
    return Case([&](Case& one) { one.own.chains.push_back(std::move(more)); });
}

}  // namespace netlab::operations::nat_case
