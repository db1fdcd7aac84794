#include "tests/support/catch.hpp"
#include "tests/unit/ports_case.hpp"

#include <cerrno>

using namespace netlab;
using namespace netlab::operations;
using namespace netlab::operations::ports_case;
using api::PortVerdict;
using kernel::PacketRule;
using kernel::RuleAction;
using kernel::RuleChain;

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
