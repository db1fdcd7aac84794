#include "daemon/operations/nat_trace.hpp"

#include "tests/unit/nat_case.hpp"

using namespace netlab;
using namespace netlab::operations;
using namespace netlab::operations::nat_case;

TEST_CASE("nat: what drops the answer is named, and that none comes back", "[unit]") {
    CHECK(Case().judged().verdict == NatVerdict::translated);

    auto row = with_host_chain(chain("ip filter", "FORWARD", NF_INET_FORWARD, 0, {towards("br-1")})).judged();
    CHECK(row.verdict == NatVerdict::blocked);
    CHECK(row.rule->handle == 30);
    CHECK(row.as == address("198.51.100.2"));
    CHECK(row.explanation ==
          "what the outside answers co1 is dropped by ip filter FORWARD handle 30: oifname \"br-1\" drop; no "
          "answer comes back");
    CHECK(row.suggestion ==
          "nft delete rule ip filter FORWARD handle 30  # or a rule before it that accepts: it drops more "
          "than this");

    // At each hook, by its flow; before DNAT's place it is for the host's address.
    for (const std::uint32_t hook : {NF_INET_PRE_ROUTING, NF_INET_FORWARD, NF_INET_POST_ROUTING}) {
        auto drop = of_flow(kernel::flow_is_established);
        drop.source_port = {{443, 443}, false};
        drop.destination_port = {{40'000, 40'000}, false};
        drop.source_port.reset();
        row = with_host_chain(chain("inet own", "c", hook, 0, {drop})).judged();
        CHECK(row.verdict == NatVerdict::blocked);
        CHECK(row.rule->handle == 31);
    }
    auto early = rule(32, RuleAction::drop);
    early.input = {"eth0", false};
    early.destination = {*IpPrefix::parse("198.51.100.2/32"), false};
    CHECK(with_host_chain(chain("ip raw", "PREROUTING", NF_INET_PRE_ROUTING, -300, {early}))
              .judged()
              .rule->handle == 32);
    early.destination = {*IpPrefix::parse("172.18.0.0/16"), false};
    CHECK(
        with_host_chain(chain("ip raw", "PREROUTING", NF_INET_PRE_ROUTING, -300, {early})).judged().verdict ==
        NatVerdict::translated);
    CHECK(with_host_chain(chain("ip mangle", "PREROUTING", NF_INET_PRE_ROUTING, 0, {early}))
              .judged()
              .rule->handle == 32);

    // A policy that only new connections pass.
    auto only_out = rule(33, RuleAction::accept);
    only_out.input = {"br-1", false};
    auto policy = chain("inet own", "forward", NF_INET_FORWARD, 0, {only_out});
    policy.drops = true;
    row = with_host_chain(policy).judged();
    CHECK(row.verdict == NatVerdict::blocked);
    CHECK_FALSE(row.rule);
    CHECK(row.explanation.starts_with(
        "what the outside answers co1 is dropped by the policy of inet own forward"));
    CHECK(row.suggestion == "nft add rule inet own forward ct state established,related accept");
}

TEST_CASE("nat: what is not understood of the answer's way is unknown, and a certain drop counts first",
          "[unit]") {
    auto doubtful = towards("br-1");
    doubtful.more_conditions = true;
    auto row = with_host_chain(chain("inet own", "c", NF_INET_FORWARD, 0, {doubtful})).judged();
    CHECK(row.verdict == NatVerdict::unknown);
    CHECK(row.explanation.starts_with(
        "inet own c handle 30 may decide otherwise of what the outside answers: "));
    auto there = rule(40, RuleAction::drop);
    there.input = {"br-1", false};
    there.more_conditions = true;
    row = with_host_chain(chain("inet own", "c", NF_INET_FORWARD, 0, {there, towards("br-1")})).judged();
    CHECK(row.verdict == NatVerdict::blocked);
    CHECK(row.rule->handle == 30);
}

TEST_CASE("nat: rules of bridges and interfaces see the answer's frames", "[unit]") {
    CHECK(with_frames(on_device("veth1", NF_NETDEV_EGRESS, {rule(5, RuleAction::drop)}))
              .judged()
              .rule->handle == 5);
    CHECK(
        with_frames(on_device("br-1", NF_NETDEV_EGRESS, {rule(6, RuleAction::drop)})).judged().rule->handle ==
        6);
    auto row = with_frames(chain("bridge t", "c", NF_BR_LOCAL_OUT, 0, {towards("veth1", 7)})).judged();
    CHECK(row.verdict == NatVerdict::blocked);
    CHECK(row.explanation.ends_with("; no answer comes back"));
    CHECK(with_frames(chain("bridge t", "c", NF_BR_LOCAL_OUT, 0, {towards("veth2", 7)})).judged().verdict ==
          NatVerdict::translated);
    // Where it comes in from outside it is for the host's address still.
    auto from_outside = rule(8, RuleAction::drop);
    from_outside.source = {*IpPrefix::parse("203.0.113.0/24"), false};
    from_outside.destination = {*IpPrefix::parse("198.51.100.2/32"), false};
    CHECK(with_frames(on_device("eth0", NF_NETDEV_INGRESS, {from_outside})).judged().rule->handle == 8);
    // And leaves with that one.
    auto leaving = rule(9, RuleAction::drop);
    leaving.source = {*IpPrefix::parse("198.51.100.2/32"), false};
    row = with_frames(on_device("eth0", NF_NETDEV_EGRESS, {leaving})).judged();
    CHECK(row.verdict == NatVerdict::blocked);
    CHECK(row.explanation.starts_with("what co1 sends to the outside is dropped by netdev t c handle 9"));
}

TEST_CASE("nat: what follows the first packet counts, too", "[unit]") {
    auto later = of_flow(kernel::flow_is_established);
    later.input = {"br-1", false};
    const auto row = with_host_chain(chain("inet own", "c", NF_INET_FORWARD, 0, {later})).judged();
    CHECK(row.verdict == NatVerdict::blocked);
    CHECK(row.explanation.starts_with(
        "what co1 sends to the outside, behind the first packet, is dropped by inet own c handle 31"));
}

TEST_CASE("nat: a rule for one service is a remark", "[unit]") {
    for (const auto port : {std::uint16_t{443}, std::uint16_t{80}}) {
        auto web = towards("br-1");
        web.protocol = {IPPROTO_TCP, false};
        web.source_port = {{port, port}, false};
        const auto row = with_host_chain(chain("ip filter", "FORWARD", NF_INET_FORWARD, 0, {web})).judged();
        CHECK(row.verdict == NatVerdict::translated);
        CHECK(row.explanation.starts_with(
            "port " + std::to_string(port) +
            ": what the outside answers co1 is dropped by ip filter FORWARD handle 30: "));
        CHECK(row.explanation.find("; port") == row.explanation.npos);
        web.source_port.reset();
        web.destination_port = {{port, port}, false};
        web.output = {"eth0", false};
        CHECK(with_host_chain(chain("ip filter", "FORWARD", NF_INET_FORWARD, 0, {web}))
                  .judged()
                  .explanation.starts_with("port " + std::to_string(port) + ": what co1 sends"));
    }
}

TEST_CASE("nat: an answer that conntrack takes for none of the flow is not led back", "[unit]") {
    auto notrack = rule(12, RuleAction::none);
    notrack.input = {"eth0", false};
    notrack.untracks = true;
    auto row = with_host_chain(chain("ip raw", "PREROUTING", NF_INET_PRE_ROUTING, -300, {notrack})).judged();
    CHECK(row.verdict == NatVerdict::blocked);
    CHECK(row.rule->handle == 12);
    CHECK(row.suggestion == "nft delete rule ip raw PREROUTING handle 12");
    CHECK(row.explanation.starts_with(
        "ip raw PREROUTING handle 12 takes what the outside answers co1 from conntrack"));
    notrack.more_conditions = true;
    CHECK(with_host_chain(chain("ip raw", "PREROUTING", NF_INET_PRE_ROUTING, -300, {notrack}))
              .judged()
              .verdict == NatVerdict::unknown);

    for (const char* interface : {"br-1", "eth0"}) {
        auto zone = rule(13, RuleAction::none);
        zone.input = {interface, false};
        zone.zone = kernel::FlowZone{std::uint16_t{5}};
        row = with_host_chain(chain("ip raw", "PREROUTING", NF_INET_PRE_ROUTING, -300, {zone})).judged();
        CHECK(row.verdict == NatVerdict::blocked);
        CHECK(row.rule->handle == 13);
        CHECK(row.suggestion == "nft delete rule ip raw PREROUTING handle 13");
        zone.input.reset();
        CHECK(with_host_chain(chain("ip raw", "PREROUTING", NF_INET_PRE_ROUTING, -300, {zone}))
                  .judged()
                  .verdict == NatVerdict::translated);
    }
}

TEST_CASE("nat: what is of no flow leaves untranslated, and is not called dropped besides", "[unit]") {
    auto notrack = rule(12, RuleAction::none);
    notrack.input = {"br-1", false};
    notrack.untracks = true;
    auto known = rule(14, RuleAction::accept);
    known.flow = {kernel::flow_is_established, false};
    auto there = rule(15, RuleAction::accept);
    there.input = {"br-1", false};
    auto forward = chain("inet own", "forward", NF_INET_FORWARD, 0, {known, there});
    forward.drops = true;
    const Case one([&](Case& of) {
        of.host.chains.push_back(chain("ip raw", "PREROUTING", NF_INET_PRE_ROUTING, -300, {notrack}));
        of.host.chains.push_back(forward);
    });
    auto row = one.judged();
    CHECK(row.verdict == NatVerdict::routed);
    CHECK(row.suggestion == "nft delete rule ip raw PREROUTING handle 12");
    CHECK(row.explanation.find("besides") == row.explanation.npos);
    // Of an address that others know the way back to it is why no answer comes.
    const Case known_outside([&](Case& of) {
        of.way.source = address("203.0.114.2");
        of.host.chains.push_back(chain("ip raw", "PREROUTING", NF_INET_PRE_ROUTING, -300, {notrack}));
        of.host.chains.push_back(forward);
    });
    row = known_outside.judged();
    CHECK(row.verdict == NatVerdict::blocked);
    CHECK(row.suggestion == "nft delete rule ip raw PREROUTING handle 12");
    // And so is one that only drops it, of a network that nobody translates.
    const Case untranslated([&](Case& of) {
        of.host.chains = {chain("ip filter", "FORWARD", NF_INET_FORWARD, 0, {towards("br-1")})};
        of.way.target = nullptr;
        of.way.own_rules = nullptr;
    });
    row = untranslated.judged();
    CHECK(row.verdict == NatVerdict::routed);
    INFO(row.explanation);
    CHECK(row.explanation.find("besides, what the outside answers 172.18.0.0/16 is dropped") !=
          row.explanation.npos);
}

TEST_CASE("nat: the container's own rules are followed", "[unit]") {
    auto row =
        with_own_chain(chain("ip filter", "OUTPUT", NF_INET_LOCAL_OUT, 0, {towards("eth0", 20)})).judged();
    CHECK(row.verdict == NatVerdict::blocked);
    CHECK(row.rule->handle == 20);
    CHECK_FALSE(row.as);
    CHECK(row.explanation.starts_with(
        "what co1 sends to the outside is dropped in co1 by ip filter OUTPUT handle 20"));
    CHECK(row.suggestion.starts_with(
        "nsenter --net=/proc/77/ns/net nft delete rule ip filter OUTPUT handle 20"));

    row = with_own_chain(
              chain("ip filter", "INPUT", NF_INET_LOCAL_IN, 0, {of_flow(kernel::flow_is_established)}))
              .judged();
    CHECK(row.verdict == NatVerdict::blocked);
    CHECK(row.as == address("198.51.100.2"));
    CHECK(row.explanation.starts_with("what the outside answers co1 is dropped in co1 by ip filter INPUT"));

    auto redirect = rule(21, RuleAction::redirect);
    redirect.to_port = 15'001;
    // It may be a proxy's.
    row = with_own_chain(nat_chain("OUTPUT", NF_INET_LOCAL_OUT, -100, {redirect})).judged();
    CHECK(row.verdict == NatVerdict::unknown);
    CHECK(row.rule->handle == 21);
    CHECK(
        row.explanation.starts_with("ip nat OUTPUT handle 21 in co1 sends elsewhere what co1 sends to the "
                                    "outside, and what becomes of it"));
    CHECK(row.suggestion ==
          "nsenter --net=/proc/77/ns/net nft delete rule ip nat OUTPUT handle 21  # if that is "
          "not wanted");
    redirect.more_conditions = true;
    CHECK(with_own_chain(nat_chain("OUTPUT", NF_INET_LOCAL_OUT, -100, {redirect})).judged().verdict ==
          NatVerdict::unknown);
    // Docker's resolver has some that are for its address alone.
    redirect.more_conditions = false;
    redirect.destination = {*IpPrefix::parse("127.0.0.11/32"), false};
    CHECK(with_own_chain(nat_chain("OUTPUT", NF_INET_LOCAL_OUT, -100, {redirect})).judged().verdict ==
          NatVerdict::translated);

    CHECK(Case([](Case& one) { one.own.known = false; }).judged().verdict == NatVerdict::unknown);
    // Of a network nobody's are known.
    CHECK(Case([](Case& one) {
              one.own.known = false;
              one.way.own_rules = nullptr;
          })
              .judged()
              .verdict == NatVerdict::translated);
}

TEST_CASE("nat: a next hop that does not get it, and neighbours that are not found", "[unit]") {
    const Hindrance dead{{"the entry is nobody's", "ip neigh del 198.51.100.1 dev eth0"}, true};
    const Hindrance silent{{"nobody has answered", "netlab neigh host"}, false};
    auto row = Case([&](Case& one) { one.way.hop = dead; }).judged();
    CHECK(row.verdict == NatVerdict::blocked);
    CHECK(row.explanation == "what co1 sends to the outside does not get on: the entry is nobody's");
    CHECK(row.suggestion == dead.why.suggestion);
    row = Case([&](Case& one) { one.way.hop = silent; }).judged();
    CHECK(row.verdict == NatVerdict::unknown);
    CHECK(row.suggestion == silent.why.suggestion);
    row = Case([&](Case& one) { one.way.undiscovered = dead; }).judged();
    CHECK(row.verdict == NatVerdict::blocked);
    CHECK(row.suggestion == dead.why.suggestion);
    CHECK(Case([&](Case& one) { one.way.undiscovered = silent; }).judged().verdict == NatVerdict::unknown);
    // A rule that drops the packet itself is said first.
    row = Case([&](Case& one) {
              one.way.undiscovered = dead;
              one.host.chains.push_back(chain("ip filter", "FORWARD", NF_INET_FORWARD, 0, {towards("br-1")}));
          }).judged();
    CHECK(row.rule->handle == 30);
}

TEST_CASE("nat: the host's routes have a word of the answer", "[unit]") {
    HostRoute refused{true, EACCES};
    refused.rule = {"5: from all to 172.18.0.2 prohibit", "ip rule del pref 5"};
    auto row = Case([&](Case& one) { one.way.back = refused; }).judged();
    CHECK(row.verdict == NatVerdict::blocked);
    CHECK(row.suggestion == "ip rule del pref 5");
    CHECK(row.explanation.find("what the outside answers co1") != row.explanation.npos);
    HostRoute there{true};
    there.output = "br-1";
    CHECK(Case([&](Case& one) { one.way.back = there; }).judged().verdict == NatVerdict::translated);
    there.output = "br-2";
    CHECK(Case([&](Case& one) { one.way.back = there; }).judged().verdict == NatVerdict::unknown);
}

TEST_CASE("nat: what the host sends elsewhere is not known to get out", "[unit]") {
    auto to_proxy = rule(50, RuleAction::redirect);
    to_proxy.input = {"br-1", false};
    to_proxy.to_port = 3128;
    auto row = with_host_chain(nat_chain("PREROUTING", NF_INET_PRE_ROUTING, -100, {to_proxy})).judged();
    CHECK(row.verdict == NatVerdict::unknown);
    CHECK(row.rule->handle == 50);
    to_proxy.protocol = {IPPROTO_TCP, false};
    to_proxy.destination_port = {{443, 443}, false};
    row = with_host_chain(nat_chain("PREROUTING", NF_INET_PRE_ROUTING, -100, {to_proxy})).judged();
    CHECK(row.verdict == NatVerdict::translated);
    CHECK(
        row.explanation.starts_with("port 443: ip nat PREROUTING handle 50 sends elsewhere what co1 sends"));
}

TEST_CASE("nat: an accept before a published port's rule is what comes first", "[unit]") {
    auto dnat = rule(60, RuleAction::dnat);
    dnat.protocol = {IPPROTO_TCP, false};
    dnat.destination_port = {{8080, 8080}, false};
    dnat.to_address = address("172.18.0.2");
    dnat.to_port = 80;
    const auto shadowing = [&](std::vector<PacketRule> before) {
        before.push_back(dnat);
        const std::vector chains{nat_chain("PREROUTING", NF_INET_PRE_ROUTING, -100, std::move(before))};
        return find_shadowing(chains, find_dnat_rules(chains).front(), address("198.51.100.2"),
                              address("203.0.113.8"), "eth0");
    };
    CHECK_FALSE(shadowing({}));
    auto accept = rule(61, RuleAction::accept);
    accept.protocol = {IPPROTO_TCP, false};
    accept.destination_port = {{8080, 8080}, false};
    CHECK(shadowing({accept})->handle == 61);
    accept.action = RuleAction::return_;
    CHECK(shadowing({accept})->handle == 61);
    accept.destination_port = {{8081, 8081}, false};
    CHECK_FALSE(shadowing({accept}));
}

TEST_CASE("nat: what leaves has the marks that the host's rules have set", "[unit]") {
    auto mark = rule(70, RuleAction::none);
    mark.input = {"br-1", false};
    mark.sets_mark = true;
    auto unmarked = rule(71, RuleAction::drop);
    unmarked.mark = {kernel::MarkBits{1}, true};
    const auto egress = on_device("eth0", NF_NETDEV_EGRESS, {unmarked});
    CHECK(with_frames(egress).judged().rule->handle == 71);
    const auto row =
        Case([&](Case& one) {
            one.host.chains.push_back(chain("ip mangle", "PREROUTING", NF_INET_PRE_ROUTING, -150, {mark}));
            one.host.frames.push_back(egress);
        }).judged();
    CHECK(row.verdict == NatVerdict::unknown);
    CHECK(row.explanation.starts_with("netdev t c handle 71 may decide otherwise: "));
    // One that frames' rules set is there for those of IP.
    unmarked.input = {"br-1", false};
    CHECK(Case([&](Case& one) {
              one.host.frames.push_back(
                  on_device("veth1", NF_NETDEV_INGRESS, {mark, rule(72, RuleAction::none)}));
              one.host.frames.back().rules.front().input.reset();
              one.host.chains.push_back(chain("ip filter", "FORWARD", NF_INET_FORWARD, 0, {unmarked}));
          })
              .judged()
              .verdict == NatVerdict::unknown);
}

TEST_CASE("nat: what comes by a veth or a bond meets no rules of bridges", "[unit]") {
    for (const std::uint32_t hook :
         {NF_BR_PRE_ROUTING, NF_BR_LOCAL_IN, NF_BR_LOCAL_OUT, NF_BR_POST_ROUTING}) {
        auto policy = chain("bridge filter", "c", hook, 0, {});
        policy.drops = true;
        CHECK(with_frames(policy).judged().verdict == NatVerdict::blocked);
        for (const auto* port : {"", "veth1"}) {
            CHECK(Case([&](Case& one) {
                      one.host.frames.push_back(policy);
                      one.way.bridged = false;
                      one.way.port = port;
                  })
                      .judged()
                      .verdict == NatVerdict::translated);
        }
    }
}
