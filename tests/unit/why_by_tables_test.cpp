#include "daemon/operations/why_by_tables.hpp"

#include "daemon/operations/why_explanation.hpp"
#include "daemon/operations/why_narrow.hpp"
#include "daemon/operations/why_notes.hpp"
#include "daemon/operations/why_translation.hpp"
#include "daemon/operations/why_verdict.hpp"
#include "tests/support/catch.hpp"

#include <cerrno>

#include <arpa/inet.h>  // before the kernel's headers, which then leave out what it has
#include <linux/netfilter.h>

using namespace netlab;
using namespace netlab::operations;
using api::RouteStep;
using api::WhyProtocol;
using api::WhyVerdict;

namespace {

IpAddress address(const char* text) {
    return *IpAddress::parse(text);
}

api::Target target(const char* name, api::Runtime runtime, std::int32_t pid) {
    api::Target out;
    out.name = name;
    out.runtime = runtime;
    out.pid = pid;
    out.state = api::State::running;
    return out;
}

WayPoint point(std::size_t place, const char* target, const char* interface, const char* kind) {
    WayPoint out;
    out.place = place;
    out.port = Port{place, 2};
    out.hop.target = target;
    out.hop.interface = interface;
    out.hop.kind = kind;
    return out;
}

/// From co1 by the host, which routes, to co2: nothing was sent.
struct Case {
    api::Context context;
    api::WhyRequest request;
    WhyFacts facts{context, request};

    Case() {
        context.targets = {target("co1", api::Runtime::docker, 41)};
        context.others = {target("host", api::Runtime::host, 0), target("co2", api::Runtime::docker, 42)};
        request.from = "co1";
        request.to = "co2";
        request.protocol = WhyProtocol::tcp;
        request.port = 80;
        request.probe = false;
        facts.flow = {WhyProtocol::tcp, 0, address("172.17.0.4"), 80};
        auto bridge = point(1, "host", "br-net", "bridge");
        facts.way.points = {point(0, "co1", "eth0", "source"),
                            point(1, "host", "veth1", "port"),
                            bridge,
                            point(1, "host", "docker0", "route"),
                            point(1, "host", "veth2", "port"),
                            point(2, "co2", "eth0", "destination")};
        facts.way.end = RouteStep::delivered;
        facts.way.end_target = facts.final_target = "co2";
        facts.way.end_place = 2;
        facts.host = "host";
        facts.rules.emplace().known = true;
        facts.listener.emplace().verdict = ListenerVerdict::takes;
    }
    [[nodiscard]] WhyDecision decided() const { return decide(facts); }
    [[nodiscard]] WhyVerdict verdict() const { return decided().verdict; }
    [[nodiscard]] api::WhyPlace where() const { return decided().where.value_or(api::WhyPlace()); }
    [[nodiscard]] Explanation why() const { return explain_why(facts, decided()); }
    [[nodiscard]] bool says(std::string_view words) const {
        return why().explanation.find(words) != std::string::npos;
    }
};

WrongNeighbour wrong_of(std::size_t place, const char* target, const char* of) {
    return {{place, 2}, target, "eth0", address(of), MacAddress{}, "eth0 of co2", true, true};
}

}  // namespace

TEST_CASE("why by tables: nothing in the way is not yet an arrival", "[unit]") {
    Case one;
    CHECK(one.verdict() == WhyVerdict::unknown);
    CHECK(one.says("the way is there by the kernels' tables, and no rule of IP's on the host stops"));
    one.facts.rules->doubt = "inet own fw: meta cgroup 1 drop";
    CHECK(one.says("whether this rule stops it netlab cannot say: inet own fw"));
}

TEST_CASE("why by tables: an answer that the host loses is lost there, and one that may be is a doubt",
          "[unit]") {
    Case one;
    one.facts.lost_answer = LostAnswer{1, RouteStep::not_forwarded, address("172.18.0.2"), "docker0", {}};
    one.facts.lost_answer->shut = "net.ipv4.conf.docker0.forwarding";
    CHECK(one.verdict() == WhyVerdict::lost);
    CHECK(one.decided().answer);
    CHECK(one.where() == api::WhyPlace{"host", "docker0"});
    CHECK(one.why().suggestion == "sysctl -w net.ipv4.conf.docker0.forwarding=1");
    // Who gets it by a route that leads astray is not to blame.
    one.facts.stray = StrayRoute{
        "host", "default via 198.51.100.1 dev eth0", "eth0", "br-net", "co1", address("172.18.0.2")};
    CHECK(one.where() == api::WhyPlace{"host", "eth0"});
    CHECK(one.says("its route default via 198.51.100.1 dev eth0 is in the way"));
    one.facts.stray.reset();
    // Of whom is outside, too.
    one.facts.way.end = RouteStep::leaves;
    CHECK(one.verdict() == WhyVerdict::lost);
    one.facts.flow.protocol = WhyProtocol::udp;
    CHECK(one.verdict() == WhyVerdict::unknown);
    Case doubtful;
    doubtful.facts.lost_answer = LostAnswer{1, RouteStep::leaves, address("172.18.0.2"), "docker0", {}};
    doubtful.facts.lost_answer->led = "eth0 (by the policy rule 5: from all lookup 100)";
    CHECK(doubtful.verdict() == WhyVerdict::unknown);
    CHECK(doubtful.says("by eth0 (by the policy rule 5: from all lookup 100)"));
}

TEST_CASE("why by tables: what may be translated is not refused where it would go untranslated", "[unit]") {
    Case one;
    one.facts.listener->verdict = ListenerVerdict::none;
    CHECK(one.verdict() == WhyVerdict::refused);
    one.facts.rules->translation_in_doubt = true;
    CHECK(one.verdict() == WhyVerdict::unknown);
    one.facts.way.end = RouteStep::blackhole;
    CHECK(one.verdict() == WhyVerdict::unknown);
    Case resolver;
    resolver.facts.listener->verdict = ListenerVerdict::none;
    resolver.facts.flow.remote = address("127.0.0.11");
    CHECK(resolver.verdict() == WhyVerdict::unknown);
}

TEST_CASE("why by tables: a rule that stops the answer decides, but by a mark the answer may go elsewhere",
          "[unit]") {
    Case one;
    auto& back = one.facts.rules_back.emplace();
    back.known = true;
    back.rule.emplace().target = "host";
    back.rule->chain = "FORWARD";
    CHECK(one.verdict() == WhyVerdict::dropped);
    CHECK(one.decided().answer);
    back.marks = true;
    CHECK(one.verdict() == WhyVerdict::unknown);
    back.rule.reset();
    one.facts.lost_answer = LostAnswer{1, RouteStep::blackhole, address("172.18.0.2"), "docker0", {}};
    CHECK(one.verdict() == WhyVerdict::unknown);
    back.marks = false;
    CHECK(one.verdict() == WhyVerdict::lost);
}

namespace {

RulesDecision dropping(const char* target, const char* chain, const char* hook,
                       std::optional<std::size_t> place = {}) {
    RulesDecision out;
    out.known = true;
    auto& rule = out.rule.emplace();
    rule.target = target;
    rule.family = "ip";
    rule.table = "filter";
    rule.chain = chain;
    rule.handle = 7;
    rule.text = "tcp dport 80 drop";
    out.hook = hook;
    out.place = place;
    out.destination = {address("172.17.0.4"), 80};
    return out;
}

/// The case with rules around the host's, none of which stops anything yet.
struct Surrounded : Case {
    Surrounded() {
        for (auto* around : {&facts.around, &facts.around_back}) {
            around->emplace();
            (*around)->before.known = (*around)->behind.known = true;
        }
        facts.rules_back.emplace().known = true;
    }
};

}  // namespace

TEST_CASE("why by tables: FROM's and TO's own rules decide where they are met on the way", "[unit]") {
    const Surrounded clear;
    CHECK(clear.verdict() == WhyVerdict::unknown);
    CHECK(
        clear.says("no rule of nf_tables' or iptables' on the way stops the packet or its answer, as netlab "
                   "reads them"));
    Surrounded one;
    one.facts.rules->rule = dropping("host", "FORWARD", "forward").rule;
    one.facts.around->before = dropping("co1", "OUTPUT", "output", 0);
    CHECK(one.verdict() == WhyVerdict::dropped);
    CHECK(one.where() == api::WhyPlace{"co1", "ip filter OUTPUT"});
    CHECK(one.why().suggestion ==
          "nsenter --net=/proc/41/ns/net nft insert rule ip filter OUTPUT ip daddr "
          "172.17.0.4 tcp dport 80 accept");
    // The host's come before TO's own, and what is not there meets none of these.
    Surrounded into;
    into.facts.around->behind = dropping("co2", "INPUT", "input", 2);
    CHECK(into.where() == api::WhyPlace{"co2", "ip filter INPUT"});
    CHECK(into.why().suggestion.starts_with("nsenter --net=/proc/42/ns/net "));
    into.facts.rules->rule = dropping("host", "FORWARD", "forward").rule;
    CHECK(into.where() == api::WhyPlace{"host", "ip filter FORWARD"});
    into.facts.rules->rule.reset();
    into.facts.way.end = RouteStep::blackhole;
    CHECK(into.verdict() == WhyVerdict::unreachable);
    // Its answer.
    Surrounded answering;
    answering.facts.around_back->before = dropping("co2", "OUTPUT", "output", 2);
    CHECK(answering.verdict() == WhyVerdict::dropped);
    CHECK(answering.decided().answer);
    answering.facts.no_way_back = NoWayBack{2, address("172.18.0.2"), ENETUNREACH, {}};
    CHECK(answering.verdict() == WhyVerdict::lost);
    Surrounded coming_back;
    coming_back.facts.around_back->behind = dropping("co1", "INPUT", "input", 0);
    CHECK(coming_back.where() == api::WhyPlace{"co1", "ip filter INPUT"});
    CHECK(coming_back.decided().answer);
    // Of somebody outside, too; a datagram's answer is a doubt.
    coming_back.facts.way.end = RouteStep::leaves;
    CHECK(coming_back.verdict() == WhyVerdict::dropped);
    coming_back.facts.way.end = RouteStep::delivered;
    coming_back.facts.flow.protocol = WhyProtocol::udp;
    CHECK(coming_back.verdict() == WhyVerdict::unknown);
    CHECK(coming_back.says("it is the answer that it drops"));
    CHECK_FALSE(coming_back.says("on the way stops"));
}

TEST_CASE("why by tables: where the answer takes another way, a rule of the packet's own way does not decide",
          "[unit]") {
    Surrounded one;
    one.facts.rules_back->rule = dropping("host", "FORWARD", "forward").rule;
    CHECK(one.where() == api::WhyPlace{"host", "ip filter FORWARD"});
    one.facts.answers_by = "eth1";
    CHECK(one.verdict() == WhyVerdict::unknown);
    CHECK(one.says("co2 sends its answer by eth1, and the packet comes in by eth0"));
    CHECK_FALSE(one.says("it is the answer that it drops"));
    one.facts.flow.protocol = WhyProtocol::udp;
    CHECK_FALSE(one.says("it is the answer that it drops"));
    one.facts.flow.protocol = WhyProtocol::tcp;
    // TO's own rules see it leave, and what its way loses for certain is known.
    one.facts.around_back->before = dropping("co2", "OUTPUT", "output", 2);
    CHECK(one.where() == api::WhyPlace{"co2", "ip filter OUTPUT"});
    one.facts.around_back->before.rule.reset();
    one.facts.rules_back->rule.reset();
    one.facts.lost_answer = LostAnswer{1, RouteStep::not_forwarded, address("172.18.0.2"), "br1", {}};
    CHECK(one.verdict() == WhyVerdict::lost);
}

TEST_CASE("why by tables: what an end's own rules may do is a doubt, and whose were not read is said",
          "[unit]") {
    Surrounded one;
    one.facts.around->behind.doubt = "co2's inet own fw: meta cgroup 1 drop";
    CHECK(one.verdict() == WhyVerdict::unknown);
    CHECK(one.says("whether this rule stops it netlab cannot say: co2's inet own fw"));
    Surrounded unread;
    unread.facts.unread = {"co2"};
    unread.facts.around->behind.known = false;
    CHECK(unread.says("netlab has not read the rules of co2"));
    // What FROM makes of its addresses leads elsewhere, and where TO sends it on another listens.
    Surrounded translating;
    translating.facts.around->before.translation_in_doubt = true;
    translating.facts.around->before.doubt = "co1's ip nat c: dnat to 172.17.0.9";
    translating.facts.rules->rule = dropping("host", "FORWARD", "forward").rule;
    translating.facts.rules->hook = "forward";
    CHECK(translating.verdict() == WhyVerdict::unknown);
    CHECK(translating.says("whether this rule translates it"));
    Surrounded sent_on;
    sent_on.facts.listener->verdict = ListenerVerdict::none;
    CHECK(sent_on.verdict() == WhyVerdict::refused);
    sent_on.facts.around->behind.translation_in_doubt = true;
    CHECK(sent_on.verdict() == WhyVerdict::unknown);
}

TEST_CASE("why by tables: a rule that keeps a neighbour from being found decides, one that may is told",
          "[unit]") {
    Surrounded one;
    auto& silent = one.facts.silent.emplace();
    silent = {"co1", "eth0", address("172.18.0.1"), {0, 2}};
    CHECK(one.verdict() == WhyVerdict::unknown);
    auto& stop = silent.stop.emplace();
    stop.rule.target = "co2";
    stop.rule.family = "arp";
    stop.rule.table = "a";
    stop.rule.chain = "c";
    stop.place = 2;
    stop.arp = true;
    stop.certain = false;
    CHECK(one.verdict() == WhyVerdict::unknown);
    stop.certain = true;
    // No frame of the packet's leaves FROM before, and so none meets the host's rules.
    one.facts.rules->rule = dropping("host", "FORWARD", "forward").rule;
    CHECK(one.verdict() == WhyVerdict::unreachable);
    CHECK(one.decided().rule->table == "a");
    CHECK(one.why().suggestion == "nsenter --net=/proc/42/ns/net nft insert rule arp a c accept");
    // Nor one that sees frames; FROM's own see the packet before anybody is asked, except at its interface.
    one.facts.rules->rule.reset();
    one.facts.around->before = dropping("host", "c", "prerouting");
    CHECK(one.decided().rule->table == "a");
    one.facts.around->before = dropping("co1", "c", "egress", 0);
    CHECK(one.decided().rule->table == "a");
    one.facts.around->before = dropping("co1", "OUTPUT", "output", 0);
    CHECK(one.decided().rule->chain == "OUTPUT");
    // Behind FROM the packet comes to the host's first.
    silent.at.place = 1;
    one.facts.around->before = dropping("host", "c", "prerouting");
    CHECK(one.decided().rule->chain == "c");
}

TEST_CASE("why by tables: a TO that answers by another than its gateway, or has a double, is a doubt",
          "[unit]") {
    Surrounded one;
    api::Membership network;
    network.name = "net2";
    network.gateway = address("172.17.0.1");
    one.context.others[1].networks = {network};
    auto& back = one.facts.route_back.emplace();
    back.target = "co2";
    back.is_default = true;
    back.gateway = address("172.17.0.1");
    CHECK(one.says("on the way stops the packet"));
    back.gateway = address("172.17.0.99");
    CHECK(one.verdict() == WhyVerdict::unknown);
    CHECK(one.says("co2 sends it to 172.17.0.99, and its networks' gateway is 172.17.0.1 of net2"));
    Surrounded twice;
    twice.facts.segment.explanation = "eth0 of co3 has 172.17.0.4, too";
    CHECK_FALSE(twice.says("eth0 of co3"));
    twice.facts.way.points.front().duplicate_next_hop = true;
    CHECK(twice.says("but eth0 of co3 has 172.17.0.4, too"));
}

TEST_CASE("why: behind a rule that drops it a translation to nobody is told", "[unit]") {
    Surrounded one;
    one.facts.rules->rule = dropping("host", "FORWARD", "forward").rule;
    CHECK_FALSE(one.says("finds nobody"));
    one.facts.translated = api::Endpoint{address("172.17.0.77"), 80};
    one.facts.way.end = RouteStep::unknown;
    one.facts.way.note = "no target that netlab knows has 172.17.0.77 on this bridge";
    CHECK(one.verdict() == WhyVerdict::dropped);
    CHECK(
        one.says("behind it the packet finds nobody: its destination has been translated to 172.17.0.77:80"));
    CHECK_FALSE(one.says("old conntrack entry"));
}

TEST_CASE("why by tables: a permanent neighbour entry that nobody has loses the packet, or its answer",
          "[unit]") {
    Case there;
    there.facts.wrong = wrong_of(0, "co1", "172.18.0.1");
    CHECK(there.verdict() == WhyVerdict::lost);
    CHECK(there.where() == api::WhyPlace{"co1", "eth0 and eth0 of co2"});
    CHECK(there.why().suggestion == "nsenter --net=/proc/41/ns/net ip neigh del 172.18.0.1 dev eth0");
    // FROM's own comes before any rule of the host's, and whatever that may do.
    there.facts.rules->rule.emplace().target = "host";
    CHECK(there.verdict() == WhyVerdict::lost);
    // What the host makes itself its rules see first.
    there.facts.wrong->target = "host";
    CHECK(there.verdict() == WhyVerdict::dropped);
    there.facts.wrong->at.place = 1;
    CHECK(there.verdict() == WhyVerdict::dropped);
    Case back;
    back.facts.wrong_back = wrong_of(2, "co2", "172.17.0.1");
    CHECK(back.verdict() == WhyVerdict::lost);
    CHECK(back.decided().answer);
    CHECK(back.why().suggestion == "nsenter --net=/proc/42/ns/net ip neigh del 172.17.0.1 dev eth0");
}

TEST_CASE("why by tables: a neighbour entry that is asked for anew, or is somebody's, is a doubt", "[unit]") {
    for (const bool permanent : {true, false}) {
        Case one;
        one.facts.wrong = wrong_of(0, "co1", "172.18.0.1");
        one.facts.wrong->permanent = permanent;
        one.facts.wrong->nobodys = !permanent;
        CHECK(one.verdict() == WhyVerdict::unknown);
        CHECK(one.says("by the kernels' tables, but co1 sends what is for 172.18.0.1"));
        CHECK_FALSE(one.why().suggestion.empty());
    }
}

TEST_CASE("why by tables: an answer that cannot leave is lost, except for a datagram, which needs none",
          "[unit]") {
    Case one;
    one.facts.no_way_back = NoWayBack{2, address("172.18.0.2"), ENETUNREACH, {}};
    CHECK(one.verdict() == WhyVerdict::lost);
    CHECK(one.decided().answer);
    CHECK(one.where() == api::WhyPlace{"co2", "eth0 and its answer"});
    CHECK(one.says("co2 has no route to 172.18.0.2"));
    // Nor does a refusal come back.
    one.facts.listener->verdict = ListenerVerdict::none;
    CHECK(one.verdict() == WhyVerdict::lost);
    one.facts.listener->verdict = ListenerVerdict::takes;
    one.facts.flow.protocol = WhyProtocol::udp;
    CHECK(one.verdict() == WhyVerdict::unknown);
    CHECK(one.says("co2 has no route to 172.18.0.2"));
    one.facts.flow.protocol = WhyProtocol::tcp;
    one.facts.rules->doubt = "inet own fw: meta cgroup 1 drop";
    CHECK(one.verdict() == WhyVerdict::unknown);
    CHECK(one.says("co2 has no route to 172.18.0.2"));
    CHECK(one.says("inet own fw"));
}

TEST_CASE("why by tables: a link that is too small ends the packet with or without a word", "[unit]") {
    Case own;
    own.request.size = 1600;
    own.facts.narrow = NarrowLink{"eth0 of co1", 1500, NarrowLink::Word::own, 0};
    own.facts.rules->rule.emplace().target = "host";
    CHECK(own.verdict() == WhyVerdict::unreachable);
    CHECK(own.where() == api::WhyPlace{"co1", "eth0"});
    CHECK(own.says("EMSGSIZE"));
    Case routed;
    routed.request.size = 1400;
    routed.facts.narrow = NarrowLink{"docker0 of host", 1300, NarrowLink::Word::icmp, 3};
    CHECK(routed.verdict() == WhyVerdict::unreachable);
    CHECK(routed.where() == api::WhyPlace{"host", "docker0"});
    CHECK(routed.says("docker0 of host has an MTU of 1300"));
    CHECK(routed.says("fragmentation needed"));
    Case silent;
    silent.request.size = 1400;
    silent.facts.narrow = NarrowLink{"veth2 of host", 1300, NarrowLink::Word::silently, 4};
    CHECK(silent.verdict() == WhyVerdict::lost);
    CHECK(silent.where() == api::WhyPlace{"host", "docker0 and veth2 of host"});
    CHECK(silent.why().suggestion == "ip link set veth2 mtu 1400");
    silent.facts.narrow->word = NarrowLink::Word::unsure;
    CHECK(silent.verdict() == WhyVerdict::unknown);
    CHECK(silent.says("veth2 of host has an MTU of 1300"));
}

TEST_CASE("why by tables: where a rule is met on a stray route, the route is what is wrong", "[unit]") {
    Case one;
    one.facts.stray =
        StrayRoute{"host", "172.17.0.4 dev br-net", "br-net", "docker0", "co2", address("172.17.0.4")};
    one.facts.rules->rule.emplace().target = "host";
    one.facts.rules->output = "br-net";
    CHECK(one.verdict() == WhyVerdict::dropped);
    CHECK(one.why().suggestion == "ip route del 172.17.0.4 dev br-net");
    // By another interface it is not what led there.
    one.facts.rules->output = "docker0";
    CHECK(one.why().suggestion != "ip route del 172.17.0.4 dev br-net");
    Case nobody;
    nobody.facts.stray = one.facts.stray;
    nobody.facts.way.end = RouteStep::unknown;
    nobody.facts.way.ends_on_bridge = true;
    CHECK(nobody.verdict() == WhyVerdict::unreachable);
    CHECK(nobody.where() == api::WhyPlace{"host", "br-net"});
    CHECK(nobody.why().suggestion == "ip route del 172.17.0.4 dev br-net");
    // On a network where nobody that is known has it, and nobody else than the host is asked.
    nobody.facts.way.ends_on_bridge = false;
    CHECK(nobody.verdict() == WhyVerdict::unknown);
    nobody.facts.way.points.resize(4);
    nobody.facts.way.points.back() = point(1, "host", "br-net", "route");
    CHECK(nobody.verdict() == WhyVerdict::unreachable);
    Case answer;
    answer.facts.stray = one.facts.stray;
    answer.facts.stray->address = address("172.18.0.2");
    CHECK(answer.verdict() == WhyVerdict::unknown);
    CHECK(answer.says("is in the way"));
    // What a bridge passes on the host's routes do not see.
    for (auto& passed : answer.facts.way.points) {
        if (passed.hop.kind == "route") passed.hop.kind = "port";
        passed.forwards = passed.hop.kind == "bridge";
    }
    CHECK_FALSE(answer.says("is in the way"));
}

TEST_CASE("why: a policy rule that asks for a mark which a rule sets may refuse, and never certainly",
          "[unit]") {
    Case one;
    one.facts.by_mark = "5: from all fwmark 0x5 unreachable";
    CHECK(one.verdict() == WhyVerdict::unknown);
    CHECK(one.says("fwmark 0x5 unreachable, which asks for a mark, may refuse it"));
    // A rule behind the routing decision may never see it: a kill switch is not to be opened.
    auto& rule = one.facts.rules->rule.emplace();
    rule.target = "host";
    one.facts.rules->hook = "forward";
    CHECK(one.verdict() == WhyVerdict::unknown);
    one.facts.rules->hook = "prerouting";
    CHECK(one.verdict() == WhyVerdict::dropped);
    one.facts.rules->rule.reset();
    CHECK(one.why().suggestion == "netlab rules host");
    one.facts.way.end = RouteStep::unreachable;
    CHECK(one.verdict() == WhyVerdict::unknown);
    one.facts.way.end = RouteStep::delivered;
    one.facts.no_way_back = NoWayBack{2, address("172.18.0.2"), ENETUNREACH, {}};
    CHECK(one.verdict() == WhyVerdict::unknown);
    one.facts.no_way_back.reset();
    one.facts.probed = true;
    one.facts.end.emplace().kind = ProbeEnd::Kind::error;
    one.facts.end->what = "host unreachable";
    CHECK(one.verdict() == WhyVerdict::unreachable);
    CHECK(one.says("host unreachable; a rule of host's sets its mark"));
}

TEST_CASE("why: a paused TO takes no connection and no datagram, though its kernel does", "[unit]") {
    Case one;
    one.context.others.back().state = api::State::paused;
    one.facts.asleep = Sleep{Sleep::Extent::all, one.context.others.back()};
    CHECK(one.verdict() == WhyVerdict::lost);
    CHECK(one.where() == api::WhyPlace{"co2", "eth0 and its programs"});
    CHECK(one.says("co2 is paused"));
    CHECK(one.why().suggestion == "docker unpause co2");
    one.facts.probed = true;
    one.facts.end = ProbeEnd{};
    for (auto& passed : one.facts.way.points)
        passed.hop.seen = true;
    CHECK(one.verdict() == WhyVerdict::lost);
    CHECK(one.where() == api::WhyPlace{"co2", "eth0 and its programs"});
    CHECK(one.says("co2 is paused"));
    one.facts.flow.protocol = WhyProtocol::udp;
    one.facts.end.reset();
    CHECK(one.verdict() == WhyVerdict::lost);
    CHECK(one.where() == api::WhyPlace{"co2", "eth0 and its programs"});
    // An echo is the kernel's own business.
    one.facts.flow.protocol = WhyProtocol::icmp;
    one.facts.listener.reset();
    one.facts.end = ProbeEnd{};
    CHECK(one.verdict() == WhyVerdict::delivered);
    CHECK(one.says("co2 is paused"));
    one.facts.probed = false;
    CHECK(one.verdict() == WhyVerdict::unknown);
    CHECK(one.says("co2 is paused"));
}

TEST_CASE("why by tables: a policy rule that asks for the answer's mark is named", "[unit]") {
    Case one;
    one.facts.host = "host";
    one.facts.rules_back.emplace().known = true;
    one.facts.rules_back->marks = true;
    one.facts.by_mark_back = "5: from all fwmark 0x5 unreachable";
    CHECK(one.verdict() == WhyVerdict::unknown);
    CHECK(one.says("sets the answer's mark, and the policy rule 5: from all fwmark 0x5 unreachable"));
    CHECK(one.why().suggestion == "netlab rules host");
}

TEST_CASE("why: in a shared namespace it is whose socket it is that counts", "[unit]") {
    Case one;
    auto& co2 = one.context.others.back();
    co2.state = api::State::paused;
    co2.namespace_.emplace().shared_with = {"sidecar"};
    // Another's program takes it: nobody need wake the paused one.
    CHECK_FALSE(one.says("paused"));
    CHECK(one.why().suggestion.empty());
    auto sidecar = co2;
    sidecar.name = "sidecar";
    one.facts.asleep = Sleep{Sleep::Extent::all, sidecar};
    CHECK(one.verdict() == WhyVerdict::lost);
    CHECK(one.why().suggestion == "docker unpause sidecar");
    one.facts.asleep->extent = Sleep::Extent::some;
    CHECK(one.verdict() == WhyVerdict::unknown);
    CHECK(one.why().suggestion == "docker unpause sidecar");
    one.facts.asleep->extent = Sleep::Extent::unknown;
    CHECK(one.verdict() == WhyVerdict::unknown);
    CHECK(one.says("whether it is its program that listens netlab does not know"));
    // The kernel's answer says nothing of whose it is.
    one.facts.probed = true;
    one.facts.end = ProbeEnd{};
    for (auto& passed : one.facts.way.points)
        passed.hop.seen = true;
    CHECK(one.verdict() == WhyVerdict::unknown);
    CHECK(one.says("netlab does not know"));
}

TEST_CASE("why: a paused FROM is noted", "[unit]") {
    Case one;
    CHECK(notes_of(one.facts, one.decided()).empty());
    one.context.targets.front().state = api::State::paused;
    CHECK(notes_of(one.facts, one.decided()) ==
          std::vector<std::string>{"co1 is paused: its own programs send nothing now"});
}

TEST_CASE("why: who joined another's namespace is told, as the way has that one's name", "[unit]") {
    Case one;
    one.context.peer = target("sidecar", api::Runtime::docker, 43);
    one.context.peer->namespace_.emplace().shared_with = {"co2"};
    CHECK(notes_of(one.facts, one.decided()).empty());
    one.context.peer->network_mode = "container:1234";
    CHECK(notes_of(one.facts, one.decided()) ==
          std::vector<std::string>{
              "sidecar shares its network namespace with co2: the packets of one are the other's"});
}

TEST_CASE("why: a kernel that is told to answer no echo is named with the setting", "[unit]") {
    Case one;
    one.facts.flow = {WhyProtocol::icmp, 7, address("172.17.0.4"), 0};
    one.facts.listener.reset();
    one.facts.ignores_echoes = true;
    CHECK(one.verdict() == WhyVerdict::lost);
    CHECK(one.where() == api::WhyPlace{"co2", "eth0 and its answer"});
    for (const bool probed : {false, true}) {
        one.facts.probed = probed;
        for (auto& passed : one.facts.way.points)
            passed.hop.seen = true;
        CHECK(one.verdict() == WhyVerdict::lost);
        CHECK(one.says("net.ipv4.icmp_echo_ignore_all is 1"));
        CHECK(one.why().suggestion ==
              "nsenter --net=/proc/42/ns/net sysctl -w net.ipv4.icmp_echo_ignore_all=0");
    }
    one.facts.flow.remote = address("2001:db8:6::2");
    CHECK(one.says("net.ipv6.icmp.echo_ignore_all is 1"));
}

TEST_CASE("why: the first link that ends the packet is the one that is too small", "[unit]") {
    std::vector<NamespaceFacts> facts(3);
    facts[0].target = "co1";
    facts[1].target = "host";
    facts[2].target = "co2";
    const auto add = [&](std::size_t place, std::uint32_t index, const char* name, const char* kind,
                         std::uint32_t mtu) {
        kernel::Link link;
        link.index = index;
        link.name = name;
        link.kind = kind;
        link.mtu = mtu;
        facts[place].links.push_back(link);
    };
    add(0, 2, "eth0", "veth", 1500);
    add(1, 2, "veth1", "veth", 1500);
    add(1, 3, "br-net", "bridge", 1400);
    add(1, 4, "docker0", "bridge", 1450);
    add(2, 2, "eth0", "veth", 1396);
    const Topology topology(std::move(facts));
    Way way = Case().facts.way;
    way.points.erase(way.points.begin() + 4);
    way.points[2].port = Port{1, 3};
    way.points[3].port = Port{1, 4};
    using Word = NarrowLink::Word;
    CHECK_FALSE(find_narrow(topology, way, 1396));
    CHECK(find_narrow(topology, way, 1501)->word == Word::own);
    // What comes in by a bridge is not held against its MTU.
    CHECK(find_narrow(topology, way, 1460)->point == 3);
    CHECK(find_narrow(topology, way, 1460)->word == Word::icmp);
    CHECK(find_narrow(topology, way, 1420)->word == Word::silently);
    CHECK(find_narrow(topology, way, 1420)->name == "eth0 of co2");
    // A VLAN's tag more has room.
    CHECK(find_narrow(topology, way, 1400)->word == Word::unsure);
}

TEST_CASE("why: whom TO answers is told by the host's rules, or not at all", "[unit]") {
    kernel::RuleChain postrouting;
    postrouting.table = "ip nat";
    postrouting.name = "POSTROUTING";
    postrouting.hook = kernel::NftHook{NF_INET_POST_ROUTING, 100};
    postrouting.nat = true;
    kernel::PacketRule masquerade;
    masquerade.output = kernel::Condition<std::string>{"eth0", false};
    masquerade.action = kernel::RuleAction::masquerade;
    postrouting.rules = {masquerade};
    FamilyRules rules{{postrouting}, true};
    const auto co1 = address("172.18.0.2");
    const auto host = address("198.51.100.2");
    const Flow flow{WhyProtocol::tcp, 0, address("203.0.113.8"), 80};
    const auto own = [&](const std::string& interface) {
        return interface == "eth0" ? std::optional(host) : std::nullopt;
    };
    const auto source = [&](const char* output) {
        return source_by_rules(rules, {"host", "br-net", output}, flow, co1, {flow.remote, 80}, own);
    };
    CHECK(source("eth0") == host);
    CHECK(source("docker0") == co1);
    auto& rule = rules.chains.front().rules.front();
    rule.action = kernel::RuleAction::snat;
    rule.to_address = address("198.51.100.9");
    CHECK(source("eth0") == rule.to_address);
    rule.more_conditions = true;
    CHECK_FALSE(source("eth0"));
    rule.more_conditions = false;
    // A mark that nobody sets is none.
    rule.mark = kernel::Condition<kernel::MarkBits>{{0x2000, 0x2000}, false};
    CHECK(source("eth0") == co1);
    kernel::RuleChain mangle;
    mangle.table = "ip mangle";
    mangle.name = "FORWARD";
    mangle.hook = kernel::NftHook{NF_INET_FORWARD, -150};
    mangle.rules.emplace_back().sets_mark = true;
    rules.chains.push_back(mangle);
    CHECK_FALSE(source("eth0"));
    rules = FamilyRules{{}, false};
    CHECK_FALSE(source("docker0"));
}
