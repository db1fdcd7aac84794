#include "daemon/kernel/interface_settings.hpp"
#include "daemon/operations/port_judgement.hpp"
#include "daemon/operations/proxy_processes.hpp"
#include "tests/support/catch.hpp"

#include <algorithm>
#include <cerrno>

#include <linux/netfilter.h>

using namespace netlab;
using namespace netlab::operations;
using api::CarrierClients;
using api::CarrierKind;
using api::PortVerdict;
using kernel::PacketRule;
using kernel::RuleAction;
using kernel::RuleChain;

namespace {

IpAddress address(const char* text) {
    return *IpAddress::parse(text);
}

HeldListener listener(const char* at, std::uint16_t port, std::string process = "httpd",
                      std::int32_t pid = 7) {
    return {{address(at), port, {}, {}, {}, {}}, pid, std::move(process)};
}

HeldListener proxy(const char* at, std::uint16_t port, const char* to, std::uint16_t to_port) {
    auto out = listener(at, port, "docker-proxy", 99);
    out.to = api::Endpoint{address(to), to_port};
    return out;
}

PacketRule dnat(std::uint16_t port, const char* to, std::uint16_t to_port) {
    PacketRule rule;
    rule.handle = 11;
    rule.protocol = {IPPROTO_TCP, false};
    rule.destination_port = {{port, port}, false};
    rule.input = {"docker0", true};
    rule.action = RuleAction::dnat;
    rule.to_address = address(to);
    rule.to_port = to_port;
    return rule;
}

RuleChain prerouting(std::vector<PacketRule> rules) {
    return {false, "ip nat",         "PREROUTING", kernel::NftHook{NF_INET_PRE_ROUTING, -100},
            true,  std::move(rules), false};
}
RuleChain forward(std::vector<PacketRule> rules, bool drops) {
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

PacketRule of_source(const char* prefix, RuleAction action, bool inverted = false) {
    PacketRule rule;
    rule.handle = 30;
    rule.source = {*IpPrefix::parse(prefix), inverted};
    rule.action = action;
    return rule;
}

bool has_note(const api::PortRow& row, std::string_view begin) {
    return std::ranges::any_of(row.notes, [&](const std::string& note) { return note.starts_with(begin); });
}

}  // namespace

TEST_CASE("ports: a rule for the outside and a proxy for localhost carry it", "[unit]") {
    const auto row = Stage().judge();
    CHECK(row.verdict == PortVerdict::works);
    CHECK(row.explanation.empty());
    REQUIRE(row.carried_by.size() == 2);
    CHECK(row.carried_by[0].kind == CarrierKind::dnat);
    CHECK(row.carried_by[0].clients == CarrierClients::outside);
    CHECK(row.carried_by[0].owner == "co1");
    CHECK(row.carried_by[1].kind == CarrierKind::proxy);
    CHECK(row.carried_by[1].clients == CarrierClients::localhost);
    CHECK(row.to == api::Endpoint{address("172.17.0.2"), 80});
    REQUIRE(row.listener);
    CHECK(row.listener->process == "httpd");
}

TEST_CASE("ports: what listens in the container decides", "[unit]") {
    Stage stage;
    stage.listeners.tcp = {};
    CHECK(stage.judge().verdict == PortVerdict::no_listener);
    stage.listeners.tcp = {listener("127.0.0.1", 80)};
    CHECK(stage.judge().verdict == PortVerdict::loopback_only);
    stage.listeners.tcp = {listener("0.0.0.0", 8000), listener("127.0.0.11", 40'001)};
    auto row = stage.judge();
    CHECK(row.verdict == PortVerdict::other_port);
    CHECK(row.listening == std::vector<std::uint16_t>{8000});
    stage.listeners.tcp = {listener("172.18.0.2", 80)};
    CHECK(stage.judge().verdict == PortVerdict::other_address);
    auto only_v6 = listener("::", 80);
    only_v6.listener.v6only = true;
    stage.listeners.tcp = {only_v6};
    CHECK(stage.judge().verdict == PortVerdict::other_family);
    auto full = listener("0.0.0.0", 80);
    full.listener.waiting = 6;
    full.listener.backlog = 5;
    stage.listeners.tcp = {full};
    CHECK(stage.judge().verdict == PortVerdict::queue_full);
}

TEST_CASE("ports: without the rule the proxy carries it, without both nothing does", "[unit]") {
    Stage stage;
    stage.host.rules.v4.chains = {};
    auto row = stage.judge();
    CHECK(row.verdict == PortVerdict::works);
    CHECK(row.notes.size() == 2);
    stage.host.listeners.tcp = {};
    row = stage.judge();
    CHECK(row.verdict == PortVerdict::not_carried);
    CHECK_FALSE(row.suggestion.empty());
    stage.host.listeners.tcp = {listener("0.0.0.0", 8080, "conmon")};
    CHECK(stage.judge().verdict == PortVerdict::not_carried);
    stage.host.listeners.tcp = {listener("0.0.0.0", 8080, "nginx")};
    row = stage.judge();
    CHECK(row.verdict == PortVerdict::shadowed);
    CHECK(row.explanation.find("nginx, PID 7 on the host,") != std::string::npos);
    stage.host.listeners.tcp[0].holder_known = false;
    CHECK(stage.judge().verdict == PortVerdict::unknown);
}

TEST_CASE("ports: a jump that is gone is not a rule that comes before", "[unit]") {
    Stage stage;
    PacketRule jump;
    jump.destination = {*IpPrefix::parse("127.0.0.0/8"), true};
    jump.action = RuleAction::jump;
    jump.chain = "DOCKER";
    const RuleChain output{false, "ip nat", "OUTPUT", kernel::NftHook{NF_INET_LOCAL_OUT, -100},
                           true,  {jump},   false};
    const RuleChain docker{false, "ip nat", "DOCKER", {}, false, {dnat(8080, "172.17.0.2", 80)}, false};
    auto& chains = stage.host.rules.v4.chains;
    chains = {prerouting({}), output, docker, forward({}, false)};
    auto row = stage.judge();
    CHECK(has_note(row,
                   "Docker makes a DNAT rule for it, which is there (ip nat DOCKER handle 11), but no rule "
                   "leads what comes in to that chain; iptables-nft -t nat -A PREROUTING -m addrtype"));
    // Of the chain that accepts it, too: "-o docker0 -j DOCKER" of FORWARD.
    PacketRule accept;
    accept.destination = {*IpPrefix::parse("172.17.0.2/32"), false};
    accept.action = RuleAction::accept;
    jump.destination.reset();
    chains = {prerouting({jump}),
              docker,
              forward({}, true),
              {false, "ip filter", "DOCKER", {}, false, {accept}, false}};
    row = stage.judge();
    // Of a chain that has been flushed one jump mends nothing.
    CHECK(row.suggestion.starts_with("systemctl restart docker"));
    auto users = jump;
    users.chain = "DOCKER-USER";
    chains[2].rules = {users};
    chains.push_back({false, "ip filter", "DOCKER-USER", {}, false, {}, false});
    std::swap(chains[3], chains[4]);
    row = stage.judge();
    CHECK(row.verdict == PortVerdict::blocked);
    CHECK(row.explanation.find("a rule of Docker's in DOCKER accepts it, and none leads it there") !=
          std::string::npos);
    CHECK(row.suggestion == "iptables-nft -t filter -A FORWARD -o docker0 -j DOCKER");
    chains.pop_back();
    CHECK(stage.judge().explanation.find("the rules may have been flushed") != std::string::npos);
}

TEST_CASE("ports: the rule that comes first decides, and whose address it leads to", "[unit]") {
    Stage stage;
    auto& rules = stage.host.rules.v4.chains[0].rules;
    rules.insert(rules.begin(), dnat(8080, "172.17.0.9", 80));
    auto row = stage.judge();
    CHECK(row.verdict == PortVerdict::shadowed);
    CHECK(row.explanation.ends_with("172.17.0.9:80, which nobody has"));
    CHECK(row.suggestion == "nft delete rule ip nat PREROUTING handle 11");
    rules[0].to_address = address("172.17.0.3");
    row = stage.judge();
    CHECK(row.verdict == PortVerdict::shadowed);
    CHECK(row.carried_by[0].owner == "co2");
    rules[0].input = {"eth0", true};
    CHECK(stage.judge().verdict == PortVerdict::works);
    rules[0].input.reset();
    rules[0].more_conditions = true;
    CHECK(stage.judge().verdict == PortVerdict::unknown);
}

TEST_CASE("ports: what is carried may be dropped on its way", "[unit]") {
    Stage stage;
    stage.host.rules.v4.chains[1] = forward({}, true);
    auto row = stage.judge();
    CHECK(row.verdict == PortVerdict::blocked);
    CHECK(row.explanation.find("the policy of ip filter FORWARD") != std::string::npos);
    PacketRule accept;
    accept.output = {"docker0", false};
    accept.action = RuleAction::accept;
    stage.host.rules.v4.chains[1] = forward({accept}, true);
    row = stage.judge();
    CHECK(row.verdict == PortVerdict::blocked);
    CHECK(row.explanation.starts_with("what co1 answers from 172.17.0.2:80 is dropped by the policy of"));
    PacketRule accept_answers;
    accept_answers.input = {"docker0", false};
    accept_answers.action = RuleAction::accept;
    stage.host.rules.v4.chains[1] = forward({accept, accept_answers}, true);
    CHECK(stage.judge().verdict == PortVerdict::works);
    stage.host.outside_v4.forwards = false;
    CHECK(stage.judge().verdict == PortVerdict::blocked);
}

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

TEST_CASE("ports: what a policy drops is accepted by a rule in that very chain", "[unit]") {
    Stage stage;
    stage.host.rules.v4.chains.front() = prerouting({});
    stage.host.way = [](const IpAddress&) {
        return HostWay{"docker0", false, {}, true, {}, address("172.17.0.1")};
    };
    PacketRule answers;
    answers.flow = {kernel::flow_is_established, false};
    answers.action = RuleAction::accept;
    const auto with = [&](std::string table, std::string name, unsigned hook,
                          std::vector<PacketRule> rules = {}) {
        stage.host.rules.v4.chains[1] = {
            false, std::move(table), std::move(name), kernel::NftHook{hook, 0}, false, std::move(rules),
            true};
        return stage.judge();
    };
    auto row = with("ip filter", "OUTPUT", NF_INET_LOCAL_OUT);
    CHECK(
        row.explanation.starts_with("what the host answers from 198.51.100.2:8080 is dropped by the policy"));
    CHECK(row.suggestion ==
          "iptables-nft -t filter -A OUTPUT -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT");
    row = with("ip filter", "OUTPUT", NF_INET_LOCAL_OUT, {answers});
    CHECK(row.explanation ==
          "what the host itself sends to 172.17.0.2:80 is dropped by the policy of ip filter "
          "OUTPUT, as no rule accepts it");
    CHECK(row.suggestion == "nft add rule ip filter OUTPUT ip daddr 172.17.0.2 tcp dport 80 accept");
    row = with("inet fw", "in", NF_INET_LOCAL_IN);
    CHECK(row.explanation.starts_with(
        "what comes from outside for 198.51.100.2:8080 is dropped by the policy of"));
    CHECK(row.suggestion == "nft add rule inet fw in ip daddr 198.51.100.2 tcp dport 8080 accept");
    CHECK(with("inet fw", "$(id)", NF_INET_LOCAL_IN).suggestion.starts_with("netlab firewall host"));
    stage.host.rules.v4.chains.front() = prerouting({dnat(8080, "172.17.0.2", 80)});
    CHECK(with("ip filter", "FORWARD", NF_INET_FORWARD).suggestion.starts_with("systemctl restart docker"));
    CHECK(with("inet fw", "forward", NF_INET_FORWARD).suggestion ==
          "nft add rule inet fw forward ip daddr 172.17.0.2 tcp dport 80 accept");
    PacketRule accept;
    accept.flow = {kernel::flow_is_new, false};
    accept.action = RuleAction::accept;
    stage.host.rules.v4.chains[1] = {false, "inet fw", "forward", kernel::NftHook{NF_INET_FORWARD, 0},
                                     false, {accept},  true};
    row = stage.judge();
    CHECK(row.explanation.starts_with(
        "what co1 answers from 172.17.0.2:80 is dropped by the policy of inet fw"));
    CHECK(row.suggestion == "nft add rule inet fw forward ct state established,related accept");
    // Where a rule at the end would come to nothing none is said: before conntrack, behind DNAT, past a goto.
    const auto shown = [&](std::string name, unsigned hook, int priority, std::vector<PacketRule> rules) {
        auto& chain = stage.host.rules.v4.chains[1];
        const auto before = chain;
        chain = {false, "inet fw", std::move(name), kernel::NftHook{hook, priority}, false, std::move(rules),
                 true};
        const auto suggestion = stage.judge().suggestion;
        chain = before;
        return suggestion.starts_with("netlab firewall host");
    };
    PacketRule comes_in;
    comes_in.input = {"eth0", false};
    comes_in.action = RuleAction::accept;
    CHECK(shown("pre", NF_INET_PRE_ROUTING, -300, {comes_in}));
    CHECK(shown("pre", NF_INET_PRE_ROUTING, 0, {}));
    CHECK_FALSE(shown("pre", NF_INET_PRE_ROUTING, -150, {}));
    PacketRule leaves;
    leaves.action = RuleAction::return_;
    CHECK(shown("forward", NF_INET_FORWARD, 0, {leaves}));
    stage.host.rules.v4.chains[1].table = "mangle";
    stage.host.rules.v4.chains[1].name = "FORWARD";
    stage.host.rules.v4.chains[1].legacy = true;
    CHECK(stage.judge().suggestion ==
          "iptables-legacy -t mangle -A FORWARD -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT");
}

TEST_CASE("ports: a chain's name that is no word is in no command", "[unit]") {
    api::NatRule rule;
    rule.family = "ip";
    rule.table = "filter";
    rule.chain = "a;id>&2;#";
    rule.handle = 4;
    CHECK(delete_command(rule).empty());
    rule.chain = "INPUT";
    CHECK(delete_command(rule) == "nft delete rule ip filter INPUT handle 4");
    rule.handle.reset();
    rule.number = 2;
    rule.table = "$(id)";
    CHECK(delete_command(rule).empty());
}

TEST_CASE("ports: a bridge that is down is named, and no rule", "[unit]") {
    Stage stage;
    stage.host.rules.v4.chains[1] = forward({}, true);
    stage.host.way = [](const IpAddress&) { return HostWay{"eth0", false, {}, true, "docker0"}; };
    const auto row = stage.judge();
    CHECK(row.verdict == PortVerdict::blocked);
    CHECK(row.explanation == "the host's interface docker0, which leads to 172.17.0.2, is down");
    CHECK(row.suggestion == "ip link set docker0 up");
}

TEST_CASE("ports: rules that could not be read make it unknown, never fine", "[unit]") {
    Stage stage;
    stage.host.rules.v4.known = false;
    CHECK(stage.judge().verdict == PortVerdict::unknown);
    stage.port.protocol = "sctp";
    CHECK(stage.judge().verdict == PortVerdict::unknown);
}

TEST_CASE("ports: a paused container's kernel takes what nobody answers", "[unit]") {
    Stage stage;
    stage.target.state = api::State::paused;
    const auto row = stage.judge();
    CHECK(row.verdict == PortVerdict::paused);
    CHECK(row.suggestion == "docker unpause co1");
    // Its queue is full soon.
    stage.listeners.tcp.front().listener.waiting = 2;
    stage.listeners.tcp.front().listener.backlog = 1;
    CHECK(stage.judge().verdict == PortVerdict::paused);
}

TEST_CASE("ports: in a shared namespace it is whose socket it is that counts", "[unit]") {
    Stage stage;
    stage.target.state = api::State::paused;
    stage.target.namespace_.emplace().shared_with = {"sidecar"};
    // The other's program listens, and runs.
    CHECK(stage.judge().verdict == PortVerdict::works);
    api::Target sidecar;
    sidecar.name = "sidecar";
    sidecar.runtime = api::Runtime::podman;
    stage.target.state = api::State::running;
    auto& asleep = stage.listeners.tcp.front().asleep;
    asleep = Sleep{Sleep::Extent::all, sidecar};
    CHECK(stage.judge().verdict == PortVerdict::paused);
    CHECK(stage.judge().suggestion == "podman unpause sidecar");
    asleep->extent = Sleep::Extent::some;
    CHECK(stage.judge().verdict == PortVerdict::unknown);
    CHECK(stage.judge().suggestion == "podman unpause sidecar");
    asleep->extent = Sleep::Extent::unknown;
    CHECK(stage.judge().verdict == PortVerdict::unknown);
    CHECK(stage.judge().explanation.find("sidecar is paused") != std::string::npos);
}

TEST_CASE("ports: in a shared namespace anybody may be who should listen, and who publishes is restarted",
          "[unit]") {
    Stage stage;
    stage.target.name = "sidecar";
    stage.target.namespace_.emplace().shared_with = {"co1"};
    stage.publisher = "co1";
    stage.listeners.tcp = {};
    const auto nothing = stage.judge();
    CHECK(nothing.verdict == PortVerdict::no_listener);
    CHECK(nothing.publisher == "co1");
    CHECK(nothing.explanation ==
          "nothing in sidecar or co1, which share a network namespace, listens on TCP port 80");
    stage.host.rules.v4.chains.front().rules.clear();
    stage.host.listeners.tcp.clear();
    const auto flushed = stage.judge();
    CHECK(flushed.verdict == PortVerdict::not_carried);
    // A container cannot be started again where Docker has no chain for its rule.
    CHECK(flushed.suggestion.starts_with("systemctl restart docker"));
    stage.host.rules.v4.chains.push_back({false, "ip nat", "DOCKER", {}, false, {}, false});
    CHECK(stage.judge().suggestion.starts_with("docker restart co1 && docker restart sidecar"));
}

TEST_CASE("ports: a paused container on the host's network answers nobody", "[unit]") {
    Stage stage;
    stage.target.state = api::State::paused;
    const auto row = judge_host_socket(stage.host, stage.target, listener("127.0.0.1", 80), true);
    CHECK(row.verdict == PortVerdict::paused);
    CHECK(row.suggestion == "docker unpause co1");
}

TEST_CASE("ports: an address that the host does not have is not carried", "[unit]") {
    Stage stage;
    stage.port.host_address = address("198.51.100.77");
    CHECK(stage.judge().verdict == PortVerdict::not_carried);
}

TEST_CASE("ports: docker-proxy's arguments say where it leads", "[unit]") {
    // The kernel has a zero after each word.
    const auto words = [](std::string line) {
        std::ranges::replace(line, ' ', '\0');
        return line;
    };
    const auto to = parse_docker_proxy(
        words("/usr/bin/docker-proxy -proto tcp -host-ip :: -host-port 8080 -container-ip 172.17.0.2 "
              "-container-port 80 "));
    REQUIRE(to);
    CHECK(to->address == address("172.17.0.2"));
    CHECK(to->port == 80);
    CHECK_FALSE(parse_docker_proxy(words("docker-proxy -container-ip nonsense -container-port x ")));
    CHECK_FALSE(parse_docker_proxy(words("docker-proxy -container-ip")));
    CHECK_FALSE(parse_docker_proxy(""));
}

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

namespace {

RuleChain filter(const char* name, std::uint32_t hook, std::vector<PacketRule> rules, bool drops = false) {
    return {false, "ip filter", name, kernel::NftHook{hook, 0}, false, std::move(rules), drops};
}

}  // namespace

TEST_CASE("ports: what a process of the host's answers meets the host's rules", "[unit]") {
    Stage stage;
    PacketRule drop;
    drop.handle = 6;
    drop.protocol = {IPPROTO_TCP, false};
    drop.source_port = {{8080, 8080}, false};
    drop.action = RuleAction::drop;
    auto& chains = stage.host.rules.v4.chains;
    for (const auto& [name, hook] :
         {std::pair("OUTPUT", NF_INET_LOCAL_OUT), std::pair("POSTROUTING", NF_INET_POST_ROUTING)}) {
        chains = {filter(name, static_cast<std::uint32_t>(hook), {drop})};
        const auto row = stage.judge();
        CHECK(row.verdict == PortVerdict::blocked);
        CHECK(row.explanation.starts_with(
            std::string("what the host answers from 198.51.100.2:8080 is dropped by ip filter ") + name));
    }
    // A rule of the loopback interface is for the host's own programs alone.
    PacketRule on_loopback;
    on_loopback.handle = 7;
    on_loopback.input = {"lo", false};
    on_loopback.action = RuleAction::drop;
    chains = {prerouting({dnat(8080, "172.17.0.2", 80)}), filter("INPUT", NF_INET_LOCAL_IN, {on_loopback})};
    auto row = stage.judge();
    CHECK(row.verdict == PortVerdict::works);
    CHECK(has_note(row,
                   "for the host's own programs at 127.0.0.1:8080: what the host itself sends to "
                   "127.0.0.1:8080 is dropped by ip filter INPUT handle 7"));
    stage.port.host_address = address("127.0.0.1");
    CHECK(stage.judge().verdict == PortVerdict::blocked);

    // Of a container on the host's network there is nothing else.
    chains = {filter("OUTPUT", NF_INET_LOCAL_OUT, {drop})};
    row = judge_host_socket(stage.host, stage.target, listener("0.0.0.0", 8080), true);
    CHECK(row.verdict == PortVerdict::blocked);
    CHECK(row.explanation.starts_with("what the host answers from 198.51.100.2:8080 is dropped by"));
    PacketRule redirect = dnat(8080, "172.17.0.2", 9999);
    redirect.action = RuleAction::redirect;
    redirect.to_address.reset();
    chains = {prerouting({redirect})};
    row = judge_host_socket(stage.host, stage.target, listener("0.0.0.0", 8080), true);
    CHECK(row.verdict == PortVerdict::shadowed);
    CHECK(row.suggestion == "nft delete rule ip nat PREROUTING handle 11");
}

TEST_CASE("ports: a redirection that comes first is named", "[unit]") {
    Stage stage;
    PacketRule redirect = dnat(8080, "172.17.0.2", 9999);
    redirect.handle = 44;
    redirect.action = RuleAction::redirect;
    redirect.to_address.reset();
    auto& rules = stage.host.rules.v4.chains[0].rules;
    rules.insert(rules.begin(), redirect);
    auto row = stage.judge();
    CHECK(row.verdict == PortVerdict::shadowed);
    CHECK(row.explanation ==
          "ip nat PREROUTING handle 44 comes first and redirects it to port 9999 of the "
          "host, where nothing takes it");
    CHECK(row.suggestion == "nft delete rule ip nat PREROUTING handle 44");
    stage.host.listeners.tcp.push_back(listener("0.0.0.0", 9999, "nginx", 5));
    CHECK(stage.judge().explanation.ends_with("where nginx, PID 5, has it"));
    // To where its own proxy is it leads to the same.
    rules[0].to_port = 8081;
    stage.host.listeners.tcp.push_back(proxy("0.0.0.0", 8081, "172.17.0.2", 80));
    row = stage.judge();
    CHECK(row.verdict == PortVerdict::works);
    rules[0].to_port.reset();
    CHECK(stage.judge().verdict == PortVerdict::works);
}

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

TEST_CASE("ports: rules that see frames are looked at", "[unit]") {
    Stage stage;
    stage.host.way = [](const IpAddress&) {
        HostWay way{"docker0", false, {}, true};
        way.port = "veth1";
        return way;
    };
    PacketRule drop;
    drop.handle = 3;
    drop.destination_port = {{80, 80}, false};
    drop.action = RuleAction::drop;
    const auto with = [&](std::string table, kernel::NftHook hook, const PacketRule& rule) {
        stage.host.rules.v4.frames = {{false, std::move(table), "c", std::move(hook), false, {rule}, false}};
        return stage.judge();
    };
    constexpr std::uint32_t bridge_postrouting = 4;
    constexpr std::uint32_t bridge_forward = 2;
    const auto row = with("bridge b", {bridge_postrouting, 0}, drop);
    CHECK(row.verdict == PortVerdict::blocked);
    CHECK(row.explanation.find("is dropped by bridge b c handle 3") != std::string::npos);
    CHECK(row.suggestion == "nft delete rule bridge b c handle 3");
    CHECK(with("bridge b", {bridge_forward, 0}, drop).verdict == PortVerdict::works);
    drop.destination_port = {{8080, 8080}, false};
    CHECK(with("netdev n", {NF_NETDEV_INGRESS, 0, {"eth0"}}, drop).verdict == PortVerdict::blocked);
    CHECK(with("inet n", {NF_INET_INGRESS, 0, {"eth0"}}, drop).verdict == PortVerdict::blocked);
    CHECK(with("netdev n", {NF_NETDEV_INGRESS, 0, {"eth9"}}, drop).verdict == PortVerdict::works);
    drop.more_conditions = true;
    CHECK(with("netdev n", {NF_NETDEV_INGRESS, 0, {"eth*"}}, drop).verdict == PortVerdict::unknown);
    drop.more_conditions = false;
    drop.destination_port.reset();
    drop.source_port = {{8080, 8080}, false};
    stage.host.rules.v4.chains.clear();
    CHECK(with("netdev n", {NF_NETDEV_EGRESS, 0, {"eth0"}}, drop).verdict == PortVerdict::blocked);
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

TEST_CASE("ports: a rule in a table with an owner is his alone to remove", "[unit]") {
    Stage stage;
    PacketRule drop;
    drop.handle = 3;
    drop.action = RuleAction::drop;
    stage.host.rules.v4.chains[1] = forward({drop}, false);
    stage.host.rules.v4.chains[1].owner = 4711;
    const auto row = stage.judge();
    CHECK(row.verdict == PortVerdict::blocked);
    CHECK(row.suggestion.starts_with("ps -p 4711  # the program with netlink port 4711"));
}

TEST_CASE("ports: what ufw and firewalld stop they let in themselves", "[unit]") {
    Stage stage;
    // Without Docker's rules its process takes the port.
    PacketRule jump;
    jump.action = RuleAction::jump;
    jump.chain = "ufw-before-input";
    const RuleChain input{false, "ip filter", "INPUT", kernel::NftHook{NF_INET_LOCAL_IN, 0},
                          false, {jump},      true};
    stage.host.rules.v4.chains = {input, {false, "ip filter", "ufw-before-input", {}, false, {}, false}};
    auto row = stage.judge();
    CHECK(row.verdict == PortVerdict::blocked);
    CHECK(row.suggestion == "ufw prepend allow in on eth0 to any port 8080 proto tcp");
    jump.chain = "filter_IN_public";
    PacketRule reject;
    reject.handle = 72;
    reject.action = RuleAction::reject;
    stage.host.rules.v4.chains = {{false,
                                   "inet firewalld",
                                   "filter_INPUT",
                                   kernel::NftHook{NF_INET_LOCAL_IN, 10},
                                   false,
                                   {jump},
                                   false},
                                  {false, "inet firewalld", "filter_IN_public", {}, false, {reject}, false}};
    row = stage.judge();
    CHECK(row.verdict == PortVerdict::blocked);
    CHECK(row.suggestion == "firewall-cmd --zone=public --add-port=8080/tcp");
}

TEST_CASE("ports: a chain behind the translation sees where the packet is sent", "[unit]") {
    Stage stage;
    PacketRule drop;
    drop.handle = 5;
    drop.protocol = {IPPROTO_TCP, false};
    drop.action = RuleAction::drop;
    const auto verdict = [&](std::int32_t priority, std::uint16_t port) {
        drop.destination_port = {{port, port}, false};
        stage.host.rules.v4.chains = {
            prerouting({dnat(8080, "172.17.0.2", 80)}),
            forward({}, false),
            {false, "inet fw", "pre", kernel::NftHook{NF_INET_PRE_ROUTING, priority}, false, {drop}, false}};
        return stage.judge().verdict;
    };
    CHECK(verdict(0, 80) == PortVerdict::blocked);
    CHECK(verdict(0, 8080) == PortVerdict::works);
    CHECK(verdict(-150, 8080) == PortVerdict::blocked);
    CHECK(verdict(-150, 80) == PortVerdict::works);
}

TEST_CASE("ports: chains of NAT drop, too, and translate what the host's process sends", "[unit]") {
    Stage stage;
    const auto nat_chain = [](const char* name, std::uint32_t hook, std::int32_t priority,
                              std::vector<PacketRule> rules, bool drops = false) {
        return RuleChain{false, "inet x",         name, kernel::NftHook{hook, priority},
                         true,  std::move(rules), drops};
    };
    const auto usual = stage.host.rules.v4.chains;
    auto& chains = stage.host.rules.v4.chains;
    chains.push_back(nat_chain("pre", NF_INET_PRE_ROUTING, -110, {}, true));
    auto row = stage.judge();
    CHECK(row.verdict == PortVerdict::blocked);
    CHECK(row.explanation.find("the policy of inet x pre") != std::string::npos);

    PacketRule drop;
    drop.handle = 8;
    drop.destination = {*IpPrefix::parse("172.17.0.2/32"), false};
    drop.action = RuleAction::drop;
    chains = usual;
    chains.push_back(nat_chain("post", NF_INET_POST_ROUTING, 90, {drop}));
    row = stage.judge();
    CHECK(row.verdict == PortVerdict::blocked);
    CHECK(row.explanation.find("inet x post handle 8") != std::string::npos);

    // A transparent proxy for the host's own programs; Docker's rules are gone, so its process has the port.
    stage.host.way = [](const IpAddress&) {
        HostWay way{"docker0", false, {}, true};
        way.own = address("172.17.0.1");
        return way;
    };
    PacketRule redirect;
    redirect.handle = 9;
    redirect.protocol = {IPPROTO_TCP, false};
    redirect.destination_port = {{80, 80}, false};
    redirect.action = RuleAction::redirect;
    redirect.to_port = 3128;
    chains = {nat_chain("out", NF_INET_LOCAL_OUT, -100, {redirect})};
    row = stage.judge();
    CHECK(row.verdict == PortVerdict::shadowed);
    CHECK(row.suggestion == "nft delete rule inet x out handle 9");
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
