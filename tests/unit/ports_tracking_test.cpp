#include "tests/support/catch.hpp"
#include "tests/unit/ports_case.hpp"

using namespace netlab;
using namespace netlab::operations;
using namespace netlab::operations::ports_case;
using api::CarrierKind;
using api::PortVerdict;
using kernel::PacketRule;
using kernel::RuleAction;

TEST_CASE("ports: a mark that a rule sets is not known behind it", "[unit]") {
    Stage stage;
    PacketRule sets;
    sets.sets_mark = true;
    PacketRule drops;
    drops.handle = 8;
    drops.mark = {{1, ~0U}, false};
    drops.action = RuleAction::drop;
    auto& chains = stage.host.rules.v4.chains;
    chains[1] = forward({drops}, false);
    CHECK(stage.judge().verdict == PortVerdict::works);
    chains[1] = forward({sets, drops}, false);
    CHECK(stage.judge().verdict == PortVerdict::unknown);
    // Also where another chain of an earlier hook does.
    chains[1] = forward({drops}, false);
    chains.push_back(
        {false, "ip mangle", "PREROUTING", kernel::NftHook{NF_INET_PRE_ROUTING, -150}, false, {sets}, false});
    const auto row = stage.judge();
    CHECK(row.verdict == PortVerdict::unknown);
    CHECK(row.explanation.find("ip filter FORWARD handle 8") != std::string::npos);
    // A policy rule may go by it.
    chains[1] = forward({}, false);
    CHECK(stage.judge().verdict == PortVerdict::works);
    stage.host.route = [](const kernel::PacketFacts& packet) {
        HostRoute route{true, 0, false, packet.input == "eth0" ? "docker0" : "eth0"};
        route.by_mark = "100: from all fwmark 0x1 prohibit";
        return route;
    };
    CHECK(stage.judge().explanation.find("100: from all fwmark 0x1 prohibit") != std::string::npos);
}

TEST_CASE("ports: what conntrack does not see is not translated", "[unit]") {
    Stage stage;
    PacketRule notrack;
    notrack.handle = 2;
    notrack.protocol = {IPPROTO_TCP, false};
    notrack.destination_port = {{8080, 8080}, false};
    notrack.untracks = true;
    auto& chains = stage.host.rules.v4.chains;
    chains.push_back(
        {false, "ip raw", "PREROUTING", kernel::NftHook{NF_INET_PRE_ROUTING, -300}, false, {notrack}, false});
    // docker-proxy takes what no rule translates.
    auto row = stage.judge();
    CHECK(row.verdict == PortVerdict::works);
    CHECK(row.carried_by.front().kind == CarrierKind::proxy);
    CHECK(
        has_note(row,
                 "Docker makes a DNAT rule for it, which is there (ip nat PREROUTING handle 11), but ip raw "
                 "PREROUTING handle 2 takes packets from conntrack"));
    auto& rule = chains.back().rules[0];
    rule.more_conditions = true;
    row = stage.judge();
    CHECK(row.verdict == PortVerdict::unknown);
    CHECK(row.explanation.find("ip raw PREROUTING handle 2 may take it from conntrack") != std::string::npos);
    // Nobody takes the answer of what was translated.
    rule.more_conditions = false;
    rule.destination_port.reset();
    rule.source_port = {{80, 80}, false};
    row = stage.judge();
    CHECK(row.verdict == PortVerdict::blocked);
    CHECK(row.explanation.find("ip raw PREROUTING handle 2 takes it from conntrack") != std::string::npos);
    CHECK(row.suggestion == "nft delete rule ip raw PREROUTING handle 2");
    // Behind conntrack it does nothing.
    for (const std::int32_t priority : {-190, 0}) {
        chains.back().hook->priority = priority;
        CHECK(stage.judge().verdict == PortVerdict::works);
    }
    chains.back().hook->priority = -200;
    CHECK(stage.judge().verdict == PortVerdict::unknown);
    chains.back().hook->priority = -300;
    // What a process carries needs no translation.
    chains.erase(chains.begin());
    CHECK(stage.judge().verdict == PortVerdict::works);
}

TEST_CASE("ports: what conntrack does not take for one flow is of none for the rules", "[unit]") {
    Stage stage;
    auto& chains = stage.host.rules.v4.chains;
    chains = {forward({}, false), filter("INPUT", NF_INET_LOCAL_IN, {}),
              filter("OUTPUT", NF_INET_LOCAL_OUT, {})};
    chains[2].hook->priority = -300;
    stage.host.way = [](const IpAddress&) {
        HostWay way{"docker0", false, {}, true};
        way.own = address("172.17.0.1");
        return way;
    };
    PacketRule established;
    established.flow = {kernel::flow_is_established, false};
    established.action = RuleAction::accept;
    PacketRule published;
    published.protocol = {IPPROTO_TCP, false};
    published.destination_port = {{8080, 8080}, false};
    published.action = RuleAction::accept;
    chains[1].rules = {established, published};
    chains[1].drops = true;
    CHECK(stage.judge().verdict == PortVerdict::works);
    // The container's answer to docker-proxy is of no flow then.
    PacketRule notrack;
    notrack.untracks = true;
    chains[2].rules = {notrack};
    auto row = stage.judge();
    CHECK(row.verdict == PortVerdict::blocked);
    CHECK(row.explanation.find("ip filter INPUT") != std::string::npos);
    CHECK(row.explanation.ends_with("it is of no flow for the rules because of ip filter OUTPUT: notrack"));
    notrack.more_conditions = true;
    chains[2].rules = {notrack};
    CHECK(stage.judge().verdict == PortVerdict::unknown);
}

TEST_CASE("ports: a zone of conntrack's that only the packet or only its answer has", "[unit]") {
    Stage stage;
    PacketRule zone;
    zone.handle = 2;
    zone.input = {"eth0", false};
    zone.zone = kernel::FlowZone{std::uint16_t{5}};
    auto& chains = stage.host.rules.v4.chains;
    chains.push_back(
        {false, "ip raw", "PREROUTING", kernel::NftHook{NF_INET_PRE_ROUTING, -300}, false, {zone}, false});
    auto row = stage.judge();
    CHECK(row.verdict == PortVerdict::blocked);
    CHECK(row.explanation ==
          "ip raw PREROUTING handle 2 gives what comes from outside another zone of conntrack's than its "
          "answers have, so that nothing leads those back: iifname \"eth0\" ct zone set 5");
    CHECK(row.suggestion == "nft delete rule ip raw PREROUTING handle 2");
    auto& rules = chains.back().rules;
    // Of both it is the same, or of what is sent alone (--zone-orig).
    rules[0].input.reset();
    CHECK(stage.judge().verdict == PortVerdict::works);
    rules[0].input = {"eth0", false};
    rules[0].zone = kernel::FlowZone{std::uint16_t{0}};
    CHECK(stage.judge().verdict == PortVerdict::works);
    rules[0].zone = kernel::FlowZone{};
    CHECK(stage.judge().verdict == PortVerdict::unknown);
    rules[0].zone = kernel::FlowZone{std::uint16_t{5}};
    rules[0].more_conditions = true;
    CHECK(stage.judge().verdict == PortVerdict::unknown);
    rules[0].more_conditions = false;
    rules[0].input = {"docker0", false};
    row = stage.judge();
    CHECK(row.verdict == PortVerdict::blocked);
    CHECK(row.explanation.find("gives its answers another zone") != std::string::npos);
    // Behind conntrack it does nothing.
    chains.back().hook->priority = -190;
    CHECK(stage.judge().verdict == PortVerdict::works);
}

TEST_CASE("ports: what follows the first packets may be dropped", "[unit]") {
    Stage stage;
    PacketRule first;
    first.flow = {kernel::flow_is_new, false};
    first.action = RuleAction::accept;
    PacketRule answers;
    answers.input = {"docker0", false};
    answers.action = RuleAction::accept;
    stage.host.rules.v4.chains[1] = forward({first, answers}, true);
    stage.host.rules.v4.chains[1].table = "inet fw";
    auto row = stage.judge();
    CHECK(row.verdict == PortVerdict::blocked);
    CHECK(row.explanation ==
          "what comes from outside for 172.17.0.2:80, behind the first packet, is dropped by the policy of "
          "inet fw FORWARD, as no rule accepts it");
    CHECK(row.suggestion == "nft add rule inet fw FORWARD ct state established,related accept");
    PacketRule data;
    data.handle = 5;
    data.tcp_flags = {{0x18, 0x3F}, false};
    data.action = RuleAction::drop;
    stage.host.rules.v4.chains[1] = forward({data}, false);
    CHECK(stage.judge().verdict == PortVerdict::blocked);
}
