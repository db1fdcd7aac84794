#include "daemon/kernel/interface_settings.hpp"
#include "tests/support/catch.hpp"
#include "tests/unit/ports_case.hpp"

#include <cerrno>

using namespace netlab;
using namespace netlab::operations;
using namespace netlab::operations::ports_case;
using api::PortVerdict;
using kernel::PacketRule;
using kernel::RuleAction;

TEST_CASE("ports: a rule for some clients alone is no verdict on all", "[unit]") {
    Stage stage;
    auto& rules = stage.host.rules.v4.chains[1].rules;
    // A filter of bogons has the documentation networks in it.
    for (const auto* bogon : {"203.0.113.0/24", "192.0.2.0/24", "198.51.100.0/24"})
        rules.push_back(of_source(bogon, RuleAction::drop));
    auto row = stage.judge();
    CHECK(row.verdict == PortVerdict::works);
    REQUIRE(row.notes.size() == 3);
    CHECK(has_note(row,
                   "not for clients in 203.0.113.0/24: what they send to 172.17.0.2:80 is dropped by "
                   "ip filter FORWARD handle 30: ip saddr 203.0.113.0/24 drop"));
    // What is dropped of the answers is dropped for them.
    rules = {of_source("10.0.0.0/8", RuleAction::drop)};
    std::swap(rules[0].source, rules[0].destination);
    row = stage.judge();
    CHECK(row.verdict == PortVerdict::works);
    CHECK(has_note(row, "not for clients in 10.0.0.0/8: what co1 answers from 172.17.0.2:80 is dropped by"));
}

TEST_CASE("ports: where rules let only some clients in, the others are told", "[unit]") {
    Stage stage;
    auto& rules = stage.host.rules.v4.chains[1].rules;
    rules = {of_source("10.0.0.0/8", RuleAction::drop, true)};
    rules[0].input = {"eth0", false};
    auto row = stage.judge();
    CHECK(row.verdict == PortVerdict::blocked);
    CHECK(
        row.explanation.ends_with("ip saddr != 10.0.0.0/8 drop; only clients in 10.0.0.0/8 pass (ip filter "
                                  "FORWARD handle 30: iifname \"eth0\" ip saddr != 10.0.0.0/8 drop)"));
    PacketRule drop;
    drop.input = {"eth0", false};
    drop.action = RuleAction::drop;
    rules = {of_source("10.1.0.0/16", RuleAction::drop), of_source("10.0.0.0/8", RuleAction::accept), drop};
    row = stage.judge();
    CHECK(row.verdict == PortVerdict::blocked);
    CHECK(row.explanation.ends_with(
        "; only clients in 10.0.0.0/8 pass (ip filter FORWARD handle 30: ip saddr 10.0.0.0/8 accept)"));
    // The host's own containers are no clients from outside.
    rules = {of_source("172.17.0.0/16", RuleAction::accept), drop};
    CHECK(stage.judge().explanation.find("only clients") == std::string::npos);
}

TEST_CASE("ports: a client whom nothing names is nobody that a route names", "[unit]") {
    Stage stage;
    stage.avoided_networks = {"203.0.113.0/24", "192.0.2.0/24", "0.0.0.0/0"};
    IpAddress asked;
    stage.host.route = [&](const kernel::PacketFacts& packet) {
        if (packet.input == "eth0") asked = packet.source;
        return HostRoute{true, 0, false, packet.input == "eth0" ? "docker0" : "eth0"};
    };
    CHECK(stage.judge().verdict == PortVerdict::works);
    CHECK(asked == address("198.51.100.77"));
    // Where all have a word said for them it is one of the largest network.
    ClientNetworks networks;
    for (const auto* half : {"0.0.0.0/1", "128.0.0.0/1", "203.0.113.0/24"})
        networks.add(*IpPrefix::parse(half));
    CHECK(networks.anybody(Family::ipv4) == address("192.0.2.1"));
    CHECK(ClientNetworks(&networks).anybody(Family::ipv4) == address("192.0.2.1"));
}

TEST_CASE("ports: the interface that an answer comes in by must forward, too", "[unit]") {
    Stage stage;
    stage.host.way = [](const IpAddress&) {
        HostWay way{"docker0", false, {}, true};
        way.forwards = false;
        way.forwarding = "net.ipv4.conf.docker0.forwarding";
        return way;
    };
    const auto row = stage.judge();
    CHECK(row.verdict == PortVerdict::blocked);
    CHECK(row.explanation ==
          "the host does not forward what comes in by docker0: net.ipv4.conf.docker0.forwarding is 0");
    CHECK(row.suggestion == "sysctl -w net.ipv4.conf.docker0.forwarding=1");
    kernel::InterfaceSettings settings;
    settings.all_forwarding = true;
    CHECK(kernel::forwarding_sysctl(Family::ipv4, settings, "eth0.7") == "net.ipv4.conf.eth0/7.forwarding");
    settings.all_forwarding = false;
    CHECK(kernel::forwarding_sysctl(Family::ipv4, settings, "docker0") == "net.ipv4.ip_forward");
    CHECK(kernel::forwarding_sysctl(Family::ipv6, settings, "docker0") == "net.ipv6.conf.all.forwarding");
}

TEST_CASE("ports: the host's policy rules are asked of the packet and of its answer", "[unit]") {
    Stage stage;
    HostRoute refused{true, EINVAL, false, {}, {"5: from 172.17.0.0/16 blackhole", "ip rule del pref 5"}};
    const HostRoute in{true, 0, false, "docker0"};
    HostRoute back = refused;
    stage.host.route = [&](const kernel::PacketFacts& packet) { return packet.input == "eth0" ? in : back; };
    auto row = stage.judge();
    CHECK(row.verdict == PortVerdict::blocked);
    CHECK(row.explanation.find("does not send on what co1 answers from 172.17.0.2:80") != std::string::npos);
    CHECK(row.explanation.ends_with("5: from 172.17.0.0/16 blackhole"));
    CHECK(row.suggestion == "ip rule del pref 5");
    back = {true, 0, false, "wg0"};
    CHECK(stage.judge().verdict == PortVerdict::unknown);
    back = {true, 0, false, "eth0"};
    CHECK(stage.judge().verdict == PortVerdict::works);
}

TEST_CASE("ports: a next hop that may not get the answer makes it unknown", "[unit]") {
    Stage stage;
    HostRoute way{true};
    way.output = "docker0";
    HostRoute back{true};
    back.output = "eth0";
    stage.host.route = [&](const kernel::PacketFacts& packet) {
        if (packet.destination == address("172.17.0.2")) return way;
        HostRoute local{true};
        local.local = true;
        return packet.destination == address("198.51.100.2") ? local : back;
    };
    CHECK(stage.judge().verdict == PortVerdict::works);
    back.hop = Hindrance{{"it is sent to nobody", "look"}, false};
    auto row = stage.judge();
    CHECK(row.verdict == PortVerdict::unknown);
    CHECK(row.explanation.starts_with("what co1 answers from 172.17.0.2:80 may not get on: it is sent"));
    CHECK(row.suggestion == "look");
    back.hop->certain = true;
    CHECK(stage.judge().verdict == PortVerdict::blocked);
}

TEST_CASE("ports: whom no router serves is told from whom one does", "[unit]") {
    Stage stage;
    stage.links = {"198.51.100.0/24"};
    HostRoute beyond{true};
    beyond.error = ENETUNREACH;
    stage.host.route = [&](const kernel::PacketFacts& packet) {
        HostRoute out{true};
        out.local = packet.destination == address("198.51.100.2");
        out.output = packet.destination == address("172.17.0.2") ? "docker0" : "eth0";
        return packet.destination == address("203.0.113.1") ? beyond : out;
    };
    auto row = stage.judge();
    CHECK(row.verdict == PortVerdict::blocked);
    CHECK(row.explanation.ends_with("Network is unreachable; only clients in 198.51.100.0/24 pass"));
    CHECK(row.suggestion == "netlab routes host");
    beyond.error = 0;
    beyond.output = "eth0";
    beyond.hop = Hindrance{{"nobody knows", ""}, false};
    row = stage.judge();
    CHECK(row.verdict == PortVerdict::unknown);
    CHECK(row.explanation.ends_with("nobody knows; clients in 198.51.100.0/24 pass"));
}

TEST_CASE("ports: neighbours that rules keep apart are told behind what stops the packet", "[unit]") {
    Stage stage;
    stage.undiscovered = Hindrance{{"ARP is dropped", "let it in"}, true};
    CHECK(stage.judge().verdict == PortVerdict::blocked);
    CHECK(stage.judge().explanation == "ARP is dropped");
    stage.undiscovered->certain = false;
    CHECK(stage.judge().verdict == PortVerdict::unknown);
    stage.host.rules.v4.chains.back().drops = true;
    CHECK(stage.judge().verdict == PortVerdict::blocked);
    CHECK(stage.judge().explanation != "ARP is dropped");
}
