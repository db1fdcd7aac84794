#include "tests/support/catch.hpp"
#include "tests/unit/ports_case.hpp"

#include <algorithm>

using namespace netlab;
using namespace netlab::operations;
using namespace netlab::operations::ports_case;
using api::PortVerdict;
using kernel::PacketRule;
using kernel::RuleAction;
using kernel::RuleChain;

TEST_CASE("ports: the container's own rules and routes are looked at", "[unit]") {
    Stage stage;
    stage.target.pid = 4711;
    PacketRule drop;
    drop.handle = 5;
    drop.protocol = {IPPROTO_TCP, false};
    drop.destination_port = {{80, 80}, false};
    drop.action = RuleAction::drop;
    auto& chains = stage.own.v4.chains;
    chains = {{false, "ip filter", "INPUT", kernel::NftHook{NF_INET_LOCAL_IN, 0}, false, {drop}, false}};
    auto row = stage.judge();
    CHECK(row.verdict == PortVerdict::blocked);
    CHECK(row.explanation.starts_with(
        "what comes from outside for 172.17.0.2:80 is dropped in co1 by ip filter INPUT handle 5"));
    CHECK(row.suggestion == "nsenter --net=/proc/4711/ns/net nft delete rule ip filter INPUT handle 5");
    chains.front() = {false, "ip filter", "INPUT", kernel::NftHook{NF_INET_LOCAL_IN, 0}, false, {}, true};
    CHECK(stage.judge().explanation.find("the policy of ip filter INPUT") != std::string::npos);
    drop.more_conditions = true;
    chains.front() = {false, "ip filter", "INPUT", kernel::NftHook{NF_INET_LOCAL_IN, 0},
                      false, {drop},      false};
    CHECK(stage.judge().verdict == PortVerdict::unknown);

    drop.more_conditions = false;
    drop.destination_port.reset();
    drop.source_port = {{80, 80}, false};
    chains.front() = {false, "ip filter", "OUTPUT", kernel::NftHook{NF_INET_LOCAL_OUT, 0},
                      false, {drop},      false};
    row = stage.judge();
    CHECK(row.verdict == PortVerdict::blocked);
    CHECK(row.explanation.starts_with("what co1 answers from 172.17.0.2:80 is dropped in co1 by"));

    chains.clear();
    CHECK(stage.judge().verdict == PortVerdict::works);
    stage.back.kind = RouteBack::Kind::none;
    row = stage.judge();
    CHECK(row.verdict == PortVerdict::blocked);
    CHECK(row.explanation.starts_with("co1 has no IPv4 route to the outside"));
    // Whom the host gives an address of its own is on the container's network.
    PacketRule masquerade;
    masquerade.action = RuleAction::masquerade;
    stage.host.way = [](const IpAddress&) {
        return HostWay{"docker0", false, {}, true, {}, address("172.17.0.1")};
    };
    stage.host.rules.v4.chains.push_back({false,
                                          "ip nat",
                                          "POSTROUTING",
                                          kernel::NftHook{NF_INET_POST_ROUTING, 100},
                                          true,
                                          {masquerade},
                                          false});
    CHECK(stage.judge().verdict == PortVerdict::works);
    stage.host.rules.v4.chains.pop_back();
    stage.back.kind = RouteBack::Kind::some;
    row = stage.judge();
    CHECK(row.verdict == PortVerdict::works);
    CHECK(row.notes.size() == 1);
    stage.back = {RouteBack::Kind::there, "eth1", {}, false};
    row = stage.judge();
    CHECK(row.verdict == PortVerdict::unknown);
    CHECK(row.explanation.starts_with("co1 answers the outside by eth1, past the host"));
    stage.back = {RouteBack::Kind::there, "eth0"};

    // A policy that lets answers out by another interface only drops them for certain.
    PacketRule by_loopback;
    by_loopback.output = {"lo", false};
    by_loopback.action = RuleAction::accept;
    chains = {
        {false, "ip filter", "OUTPUT", kernel::NftHook{NF_INET_LOCAL_OUT, 0}, false, {by_loopback}, true}};
    CHECK(stage.judge().verdict == PortVerdict::blocked);
    chains.clear();
    stage.own.v4.known = false;
    CHECK(stage.judge().verdict == PortVerdict::unknown);
}

TEST_CASE("ports: what a process of the host's carries meets the container's rules too", "[unit]") {
    Stage stage;
    stage.host.rules.v4.chains.front() = prerouting({});
    stage.host.way = [](const IpAddress&) {
        return HostWay{"docker0", false, {}, true, {}, address("172.17.0.1")};
    };
    CHECK(stage.judge().verdict == PortVerdict::works);
    PacketRule drop;
    drop.handle = 5;
    drop.source = {*IpPrefix::parse("172.17.0.1/32"), false};
    drop.action = RuleAction::drop;
    stage.own.v4.chains = {
        {false, "ip filter", "INPUT", kernel::NftHook{NF_INET_LOCAL_IN, 0}, false, {drop}, false}};
    CHECK(stage.judge().verdict == PortVerdict::blocked);
}

TEST_CASE("ports: behind a redirection of the container's own its rules see the new port", "[unit]") {
    Stage stage;
    stage.listeners.tcp = {listener("0.0.0.0", 8000)};
    PacketRule redirect;
    redirect.handle = 3;
    redirect.protocol = {IPPROTO_TCP, false};
    redirect.destination_port = {{80, 80}, false};
    redirect.action = RuleAction::dnat;
    redirect.to_address = address("172.17.0.2");
    redirect.to_port = 8000;
    PacketRule accept;
    accept.handle = 4;
    accept.flow = {kernel::flow_has_dnat, false};
    accept.action = RuleAction::accept;
    const RuleChain input{false, "ip filter", "INPUT", kernel::NftHook{NF_INET_LOCAL_IN, 0},
                          false, {accept},    true};
    stage.own.v4.chains = {prerouting({redirect}), input};
    CHECK(stage.judge().verdict == PortVerdict::works);
    PacketRule drop;
    drop.handle = 5;
    drop.destination_port = {{8000, 8000}, false};
    drop.action = RuleAction::drop;
    stage.own.v4.chains[1] = {false, "ip filter", "INPUT", kernel::NftHook{NF_INET_LOCAL_IN, 0},
                              false, {drop},      false};
    CHECK(stage.judge().explanation.find("for 172.17.0.2:8000 is dropped in co1 by ip filter INPUT") !=
          std::string::npos);
    // An answer is of the same flow.
    stage.own.v4.chains[1] = {false, "ip filter", "OUTPUT", kernel::NftHook{NF_INET_LOCAL_OUT, 0},
                              false, {accept},    true};
    CHECK(stage.judge().verdict == PortVerdict::works);

    // What stops it on the host comes before a rule there that is not understood.
    stage.own.v4.chains = {prerouting({redirect})};
    stage.own.v4.chains[0].rules[0].more_conditions = true;
    CHECK(stage.judge().verdict == PortVerdict::unknown);
    stage.host.way = [](const IpAddress&) { return HostWay{"eth0", false, {}, true, "docker0"}; };
    CHECK(stage.judge().explanation == "the host's interface docker0, which leads to 172.17.0.2, is down");

    // And what is certain there before what on the host is not understood.
    const Stage plain;
    stage.host.way = plain.host.way;
    stage.own.v4.chains[0].rules[0].more_conditions = false;
    stage.own.v4.chains[0].rules[0].to_address = address("192.0.2.9");
    PacketRule doubtful = drop;
    doubtful.destination_port.reset();
    doubtful.more_conditions = true;
    stage.host.rules.v4.chains[1] = forward({doubtful}, false);
    CHECK(stage.judge().verdict == PortVerdict::shadowed);
}

TEST_CASE("ports: with a redirection in the container Docker's own rule is still known", "[unit]") {
    Stage stage;
    PacketRule away;
    away.handle = 9;
    away.action = RuleAction::accept;
    stage.host.rules.v4.chains[0].rules.insert(stage.host.rules.v4.chains[0].rules.begin(), away);
    PacketRule redirect;
    redirect.handle = 3;
    redirect.protocol = {IPPROTO_TCP, false};
    redirect.destination_port = {{80, 80}, false};
    redirect.action = RuleAction::redirect;
    redirect.to_port = 8000;
    stage.own.v4.chains = {prerouting({redirect})};
    stage.listeners.tcp = {listener("0.0.0.0", 8000)};
    stage.host.way = [](const IpAddress&) {
        return HostWay{"docker0", false, {}, true, {}, address("172.17.0.1")};
    };
    const auto row = stage.judge();
    CHECK(row.verdict == PortVerdict::works);
    CHECK(row.to->port == 8000);
    CHECK(std::ranges::any_of(row.notes, [](const std::string& note) {
        return note.find("is there (ip nat PREROUTING handle 11), but a rule before it") != note.npos;
    }));
}

TEST_CASE("ports: what sees frames inside the container is looked at", "[unit]") {
    Stage stage;
    PacketRule drop;
    drop.handle = 4;
    drop.protocol = {IPPROTO_TCP, false};
    drop.destination_port = {{80, 80}, false};
    drop.action = RuleAction::drop;
    kernel::NftHook hook{0, 0};
    hook.devices = {"eth0"};
    stage.own.v4.frames = {{false, "netdev t", "in", hook, false, {drop}, false}};
    const auto row = stage.judge();
    CHECK(row.verdict == PortVerdict::blocked);
    CHECK(row.explanation.find("in co1 by netdev t in handle 4") != std::string::npos);
}
