#include "daemon/operations/host_command.hpp"
#include "daemon/operations/sightings.hpp"
#include "daemon/operations/why_rules.hpp"
#include "daemon/operations/why_trace.hpp"
#include "daemon/operations/why_translation.hpp"
#include "daemon/operations/why_verdict.hpp"
#include "tests/support/catch.hpp"

#include <cerrno>

#include <arpa/inet.h>  // before the kernel's headers, which then leave out what it has
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>

using namespace netlab;
using namespace netlab::operations;
using api::RouteStep;
using api::WhyProtocol;
using api::WhyVerdict;

namespace {

const IpAddress co1 = *IpAddress::parse("172.18.0.2");
const IpAddress co2 = *IpAddress::parse("172.18.0.3");
const IpAddress host = *IpAddress::parse("198.51.100.2");

constexpr std::uint16_t own_port = 40'000;
constexpr std::uint32_t sequence = 7'777;

SeenPacket syn(std::uint32_t interface, bool outgoing, const IpAddress& destination, std::uint16_t port) {
    SeenPacket seen;
    seen.packet.source = co1;
    seen.packet.destination = destination;
    seen.packet.source_port = own_port;
    seen.packet.destination_port = port;
    seen.packet.tcp = true;
    seen.packet.syn = true;
    seen.packet.sequence = sequence;
    seen.interface = interface;
    seen.outgoing = outgoing;
    return seen;
}

SeenPacket syn_ack(std::uint32_t interface, bool outgoing) {
    SeenPacket seen;
    seen.packet.source = co2;
    seen.packet.destination = co1;
    seen.packet.source_port = 80;
    seen.packet.destination_port = own_port;
    seen.packet.tcp = true;
    seen.packet.syn = true;
    seen.packet.ack_flag = true;
    seen.packet.acknowledged = sequence + 1;
    seen.interface = interface;
    seen.outgoing = outgoing;
    return seen;
}

const Flow flow{WhyProtocol::tcp, own_port, co2, 80};

WayPoint point(std::size_t place, std::uint32_t index, const char* target, const char* interface,
               const char* kind) {
    WayPoint out;
    out.place = place;
    if (index != 0) out.port = Port{place, index};
    out.hop.target = target;
    out.hop.interface = interface;
    out.hop.kind = kind;
    return out;
}

/// co1 eth0, the host's two veths, co2 eth0.
Way straight_way() {
    Way way;
    way.points = {point(0, 2, "co1", "eth0", "source"), point(2, 10, "host", "veth1", "port"),
                  point(2, 11, "host", "veth2", "port"), point(1, 2, "co2", "eth0", "destination")};
    way.end = RouteStep::delivered;
    way.end_target = "co2";
    way.end_place = 1;
    return way;
}

struct Case {
    api::Context context;
    api::WhyRequest request;
    WhyFacts facts{context, request};

    Case() {
        facts.flow = flow;
        facts.target = "co2";
        facts.way = straight_way();
        request.from = "co1";
        request.to = "co2";
        request.protocol = WhyProtocol::tcp;
        request.port = 80;
        facts.probed = true;
        facts.traced = true;
        facts.observed = {0, 1, 2};
        facts.final_target = "co2";
    }
    WhyDecision decide(const std::map<std::size_t, std::vector<SeenPacket>>& seen) {
        facts.sightings = find_flow(flow, seen);
        mark_sightings(facts.way, facts.sightings, facts.observed, facts.saw_all);
        return operations::decide(facts);
    }
};

TracedStep step(const char* verdict, bool answer = false) {
    TracedStep out;
    out.place = 2;
    out.step.target = "host";
    out.step.family = "ip";
    out.step.table = "filter";
    out.step.chain = "FORWARD";
    out.step.handle = 12;
    out.step.verdict = verdict;
    out.step.answer = answer;
    out.drops = std::string_view(verdict) == "drop";
    return out;
}

std::vector<std::byte> bytes_of(std::initializer_list<int> values) {
    std::vector<std::byte> out;
    for (const int value : values)
        out.push_back(static_cast<std::byte>(value));
    return out;
}

kernel::TraceEvent event(std::uint32_t id, const char* chain, std::int32_t verdict) {
    kernel::TraceEvent out;
    out.kind = kernel::TraceKind::rule;
    out.id = id;
    out.family = NFPROTO_IPV4;
    out.table = "filter";
    out.chain = chain;
    out.handle = 5;
    out.verdict = verdict;
    return out;
}

/// The headers of a SYN from co1:40000 to co2:80.
void add_headers(kernel::TraceEvent& out, std::uint16_t source_port, std::uint16_t destination_port) {
    out.network_header = bytes_of({0x45, 0, 0, 60, 0, 1, 0, 0, 64, 6, 0, 0, 172, 18, 0, 2, 172, 18, 0, 3});
    out.transport_header = bytes_of({source_port >> 8,
                                     source_port & 0xFF,
                                     destination_port >> 8,
                                     destination_port & 0xFF,
                                     0,
                                     0,
                                     0,
                                     1,
                                     0,
                                     0,
                                     0,
                                     0,
                                     0x50,
                                     0x02,
                                     0,
                                     0,
                                     0,
                                     0,
                                     0,
                                     0});
}

}  // namespace

TEST_CASE("why: a SYN is known by its sequence number behind NAT, and its answer by that", "[unit]") {
    auto translated = syn(3, true, co2, 8080);
    translated.packet.source = host;
    translated.packet.source_port = 55'555;
    auto others = syn(3, true, co2, 8080);
    others.packet.sequence = 1;
    others.packet.source_port = 1;
    const auto sightings =
        find_flow(flow, {{0, {syn(2, true, co2, 80)}}, {2, {translated, others, syn_ack(3, false)}}});
    REQUIRE(sightings.size() == 3);
    CHECK(sightings[1].port == Port{2, 3});
    CHECK_FALSE(sightings[1].answer);
    CHECK(sightings[2].answer);
    CHECK(translated_destination(flow, sightings)->port == 8080);
    CHECK(translated_source(sightings)->address == host);
}

TEST_CASE("why: an answer is delivered only where TO's namespace has seen the packet", "[unit]") {
    Case one;
    one.facts.end = ProbeEnd{};
    CHECK(one.decide({{0, {syn(2, true, co2, 80)}}, {1, {syn(2, false, co2, 80)}}}).verdict ==
          WhyVerdict::delivered);
    Case other;
    other.facts.end = ProbeEnd{};
    const auto decision = other.decide({{0, {syn(2, true, co2, 80)}}});
    CHECK(decision.verdict == WhyVerdict::lost);
    Case blind;
    blind.facts.end = ProbeEnd{};
    blind.facts.saw_all = false;
    CHECK(blind.decide({{0, {syn(2, true, co2, 80)}}}).verdict == WhyVerdict::delivered);
}

TEST_CASE("why: a rule that dropped it is the verdict, one that dropped the answer too", "[unit]") {
    Case one;
    one.facts.trace = {step("jump DOCKER-USER"), step("drop")};
    auto decision = one.decide({{0, {syn(2, true, co2, 80)}}});
    CHECK(decision.verdict == WhyVerdict::dropped);
    REQUIRE(decision.rule);
    CHECK(decision.rule->handle == 12);
    CHECK(decision.where == api::WhyPlace{"host", "ip filter FORWARD"});
    CHECK_FALSE(decision.answer);
    one.facts.trace = {step("accept"), step("drop", true)};
    decision = one.decide({{0, {syn(2, true, co2, 80)}}});
    CHECK(decision.verdict == WhyVerdict::dropped);
    CHECK(decision.answer);
}

TEST_CASE("why: silence is lost between the last point that saw it and the next", "[unit]") {
    Case one;
    auto decision = one.decide({{0, {syn(2, true, co2, 80)}}, {2, {syn(10, false, co2, 80)}}});
    CHECK(decision.verdict == WhyVerdict::lost);
    CHECK(decision.where == api::WhyPlace{"host", "veth1 and veth2 of host"});
    Case back;
    decision = back.decide({{0, {syn(2, true, co2, 80)}},
                            {1, {syn(2, false, co2, 80), syn_ack(2, true)}},
                            {2, {syn(10, false, co2, 80), syn(11, true, co2, 80), syn_ack(11, false)}}});
    CHECK(decision.verdict == WhyVerdict::lost);
    CHECK(decision.answer);
    CHECK(decision.where == api::WhyPlace{"host", "veth2 and veth1 of host"});
}

TEST_CASE("why: an egress rule has not dropped what was seen to leave by that interface", "[unit]") {
    // A tap sees it behind that hook, and before the one of ingress.
    const auto rule_at = [](const char* hook, const char* interface) {
        RulesAround out;
        auto& rule = out.behind.rule.emplace();
        rule.target = "host";
        rule.family = "netdev";
        out.behind.hook = hook;
        (hook == std::string_view("egress") ? out.behind.output : out.behind.input) = interface;
        return out;
    };
    const std::map<std::size_t, std::vector<SeenPacket>> come_in = {{0, {syn(2, true, co2, 80)}},
                                                                    {2, {syn(10, false, co2, 80)}}};
    auto gone_out = come_in;
    gone_out.at(2).push_back(syn(11, true, co2, 80));
    Case one;
    one.facts.around = rule_at("egress", "veth2");
    CHECK(one.decide(come_in).rule);
    CHECK(one.decide(gone_out).verdict == WhyVerdict::lost);
    // Of a way back through the same interface it is the way out that counts.
    one.facts.around = rule_at("egress", "veth1");
    CHECK(one.decide(come_in).rule);
    one.facts.around = rule_at("ingress", "veth1");
    CHECK(one.decide(come_in).rule);
    Case back;
    back.facts.around_back = rule_at("egress", "veth1");
    auto answered = gone_out;
    answered[1] = {syn(2, false, co2, 80), syn_ack(2, true)};
    answered.at(2).push_back(syn_ack(11, false));
    CHECK(back.decide(answered).rule);
    answered.at(2).push_back(syn_ack(10, true));
    CHECK(back.decide(answered).verdict == WhyVerdict::lost);
    CHECK_FALSE(back.decide(answered).rule);
}

TEST_CASE("why: EPERM is a rule's of FROM's IP, and none's at its interface", "[unit]") {
    Case one;
    auto& end = one.facts.end.emplace();
    end.kind = ProbeEnd::Kind::not_sent;
    end.error_number = EPERM;
    auto& own = one.facts.around.emplace().before;
    own.rule.emplace().target = "co1";
    own.place = 0;
    for (const auto* hook : {"output", "postrouting"}) {
        own.hook = hook;
        CHECK(one.decide({}).rule);
    }
    for (const auto* hook : {"egress", "input", "prerouting"}) {
        own.hook = hook;
        CHECK_FALSE(one.decide({}).rule);
        CHECK(one.decide({}).verdict == WhyVerdict::dropped);
    }
}

TEST_CASE("why: of a walk what is behind a translation's namespace is not on the way", "[unit]") {
    const auto hop = [](std::size_t place, RouteStep step) {
        PlacedHop out;
        out.place = place;
        out.step = step;
        return out;
    };
    const std::vector hops{hop(0, RouteStep::routed), hop(2, RouteStep::switched), hop(3, RouteStep::routed),
                           hop(2, RouteStep::routed), hop(4, RouteStep::routed)};
    CHECK(until(hops, 2).size() == 3);
    CHECK(until(hops, 0).empty());
    CHECK(until(hops, 7).size() == 5);
}

TEST_CASE("why: nobody who answers for the next hop is unreachable, not lost", "[unit]") {
    Case one;
    one.facts.silent = SilentNeighbour{"co1", "eth0", co2};
    const auto decision = one.decide({});
    CHECK(decision.verdict == WhyVerdict::unreachable);
    CHECK(decision.where == api::WhyPlace{"co1", "eth0"});
}

TEST_CASE("why: what was not sent is never fine", "[unit]") {
    Case one;
    one.facts.probed = false;
    CHECK(one.decide({}).verdict == WhyVerdict::unknown);
    one.facts.way.end = RouteStep::not_forwarded;
    CHECK(one.decide({}).verdict == WhyVerdict::unreachable);
}

TEST_CASE("why: a trace is read by the packet's id, and others' packets are left out", "[unit]") {
    auto first = event(1, "FORWARD", NFT_JUMP);
    first.jump = "DOCKER-USER";
    add_headers(first, own_port, 80);
    auto strange = event(2, "FORWARD", NF_DROP);
    add_headers(strange, 1, 2);
    TracedNamespace traced;
    traced.target = "host";
    auto own = event(1, "prerouting", NFT_CONTINUE);
    own.table = trace_table_name(4711);
    traced.events = {first, event(1, "DOCKER-USER", NF_DROP), strange, event(2, "FORWARD", NF_DROP), own};
    const auto steps = read_trace(flow, {{2, traced}});
    REQUIRE(steps.size() == 2);
    CHECK(steps[0].step.verdict == "jump DOCKER-USER");
    CHECK(steps[1].step.chain == "DOCKER-USER");
    CHECK(steps[1].drops);
    CHECK(ending_step(steps) == &steps[1]);
}

TEST_CASE("why: what has the flow's port by chance is not its trace", "[unit]") {
    auto own = event(1, "FORWARD", NFT_JUMP);
    add_headers(own, own_port, 80);  // its sequence number is 1
    auto strange = event(2, "FORWARD", NF_DROP);
    add_headers(strange, own_port, 80);
    strange.transport_header[7] = std::byte{9};
    auto answer = event(3, "FORWARD", NF_DROP);
    add_headers(answer, 80, own_port);
    answer.transport_header[11] = std::byte{9};
    answer.transport_header[13] = std::byte{0x12};
    TracedNamespace traced;
    traced.events = {own, strange, answer};
    FlowMark mark;
    mark.sequence = 1;
    CHECK(read_trace(flow, {{2, traced}}, mark).size() == 1);
    CHECK_FALSE(tells_of_drop(flow, traced.events, mark));
    traced.events[2].transport_header[11] = std::byte{2};  // it acknowledges the SYN
    const auto steps = read_trace(flow, {{2, traced}}, mark);
    REQUIRE(steps.size() == 2);
    CHECK(steps[1].step.answer);
    CHECK(tells_of_drop(flow, traced.events, mark));
    // Of what has no sequence number the addresses tell, those of a translation too.
    const Flow datagram{WhyProtocol::udp, own_port, co2, 80};
    auto udp = event(4, "FORWARD", NF_DROP);
    add_headers(udp, own_port, 80);
    udp.network_header[9] = std::byte{17};
    mark = {};
    mark.addresses = {*IpAddress::parse("10.0.0.1"), *IpAddress::parse("10.0.0.2")};
    traced.events = {udp};
    CHECK(read_trace(datagram, {{2, traced}}, mark).empty());
    mark.addresses.insert(co1);
    CHECK(read_trace(datagram, {{2, traced}}, mark).size() == 1);
    // The packets that were seen are what it is told by.
    mark = mark_of(flow, {{0, {syn(2, true, co2, 80)}}, {2, {syn(3, true, host, 80)}}});
    CHECK(mark.sequence == sequence);
    CHECK(mark.addresses == std::set{co1, co2, host});
    // Who has the port by chance, and was seen, is no translation of it.
    const auto of_udp = [](SeenPacket seen) {
        seen.packet.tcp = seen.packet.syn = false;
        return seen;
    };
    auto stranger = of_udp(syn(3, true, *IpAddress::parse("10.0.0.2"), 80));
    stranger.packet.source = *IpAddress::parse("10.0.0.1");
    auto translated = of_udp(syn(4, true, co2, 80));
    translated.packet.source = host;
    mark = mark_of(datagram, {{0, {of_udp(syn(2, true, co2, 80))}}, {2, {stranger, translated}}});
    CHECK(mark.addresses == std::set{co1, co2, host});
    CHECK(mark_of(datagram, {{0, {}}}).addresses == std::set{co2});
}

TEST_CASE("why: the commands of a trace name only numbers", "[unit]") {
    const auto text = trace_commands(trace_table_name(12), WhyProtocol::tcp, true, 40'000);
    CHECK(text.find("add table inet netlab-trace-12 { flags owner; }") == 0);
    CHECK(text.find("meta nfproto ipv4 tcp sport 40000 limit rate 100/second") != text.npos);
    const auto echo = trace_commands("t", WhyProtocol::icmp, false, 7);
    CHECK(echo.find("icmpv6 type echo-reply icmpv6 id 7") != echo.npos);
}

TEST_CASE("why: the host's rules, read as a table, translate and drop as the kernel would", "[unit]") {
    kernel::RuleChain dnat;
    dnat.table = "ip nat";
    dnat.name = "PREROUTING";
    dnat.hook = kernel::NftHook{NF_INET_PRE_ROUTING, -100};
    dnat.nat = true;
    kernel::PacketRule to_container;
    to_container.protocol = kernel::Condition<std::uint8_t>{6, false};
    to_container.destination_port = kernel::Condition<kernel::PortRange>{{80, 80}, false};
    to_container.action = kernel::RuleAction::dnat;
    to_container.to_address = *IpAddress::parse("172.17.0.2");
    to_container.to_port = 8080;
    dnat.rules = {to_container};
    kernel::RuleChain forward;
    forward.table = "ip filter";
    forward.name = "FORWARD";
    forward.hook = kernel::NftHook{NF_INET_FORWARD, 0};
    kernel::PacketRule drop;
    drop.handle = 7;
    drop.output = kernel::Condition<std::string>{"docker0", false};
    drop.action = kernel::RuleAction::drop;
    forward.rules = {drop};
    const FamilyRules rules{{dnat, forward}, true};
    const HostPassage in{"host", "eth0", "", true};
    const auto nowhere = [](const std::string&) { return std::optional<IpAddress>(); };
    const auto translated = destination_by_rules(rules, in, flow, co1, nowhere);
    REQUIRE(translated);
    CHECK(*translated == api::Endpoint{*IpAddress::parse("172.17.0.2"), 8080});
    const HostPassage through{"host", "eth0", "docker0", false};
    const auto decision = decide_by_rules(rules, through, flow, co1, *translated);
    REQUIRE(decision.rule);
    CHECK(decision.rule->chain == "FORWARD");
    CHECK(decision.rule->handle == 7);
    CHECK(decision.rule->family == "ip");
    CHECK(decision.input == "eth0");
    CHECK(decision.output == "docker0");
    const HostPassage elsewhere{"host", "eth0", "br-1", false};
    CHECK_FALSE(decide_by_rules(rules, elsewhere, flow, co1, *translated).rule);
}

TEST_CASE("why: what conntrack does not see no rule translates", "[unit]") {
    kernel::RuleChain raw;
    raw.table = "ip raw";
    raw.name = "PREROUTING";
    raw.hook = kernel::NftHook{NF_INET_PRE_ROUTING, -300};
    kernel::PacketRule notrack;
    notrack.handle = 5;
    notrack.untracks = true;
    notrack.input = kernel::Condition<std::string>{"eth0", false};
    raw.rules = {notrack};
    kernel::RuleChain dnat;
    dnat.table = "ip nat";
    dnat.name = "PREROUTING";
    dnat.hook = kernel::NftHook{NF_INET_PRE_ROUTING, -100};
    dnat.nat = true;
    kernel::PacketRule to_container;
    to_container.action = kernel::RuleAction::dnat;
    to_container.to_address = *IpAddress::parse("172.17.0.2");
    dnat.rules = {to_container};
    const FamilyRules rules{{raw, dnat}, true};
    const auto nowhere = [](const std::string&) { return std::optional<IpAddress>(); };
    const HostPassage untracked{"host", "eth0", "", true};
    CHECK_FALSE(destination_by_rules(rules, untracked, flow, co1, nowhere));
    const auto decision = decide_by_rules(rules, untracked, flow, co1, {co2, 80});
    REQUIRE(decision.untracks);
    CHECK(decision.untracks->handle == 5);
    CHECK(decision.doubt.empty());
    auto late = rules;
    late.chains.front().hook->priority = -190;
    CHECK(destination_by_rules(late, untracked, flow, co1, nowhere));
    CHECK_FALSE(decide_by_rules(late, untracked, flow, co1, {co2, 80}).untracks);
    const HostPassage tracked{"host", "eth1", "", true};
    CHECK(destination_by_rules(rules, tracked, flow, co1, nowhere));
    CHECK_FALSE(decide_by_rules(rules, tracked, flow, co1, {co2, 80}).untracks);
    // What may keep it from conntrack is a doubt, and no fact.
    auto doubtful = rules;
    doubtful.chains.front().rules.front().more_conditions = true;
    const auto unsure = decide_by_rules(doubtful, untracked, flow, co1, {co2, 80});
    CHECK_FALSE(unsure.untracks);
    CHECK(unsure.translation_in_doubt);
    CHECK(unsure.doubt.find("ip raw PREROUTING") == 0);
    // Of the answer it is the interface that it comes back by, and whom it is for before it is translated.
    const HostPassage out{"host", "docker0", "eth0", false};
    CHECK(decide_answer_by_rules(rules, out, flow, co1, {co2, 80}, co2).untracks);
    CHECK_FALSE(decide_answer_by_rules(rules, {"host", "eth0", "docker0", false}, flow, co1, {co2, 80}, co1)
                    .untracks);
}

TEST_CASE("why: what the host's routing loses meets no rule behind it", "[unit]") {
    kernel::RuleChain forward;
    forward.table = "ip filter";
    forward.name = "FORWARD";
    forward.hook = kernel::NftHook{NF_INET_FORWARD, 0};
    forward.drops = true;
    auto early = forward;
    early.table = "ip raw";
    early.name = "PREROUTING";
    early.hook = kernel::NftHook{NF_INET_PRE_ROUTING, -300};
    auto way = straight_way();
    way.points.pop_back();
    way.points.back().hop.kind = "route";
    way.end_place = 2;
    way.end = RouteStep::not_forwarded;
    const auto lost = passage_of(way, "host", 2);
    REQUIRE(lost);
    CHECK(lost->lost);
    const FamilyRules behind{{forward}, true};
    CHECK_FALSE(decide_by_rules(behind, *lost, flow, co1, {co2, 80}).rule);
    const FamilyRules before{{forward, early}, true};
    CHECK(decide_by_rules(before, *lost, flow, co1, {co2, 80}).rule->chain == "PREROUTING");
    way.end = RouteStep::link_down;
    const auto late = passage_of(way, "host", 2);
    const auto decision = decide_by_rules(behind, *late, flow, co1, {co2, 80});
    REQUIRE(decision.rule);
    CHECK(decision.input == "veth1");
    CHECK(decision.output == "veth2");
    const auto back = decide_answer_by_rules(behind, *late, flow, co1, {co2, 80}, co1);
    REQUIRE(back.rule);
    CHECK(back.rule->chain == "FORWARD");
    CHECK(back.input == "veth2");
    CHECK(back.output == "veth1");
}

TEST_CASE("why: a mark that a rule sets before the packet is routed is told", "[unit]") {
    kernel::RuleChain mangle;
    mangle.table = "ip mangle";
    mangle.name = "PREROUTING";
    mangle.hook = kernel::NftHook{NF_INET_PRE_ROUTING, -150};
    kernel::PacketRule mark;
    mark.sets_mark = true;
    mark.action = kernel::RuleAction::none;
    mangle.rules = {mark};
    const HostPassage through{"host", "veth1", "docker0", false};
    FamilyRules rules{{mangle}, true};
    CHECK(decide_by_rules(rules, through, flow, co1, {co2, 80}).marks);
    rules.chains.front().hook->number = NF_INET_FORWARD;
    CHECK_FALSE(decide_by_rules(rules, through, flow, co1, {co2, 80}).marks);
}

TEST_CASE("why: without a trace a rule of the host's input is told from a port where nothing listens",
          "[unit]") {
    Case one;
    one.facts.traced = false;
    one.facts.way.points.resize(1);
    one.facts.way.points.push_back(point(2, 10, "host", "br-1", "destination"));
    one.facts.way.end_place = 2;
    one.facts.end.emplace().kind = ProbeEnd::Kind::reset;
    RulesDecision rules;
    rules.known = true;
    rules.input = "br-1";
    rules.rule.emplace().target = "host";
    rules.rule->text = "tcp dport 80 reject";
    rules.rejects = true;
    one.facts.rules = rules;
    const std::map<std::size_t, std::vector<SeenPacket>> seen{{0, {syn(2, true, co2, 80)}},
                                                              {2, {syn(10, false, co2, 80)}}};
    CHECK(one.decide(seen).verdict == WhyVerdict::rejected);
    one.facts.rules->rule->text = "tcp dport 80 drop comment \"reject web\"";
    one.facts.rules->rejects = false;
    CHECK(one.decide(seen).verdict == WhyVerdict::refused);
    one.facts.end.reset();
    CHECK(one.decide(seen).verdict == WhyVerdict::dropped);
}

TEST_CASE("why: an answer that iptables-legacy drops is told from the table", "[unit]") {
    Case one;
    RulesDecision back;
    back.known = back.legacy = true;
    back.rule.emplace().target = "host";
    back.rule->text = "rule 1: drop";
    one.facts.rules_back = back;
    const auto decision =
        one.decide({{0, {syn(2, true, co2, 80)}},
                    {1, {syn(2, false, co2, 80), syn_ack(2, true)}},
                    {2, {syn(10, false, co2, 80), syn(11, true, co2, 80), syn_ack(11, false)}}});
    CHECK(decision.verdict == WhyVerdict::dropped);
    CHECK(decision.answer);
    CHECK(decision.by_table);
}

TEST_CASE("why: nobody on a bridge is sent nothing, so that no rule sees it", "[unit]") {
    Way way = straight_way();
    way.points.resize(2);
    auto bridge = point(2, 0, "host", "br-1", "bridge");
    bridge.forwards = true;
    way.points.push_back(bridge);
    way.end = RouteStep::unknown;
    way.end_place = 2;
    way.ends_on_bridge = true;
    CHECK_FALSE(passage_of(way, "host", 2, true));
    Case one;
    one.facts.way = way;
    one.facts.probed = false;
    CHECK(one.decide({}).verdict == WhyVerdict::unknown);
    one.facts.silent = SilentNeighbour{"co1", "eth0", co2};
    CHECK(one.decide({}).verdict == WhyVerdict::unreachable);
}

TEST_CASE("why: a full queue takes no SYN, and refuses none", "[unit]") {
    Case one;
    Judgement full;
    full.verdict = ListenerVerdict::full;
    one.facts.probed = false;
    one.facts.listener = full;
    CHECK(one.decide({}).verdict == WhyVerdict::unknown);
    one.facts.proxied = BehindProxy{"co2", {co2, 80}, full, {}, BehindProxy::Leg::waiting};
    one.facts.probed = true;
    one.facts.end = ProbeEnd{};
    one.facts.way.points.resize(1);
    CHECK(operations::decide(one.facts).verdict == WhyVerdict::lost);
}

TEST_CASE("why: a datagram that left for a namespace that was not watched is not lost", "[unit]") {
    Case one;
    one.facts.flow.protocol = WhyProtocol::udp;
    one.facts.observed = {0, 2};
    const std::map<std::size_t, std::vector<SeenPacket>> seen{
        {0, {syn(2, true, co2, 80)}}, {2, {syn(10, false, co2, 80), syn(11, true, co2, 80)}}};
    CHECK(one.decide(seen).verdict == WhyVerdict::unknown);
    one.facts.flow.protocol = WhyProtocol::tcp;
    CHECK(one.decide(seen).verdict == WhyVerdict::lost);
}

TEST_CASE("why: a packet that a bridge switches does not pass the host's rules", "[unit]") {
    auto way = straight_way();
    auto bridge = point(2, 0, "host", "br-1", "bridge");
    bridge.forwards = true;
    way.points.insert(way.points.begin() + 2, bridge);
    CHECK_FALSE(passage_of(way, "host", 2));
    CHECK(passage_of(way, "host", 2, true) == HostPassage{"host", "br-1", "br-1", false});
    way.points[2].forwards = false;
    way.points[3].hop.kind = "route";
    CHECK(passage_of(way, "host", 2) == HostPassage{"host", "br-1", "veth2", false});
}

TEST_CASE("why: of a hairpin the same interface is the first and the last point", "[unit]") {
    Way way;
    way.points = {point(0, 2, "co1", "eth0", "source"), point(2, 10, "host", "veth1", "port"),
                  point(0, 2, "co1", "eth0", "destination")};
    const auto sightings = find_flow(flow, {{0, {syn(2, true, co2, 80)}}, {2, {syn(10, false, co2, 80)}}});
    mark_sightings(way, sightings, {0, 2}, true);
    CHECK(way.points[0].hop.seen == true);
    CHECK(way.points[2].hop.seen == false);
}

TEST_CASE("why: what was not seen among what was missed is not known", "[unit]") {
    auto way = straight_way();
    mark_sightings(way, {}, {0, 1, 2}, false);
    CHECK_FALSE(way.points[0].hop.seen);
}

TEST_CASE("why: a reset is not TO's where TO has not seen the packet", "[unit]") {
    Case one;
    one.facts.end.emplace().kind = ProbeEnd::Kind::reset;
    const auto decision = one.decide({{0, {syn(2, true, co2, 80)}}, {2, {syn(10, false, co2, 80)}}});
    CHECK(decision.verdict == WhyVerdict::rejected);
}

TEST_CASE("why: a refusal of what FROM has not even sent is FROM's own", "[unit]") {
    Case one;
    one.facts.end.emplace().kind = ProbeEnd::Kind::error;
    one.facts.end->no_port = true;
    one.facts.observed = {0, 2};
    auto decision = one.decide({});
    CHECK(decision.verdict == WhyVerdict::rejected);
    CHECK(decision.where->target == "co1");
    // Nor is it TO's where the host has not sent it on.
    decision = one.decide({{0, {syn(2, true, co2, 80)}}, {2, {syn(10, false, co2, 80)}}});
    CHECK(decision.verdict == WhyVerdict::rejected);
    CHECK(decision.where->target == "host");
    decision =
        one.decide({{0, {syn(2, true, co2, 80)}}, {2, {syn(10, false, co2, 80), syn(11, true, co2, 80)}}});
    CHECK(decision.verdict == WhyVerdict::refused);
}

TEST_CASE("why: a link that is down behind the host's routing still has the host's output", "[unit]") {
    std::vector<NamespaceFacts> facts(3);
    facts[2].target = "host";
    const Topology topology(std::move(facts));
    PlacedHop first;
    first.target = "co1";
    first.place = 0;
    first.step = RouteStep::routed;
    first.output = "eth0";
    PlacedHop down;
    down.target = "host";
    down.place = 2;
    down.step = RouteStep::link_down;
    down.input = "br-1";
    down.output = "br-2";
    down.route.emplace();
    auto way = way_of(topology, {first, down});
    CHECK(passage_of(way, "host", 2) == HostPassage{"host", "br-1", "br-2", false, false});
    down.route.reset();
    down.next_hop = co2;
    way = way_of(topology, {first, down});
    CHECK(way.ends_on_bridge);
    CHECK_FALSE(passage_of(way, "host", 2, true));
}

TEST_CASE("why: another flow's drop does not end the waiting", "[unit]") {
    auto first = event(1, "FORWARD", NFT_JUMP);
    add_headers(first, own_port, 80);
    auto strange = event(2, "FORWARD", NF_DROP);
    add_headers(strange, 1, 2);
    CHECK_FALSE(tells_of_drop(flow, std::vector{first, strange}));
    CHECK(tells_of_drop(flow, std::vector{first, event(1, "DOCKER-USER", NF_DROP)}));
}

TEST_CASE("why: a suggestion holds plain words only", "[unit]") {
    CHECK(is_plain_word("br-8f6d09548dd8"));
    CHECK(is_plain_word("DOCKER-ISOLATION-STAGE-2"));
    for (const auto* wrong :
         {"", "x; reboot", "$(reboot)", "`x`", "-rf", "a b", "a\"b", "a'b", "a\nb", "a|b"})
        CHECK_FALSE(is_plain_word(wrong));
    api::Target target;
    target.runtime = api::Runtime::docker;
    CHECK(command_in(target, "ip link").empty());
    target.pid = 42;
    CHECK(command_in(target, "ip link") == "nsenter --net=/proc/42/ns/net ip link");
}

TEST_CASE("why: what a traced rule did to the destination counts, and a redirection leads to the host",
          "[unit]") {
    kernel::RuleChain chain;
    chain.table = "ip nat";
    chain.name = "PREROUTING";
    kernel::PacketRule dnat;
    dnat.handle = 11;
    dnat.action = kernel::RuleAction::dnat;
    dnat.to_address = *IpAddress::parse("10.89.0.2");
    dnat.to_port = 80;
    kernel::PacketRule redirect;
    redirect.handle = 12;
    redirect.action = kernel::RuleAction::redirect;
    redirect.to_port = 3128;
    chain.rules = {dnat, redirect};
    const FamilyRules rules{{chain}, true};
    const auto own = [](const std::string& interface) {
        return interface == "br-1" ? std::optional(host) : std::nullopt;
    };
    auto met = step("accept");
    met.step.table = "nat";
    met.step.chain = "PREROUTING";
    met.step.handle = 11;
    std::vector<TracedStep> trace{met, step("drop")};
    CHECK(destination_by_trace(trace, rules, 2, flow, own) ==
          api::Endpoint{*IpAddress::parse("10.89.0.2"), 80});
    CHECK(trace[0].translates);
    CHECK_FALSE(trace[1].translates);
    met.step.handle = 12;
    met.step.input = "br-1";
    trace = {met};
    CHECK(destination_by_trace(trace, rules, 2, flow, own) == api::Endpoint{host, 3128});
    CHECK_FALSE(destination_by_trace(trace, rules, 1, flow, own));
}

TEST_CASE("why: a way is cut where it comes to the host, at the bridge that takes the frame", "[unit]") {
    auto way = straight_way();
    way.points.insert(way.points.begin() + 2, point(2, 0, "host", "br-1", "bridge"));
    way.points[2].forwards = true;
    auto cut = until(way, 2, "host");
    REQUIRE(cut.points.size() == 3);
    CHECK(cut.points.back().hop.interface == "br-1");
    CHECK_FALSE(cut.points.back().forwards);
    CHECK(cut.end_place == 2);
    way.points.erase(way.points.begin() + 2);
    way.points.insert(way.points.begin() + 2, point(2, 12, "host", "eth0", "route"));
    CHECK(until(way, 2, "host").points.size() == 2);
    CHECK(until(way, 7, "blue").points.empty());
}

TEST_CASE("why: a process that has taken a published port is not the container's own answer", "[unit]") {
    using Leg = BehindProxy::Leg;
    Case one;
    one.facts.host = "host";
    one.facts.end = ProbeEnd{};
    one.facts.way.points.resize(1);
    one.facts.way.points.push_back(point(2, 1, "host", "lo", "destination"));
    one.facts.way.end_place = 2;
    one.facts.observed = {0};
    Judgement takes;
    takes.verdict = ListenerVerdict::takes;
    one.facts.proxied = BehindProxy{"co2", {co2, 80}, takes};
    CHECK(operations::decide(one.facts).verdict == WhyVerdict::unknown);
    one.facts.proxied->leg = Leg::there;
    CHECK(operations::decide(one.facts).verdict == WhyVerdict::delivered);
    one.facts.proxied->asleep.emplace();
    CHECK(operations::decide(one.facts).verdict == WhyVerdict::lost);
    CHECK(operations::decide(one.facts).where == api::WhyPlace{"co2", "its kernel and its programs"});
    one.facts.proxied->asleep.reset();
    one.facts.proxied->leg = Leg::waiting;
    CHECK(operations::decide(one.facts).verdict == WhyVerdict::lost);
    one.facts.proxied->leg = Leg::given_up;
    CHECK(operations::decide(one.facts).verdict == WhyVerdict::unknown);
    one.facts.proxied->listener = Judgement{};
    CHECK(operations::decide(one.facts).verdict == WhyVerdict::refused);
}

TEST_CASE("why: a packet that waits for a program is dropped where the rule is that hands it over",
          "[unit]") {
    Case one;
    one.facts.trace = {step("jump DOCKER-USER"), step("queue")};
    const auto decision = one.decide({{0, {syn(2, true, co2, 80)}}});
    CHECK(decision.verdict == WhyVerdict::dropped);
    CHECK(decision.where == api::WhyPlace{"host", "ip filter FORWARD"});
    one.facts.trace.push_back(step("accept"));
    CHECK(queueing_step(one.facts.trace) == nullptr);
}

TEST_CASE("why: rules at an interface's ingress are named only where they may drop on the way", "[unit]") {
    const auto tables = parse_ruleset(
        "table netdev own { # handle 1\n\tchain in { # handle 1\n\t\ttype filter hook ingress device "
        "\"veth1\" "
        "priority filter; policy accept;\n\t\tip saddr 172.18.0.2 drop # handle 2\n\t}\n}\n");
    REQUIRE(tables);
    CHECK(ingress_drops(*tables, straight_way(), 2) == std::vector<std::string>{"netdev own in"});
    CHECK(ingress_drops(*tables, straight_way(), 1).empty());
}
