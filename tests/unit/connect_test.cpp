#include "common/api/connect.hpp"

#include "common/connect_tally.hpp"
#include "daemon/operations/connect_attempt.hpp"
#include "daemon/operations/connect_explanation.hpp"
#include "daemon/operations/listener_explanation.hpp"
#include "daemon/operations/listeners.hpp"
#include "daemon/operations/probe_packet.hpp"
#include "tests/support/catch.hpp"

#include <cerrno>
#include <random>

#include <linux/errqueue.h>

using namespace netlab;
using namespace netlab::operations;
using api::ConnectOutcome;

namespace {

IpAddress ip(std::string_view text) {
    return *IpAddress::parse(text);
}

using Bytes = std::vector<std::uint8_t>;

/// 172.18.0.2:40000 -> 172.18.0.3:80, TTL 63, SYN, sequence 0x01020304.
Bytes syn_v4() {
    return {0x45, 0,    0, 40, 0, 0, 0x40, 0, 63, 6, 0, 0, 172,  18,   0, 2, 172, 18, 0, 3,   // IPv4
            0x9C, 0x40, 0, 80, 1, 2, 3,    4, 0,  0, 0, 0, 0x50, 0x02, 0, 0, 0,   0,  0, 0};  // TCP
}

/// fd00::2 port 53 -> fd00::1 port 40000, UDP.
Bytes udp_v6() {
    Bytes bytes{0x60, 0, 0, 0, 0, 8, 17, 64};
    const auto append = [&](std::string_view address) {
        const auto parsed = ip(address);
        bytes.insert(bytes.end(), parsed.bytes().begin(), parsed.bytes().end());
    };
    append("fd00::2");
    append("fd00::1");
    for (const int byte : {0, 53, 0x9C, 0x40, 0, 8, 0, 0})
        bytes.push_back(static_cast<std::uint8_t>(byte));
    return bytes;
}

SeenPacket seen(bool outgoing, const char* from, std::uint16_t from_port, const char* to,
                std::uint16_t to_port, std::uint32_t sequence, std::uint32_t acknowledged = 0) {
    SeenPacket out;
    out.outgoing = outgoing;
    out.packet.tcp = true;
    out.packet.source = ip(from);
    out.packet.destination = ip(to);
    out.packet.source_port = from_port;
    out.packet.destination_port = to_port;
    out.packet.sequence = sequence;
    out.packet.acknowledged = acknowledged;
    out.packet.syn = true;
    out.packet.ack_flag = acknowledged != 0;
    return out;
}

SeenPacket reset(bool outgoing, const char* from, const char* to, std::uint16_t to_port,
                 std::uint32_t acknowledged) {
    auto out = seen(outgoing, from, 80, to, to_port, 0, acknowledged);
    out.packet.syn = false;
    out.packet.rst = true;
    return out;
}

const ProbeIdentity identity{ip("10.0.0.2"), 80, 40000, true};

api::Listener listener(std::string_view address, std::uint16_t port = 80) {
    api::Listener out;
    out.address = ip(address);
    out.port = port;
    if (out.address.is_v6()) out.v6only = false;
    return out;
}

ListenerVerdict verdict(const std::vector<api::Listener>& listeners, std::string_view to) {
    return judge_listeners(listeners, ip(to), 80).verdict;
}

api::ConnectRequest request() {
    api::ConnectRequest request;
    request.from = "co1";
    request.to = "co2";
    request.port = 80;
    return request;
}

errc refused(const api::ConnectRequest& request, api::Roles roles = {}) {
    const auto checked = check(request, roles);
    REQUIRE(!checked);
    return checked.error().code;
}

}  // namespace

TEST_CASE("probe packet: a SYN over IPv4", "[unit]") {
    const auto packet = parse_probe_packet(syn_v4());
    REQUIRE(packet);
    CHECK(packet->source == ip("172.18.0.2"));
    CHECK(packet->destination == ip("172.18.0.3"));
    CHECK(packet->source_port == 40000);
    CHECK(packet->destination_port == 80);
    CHECK(packet->ttl == 63);
    CHECK((packet->tcp && packet->syn && !packet->ack_flag && !packet->rst));
    CHECK(packet->sequence == 0x01020304);
}

TEST_CASE("probe packet: options in the IPv4 header are passed over", "[unit]") {
    auto bytes = syn_v4();
    bytes[0] = 0x46;
    bytes.insert(bytes.begin() + 20, 4, 1);
    CHECK(parse_probe_packet(bytes)->destination_port == 80);
}

TEST_CASE("probe packet: a datagram over IPv6", "[unit]") {
    const auto packet = parse_probe_packet(udp_v6());
    REQUIRE(packet);
    CHECK(!packet->tcp);
    CHECK(packet->source == ip("fd00::2"));
    CHECK(packet->source_port == 53);
    CHECK(packet->ttl == 64);
}

TEST_CASE("probe packet: what is cut short, a later fragment or something else is nothing", "[unit]") {
    for (const auto& whole : {syn_v4(), udp_v6()}) {
        for (std::size_t size = 0; size < whole.size(); ++size)
            CHECK(!parse_probe_packet(std::span(whole).first(size)));
    }
    auto fragment = syn_v4();
    fragment[7] = 1;
    CHECK(!parse_probe_packet(fragment));
    auto icmp = syn_v4();
    icmp[9] = 1;
    CHECK(!parse_probe_packet(icmp));
    auto header = syn_v4();
    header[0] = 0x44;
    CHECK(!parse_probe_packet(header));
    header[0] = 0x4F;
    CHECK(!parse_probe_packet(header));
    header[0] = 0x55;
    CHECK(!parse_probe_packet(header));
}

TEST_CASE("probe packet: any bytes are taken without harm", "[unit]") {
    std::mt19937 random(4);
    for (int i = 0; i < 20'000; ++i) {
        Bytes bytes(random() % 80);
        for (auto& byte : bytes)
            byte = static_cast<std::uint8_t>(random());
        if (!bytes.empty() && i % 2 == 0) bytes[0] = i % 4 == 0 ? 0x45 : 0x60;
        (void)parse_probe_packet(bytes);
    }
}

TEST_CASE("probe trace: a SYN that arrives and is refused there", "[unit]") {
    const std::vector from{seen(true, "10.0.0.1", 40000, "10.0.0.2", 80, 7),
                           reset(false, "10.0.0.2", "10.0.0.1", 40000, 8)};
    const std::vector peer{seen(false, "10.0.0.1", 40000, "10.0.0.2", 80, 7),
                           reset(true, "10.0.0.2", "10.0.0.1", 40000, 8)};
    const auto trace = trace_probe(identity, from, peer);
    CHECK(trace.left == 1);
    CHECK(trace.reset == from[1]);
    CHECK(trace.arrived == 1);
    CHECK(trace.peer_reset);
    CHECK(!trace.reply_came);
}

TEST_CASE("probe trace: an address translation changes all but the sequence number", "[unit]") {
    const std::vector from{seen(true, "10.0.0.1", 40000, "10.0.0.2", 80, 7)};
    const std::vector peer{seen(false, "192.0.2.9", 1234, "10.0.0.2", 80, 7),
                           seen(true, "10.0.0.2", 80, "192.0.2.9", 1234, 99, 8)};
    const auto trace = trace_probe(identity, from, peer);
    CHECK(trace.arrived == 1);
    CHECK(trace.peer_replied);
}

TEST_CASE("probe trace: a datagram whose port was changed is known by IPv4's identification", "[unit]") {
    const auto datagram = [](bool outgoing, const char* source, std::uint16_t port, std::uint16_t id) {
        auto out = seen(outgoing, source, port, "10.0.0.2", 80, 0);
        out.packet.tcp = out.packet.syn = false;
        out.packet.id = id;
        out.interface = 7;
        return out;
    };
    const auto answer = [](const char* to, std::uint16_t port) {
        auto out = seen(true, "10.0.0.2", 80, to, port, 0);
        out.packet.tcp = out.packet.syn = false;
        return out;
    };
    const ProbeIdentity udp{ip("10.0.0.2"), 80, 40000, false};
    const std::vector from{datagram(true, "10.0.0.1", 40000, 77)};
    const auto trace = trace_probe(
        udp, from, std::vector{datagram(false, "192.0.2.9", 1234, 77), answer("192.0.2.9", 1234)});
    CHECK(trace.arrived == 1);
    CHECK(trace.peer_replied);
    CHECK(trace.came_by == std::vector<std::uint32_t>{7});
    const auto others = trace_probe(
        udp, from, std::vector{datagram(false, "192.0.2.9", 1234, 78), answer("192.0.2.9", 1234)});
    CHECK(others.arrived == 0);
    CHECK(!others.peer_replied);
    CHECK(others.came_by.empty());
    // Without an identification nothing but the port tells.
    const std::vector unmarked{datagram(true, "10.0.0.1", 40000, 0)};
    CHECK(trace_probe(udp, unmarked, std::vector{datagram(false, "192.0.2.9", 1234, 0)}).arrived == 0);
    CHECK(trace_probe(udp, unmarked, std::vector{datagram(false, "192.0.2.9", 40000, 0)}).arrived == 1);
}

TEST_CASE("probe trace: other people's connections to the same port do not count", "[unit]") {
    const std::vector from{seen(true, "10.0.0.1", 40001, "10.0.0.2", 80, 7),
                           reset(false, "10.0.0.2", "10.0.0.1", 40001, 8)};
    CHECK(trace_probe(identity, from, {}).left == 0);
    CHECK(!trace_probe(identity, from, {}).reset);
    const std::vector own{seen(true, "10.0.0.1", 40000, "10.0.0.2", 80, 7)};
    const std::vector peer{seen(false, "10.0.0.5", 40000, "10.0.0.2", 80, 70),
                           reset(true, "10.0.0.2", "10.0.0.5", 40000, 71)};
    CHECK(trace_probe(identity, own, peer).arrived == 0);
    CHECK(!trace_probe(identity, own, peer).peer_reset);
}

TEST_CASE("probe trace: a namespace that only forwards has neither got nor answered it", "[unit]") {
    const std::vector from{seen(true, "10.0.0.1", 40000, "10.0.0.2", 80, 7)};
    const std::vector peer{
        seen(false, "10.0.0.1", 40000, "10.0.0.2", 80, 7), seen(true, "10.0.0.1", 40000, "10.9.0.2", 80, 7),
        reset(false, "10.9.0.2", "10.0.0.1", 40000, 8), reset(true, "10.0.0.2", "10.0.0.1", 40000, 8)};
    const auto trace = trace_probe(identity, from, peer);
    CHECK(trace.arrived == 0);
    CHECK(!trace.peer_reset);
}

TEST_CASE(
    "probe trace: a host sees a container's SYN on the bridge's port as somebody else's, then on the bridge",
    "[unit]") {
    const std::vector from{seen(true, "10.0.0.1", 40000, "10.0.0.2", 80, 7)};
    auto on_port = seen(false, "10.0.0.1", 40000, "10.0.0.2", 80, 7);
    on_port.other_host = true;
    on_port.interface = 5;
    const auto on_bridge = seen(false, "10.0.0.1", 40000, "10.0.0.2", 80, 7);
    auto trace = trace_probe(identity, from, std::vector{on_port, on_bridge});
    CHECK(trace.arrived == 1);
    CHECK(trace.for_other_host == 5);
    // A bridge that took its port's address sees it twice, and DNAT sends it on once.
    const auto on = seen(true, "10.0.0.1", 40000, "10.9.0.2", 8080, 7);
    trace = trace_probe(identity, from, std::vector{on_bridge, on_bridge, on});
    CHECK(trace.arrived == 0);
    CHECK(trace.passed_on_to == api::Endpoint{ip("10.9.0.2"), 8080});
    // Bridged as it is, it is passed on, but not to elsewhere.
    const auto bridged = seen(true, "10.0.0.1", 40000, "10.0.0.2", 80, 7);
    trace = trace_probe(identity, from, std::vector{on_port, bridged});
    CHECK(trace.arrived == 0);
    CHECK(!trace.passed_on_to);
}

TEST_CASE("probe trace: an answer past the translation is one from elsewhere", "[unit]") {
    const std::vector from{seen(true, "10.0.0.1", 40000, "10.0.0.2", 80, 7),
                           seen(false, "10.0.0.9", 8080, "10.0.0.1", 40000, 99, 8)};
    const auto trace = trace_probe(identity, from, {});
    CHECK(!trace.reply_came);
    CHECK(trace.answered_from == api::Endpoint{ip("10.0.0.9"), 8080});
}

TEST_CASE("probe trace: FROM translates it, or another program's packet is forwarded", "[unit]") {
    const auto elsewhere = seen(true, "10.0.0.1", 40000, "10.0.0.9", 8080, 7);
    CHECK(trace_probe(identity, std::vector{elsewhere}, {}).sent_to == api::Endpoint{ip("10.0.0.9"), 8080});
    auto came_in = elsewhere;
    came_in.outgoing = false;
    CHECK(!trace_probe(identity, std::vector{came_in, elsewhere}, {}).sent_to);
    const auto other_port = seen(true, "10.0.0.1", 41111, "10.0.0.2", 80, 7);
    const auto trace = trace_probe(identity, std::vector{other_port}, {});
    CHECK(trace.left == 0);
    CHECK(trace.left_under_another_port);
}

TEST_CASE("probe trace: without the SYN's number nothing is said of the other end", "[unit]") {
    const std::vector peer{seen(false, "10.0.0.1", 40000, "10.0.0.2", 80, 0)};
    CHECK(trace_probe(identity, {}, peer).arrived == 0);
}

TEST_CASE("listeners: what a socket takes", "[unit]") {
    CHECK(verdict({}, "10.0.0.2") == ListenerVerdict::none);
    CHECK(verdict({listener("0.0.0.0", 81)}, "10.0.0.2") == ListenerVerdict::none);
    CHECK(verdict({listener("0.0.0.0")}, "10.0.0.2") == ListenerVerdict::takes);
    CHECK(verdict({listener("10.0.0.2")}, "10.0.0.2") == ListenerVerdict::takes);
    CHECK(verdict({listener("::")}, "10.0.0.2") == ListenerVerdict::takes);
    CHECK(verdict({listener("::")}, "fd00::1") == ListenerVerdict::takes);
    auto v6only = listener("::");
    v6only.v6only = true;
    CHECK(verdict({v6only}, "10.0.0.2") == ListenerVerdict::ipv6_only);
    CHECK(verdict({listener("fd00::1")}, "10.0.0.2") == ListenerVerdict::ipv6_only);
    CHECK(verdict({listener("0.0.0.0")}, "fd00::1") == ListenerVerdict::ipv4_only);
    CHECK(verdict({listener("127.0.0.1")}, "10.0.0.2") == ListenerVerdict::loopback_only);
    CHECK(verdict({listener("::1")}, "10.0.0.2") == ListenerVerdict::loopback_only);
    CHECK(verdict({listener("127.0.0.1")}, "127.0.0.1") == ListenerVerdict::takes);
    CHECK(verdict({listener("10.0.0.3")}, "10.0.0.2") == ListenerVerdict::other_address);
    auto bound = listener("0.0.0.0");
    bound.interface = "eth1";
    CHECK(verdict({bound}, "10.0.0.2") == ListenerVerdict::interface);
    const std::vector<std::string> elsewhere{"eth0"};
    const std::vector<std::string> there{"eth0", "eth1"};
    const std::vector<api::Listener> one{bound};
    CHECK(judge_listeners(one, ip("10.0.0.2"), 80, elsewhere).verdict == ListenerVerdict::interface);
    CHECK(judge_listeners(one, ip("10.0.0.2"), 80, there).verdict == ListenerVerdict::takes);
    CHECK(verdict({listener("127.0.0.1"), listener("10.0.0.2")}, "10.0.0.2") == ListenerVerdict::takes);
}

TEST_CASE("listeners: the other family is only worth a try where it has one", "[unit]") {
    auto v6only = listener("::");
    v6only.v6only = true;
    auto asking = request();
    asking.family = Family::ipv4;
    const operations::ReachRequest reach(asking);
    operations::ListenerQuestion question{"co2", ip("10.0.0.2"), 80, false, true, {}, {}, reach};
    const operations::Judgement judgement{ListenerVerdict::ipv6_only, v6only};
    auto told = explain_listeners(question, judgement);
    CHECK(told.explanation == "in co2 only [::]:80 listens, which takes IPv6 alone");
    CHECK(told.suggestion == "netlab connect co1 co2:80 -6");
    question.other_family = false;
    told = explain_listeners(question, judgement);
    CHECK(told.explanation ==
          "in co2 only [::]:80 listens, which takes IPv6 alone, and co2 has no address of that family");
    CHECK(told.suggestion.empty());
}

TEST_CASE("listeners: the accept queue is full with one more than the backlog", "[unit]") {
    auto one = listener("0.0.0.0");
    one.backlog = 5;
    one.waiting = 5;
    CHECK(verdict({one}, "10.0.0.2") == ListenerVerdict::takes);
    one.waiting = 6;
    CHECK(verdict({one}, "10.0.0.2") == ListenerVerdict::full);
}

TEST_CASE("listeners: those of the port come first in a report, and it is short", "[unit]") {
    std::vector<api::Listener> many;
    for (std::uint16_t port = 1; port <= 100; ++port)
        many.push_back(listener("0.0.0.0", port));
    const auto shown = for_report(many, 80, 3);
    REQUIRE(shown.size() == 3);
    CHECK(shown[0].port == 80);
    CHECK(shown[1].port == 1);
}

TEST_CASE("attempt: an ICMP error, a reset and the kernel's own no are told apart", "[unit]") {
    QueuedError icmp;
    icmp.origin = SO_EE_ORIGIN_ICMP;
    icmp.type = 3;
    icmp.code = 3;
    icmp.from = ip("10.0.0.9");
    auto failure = failure_of(Family::ipv4, ECONNREFUSED, icmp);
    CHECK(failure.outcome == ConnectOutcome::refused);
    CHECK(failure.refusal.way == api::RefusalWay::icmp);
    CHECK(failure.refusal.from == ip("10.0.0.9"));
    icmp.code = 13;
    CHECK(failure_of(Family::ipv4, EHOSTUNREACH, icmp).outcome == ConnectOutcome::unreachable);
    icmp.type = 1;
    icmp.code = 4;
    CHECK(failure_of(Family::ipv6, ECONNREFUSED, icmp).outcome == ConnectOutcome::refused);
    failure = failure_of(Family::ipv4, ECONNREFUSED, {});
    CHECK(failure.outcome == ConnectOutcome::refused);
    CHECK(failure.refusal.way == api::RefusalWay::reset);
    CHECK(!failure.refusal.from);
    failure = failure_of(Family::ipv4, ENETUNREACH, {});
    CHECK(failure.outcome == ConnectOutcome::unreachable);
    CHECK(failure.refusal.way == api::RefusalWay::local);
    CHECK(failure.refusal.message == "no route");
}

TEST_CASE("banner: any bytes become printable ASCII, and can be told back", "[unit]") {
    const std::string bytes("a\r\n\t\\\0\x1b\x7f\x9b\xff", 10);
    CHECK(banner_text(bytes) == R"(a\r\n\t\\\x00\x1b\x7f\x9b\xff)");
}

TEST_CASE("connect request: what is wrong with it", "[unit]") {
    CHECK(check(request(), {}));
    const auto with = [](auto change) {
        auto changed = request();
        change(changed);
        return changed;
    };
    CHECK(refused(with([](auto& r) { r.from.clear(); })) == errc::bad_request);
    CHECK(refused(with([](auto& r) { r.to.clear(); })) == errc::bad_request);
    CHECK(refused(with([](auto& r) { r.port = 0; })) == errc::bad_request);
    CHECK(refused(with([](auto& r) { r.wait_ms = 0; })) == errc::bad_request);
    CHECK(refused(with([](auto& r) { r.interval_ms = -1; })) == errc::bad_request);
    CHECK(refused(with([](auto& r) { r.udp = r.tls = true; })) == errc::bad_request);
    CHECK(refused(with([](auto& r) { r.banner = r.tls = true; })) == errc::bad_request);
    CHECK(refused(with([](auto& r) { r.data = "x"; })) == errc::bad_request);
    CHECK(refused(with([](auto& r) {
              r.udp = true;
              r.data = std::string(1201, 'x');
          })) == errc::bad_request);
    for (const auto& capped :
         {with([](auto& r) { r.count = 0; }), with([](auto& r) { r.count = 10'001; }), with([](auto& r) {
              r.count = 2;
              r.interval_ms = 1;
          })}) {
        CHECK(refused(capped) == errc::limit_exceeded);
        CHECK(check(capped, api::Roles::all()));
    }
}

TEST_CASE("connect request: its deadline covers the slowest way through it", "[unit]") {
    auto slow = request();
    slow.count = 3;
    slow.wait_ms = 10'000;
    slow.tls = true;
    CHECK(deadline_ms(slow) >= 60'000 + 3 * 20'000);
    slow.count = 0;
    CHECK(deadline_ms(slow) == 0);
    slow.count = 10'000;
    slow.wait_ms = 3'600'000;
    CHECK(deadline_ms(slow) == 4'000'000'000);
}

TEST_CASE("connect tally: the outcome of several", "[unit]") {
    const auto outcome = [](const std::vector<ConnectOutcome>& outcomes) {
        ConnectTally tally;
        for (const auto one : outcomes) {
            api::ConnectAttempt attempt;
            attempt.outcome = one;
            tally.add(attempt);
        }
        api::ConnectReport report;
        tally.fill(report);
        CHECK(report.attempts == outcomes.size());
        return report.outcome;
    };
    using enum ConnectOutcome;
    CHECK(outcome({connected, connected}) == connected);
    CHECK(outcome({connected, refused}) == partial);
    CHECK(outcome({refused, answered, silent}) == partial);
    CHECK(outcome({refused, timed_out}) == timed_out);
    CHECK(outcome({silent, silent}) == silent);
}

TEST_CASE("connect explanation: how the command is written again", "[unit]") {
    auto v6 = request();
    v6.udp = true;
    CHECK(ReachRequest(v6).again("fd00::1", "-6") == "netlab connect co1 [fd00::1]:80 --udp -6");
    CHECK(ReachRequest(v6).again("docker:co2") == "netlab connect co1 docker:co2:80 --udp");
    api::PingRequest ping;
    ping.from = "co1";
    CHECK(ReachRequest(ping).again("fd00::1", "--address") == "netlab ping co1 fd00::1 --address");
}

TEST_CASE("connect explanation: two that share no network, and a paused one", "[unit]") {
    const auto container = [](std::string name, std::string network, std::string_view address) {
        api::Target target;
        target.name = std::move(name);
        target.state = api::State::running;
        target.network_mode = network;
        api::Membership membership;
        membership.name = std::move(network);
        membership.addresses.push_back(*IpPrefix::parse(address));
        target.networks.push_back(std::move(membership));
        return target;
    };
    api::Context context;
    context.targets.push_back(container("co1", "net", "172.18.0.2/16"));
    context.peer = container("co2", "other", "172.19.0.2/16");
    ConnectFacts facts;
    facts.peer_address = true;
    facts.attempt.remote = {ip("172.19.0.2"), 80};
    facts.attempt.outcome = ConnectOutcome::timed_out;
    facts.trace.from_watched = facts.trace.peer_watched = {true, true};
    facts.trace.left = 3;
    const auto why = explain_connection(context, request(), facts);
    CHECK(why.explanation ==
          "the SYN left co1 and never came to co2: co1 and co2 share no network: co1 is on net, co2 is on "
          "other. Docker "
          "keeps its bridge networks apart");
    CHECK(why.suggestion == "docker network connect net co2");
    facts.attempt.outcome = ConnectOutcome::connected;
    CHECK(explain_connection(context, request(), facts).explanation.empty());
    context.peer->state = api::State::paused;
    CHECK(explain_connection(context, request(), facts).explanation ==
          "co2 is paused: its kernel takes connections, its processes do not run");
    facts.udp = true;
    facts.attempt.outcome = ConnectOutcome::silent;
    facts.trace.left = facts.trace.arrived = 1;
    facts.listener.emplace().verdict = ListenerVerdict::takes;
    CHECK(
        explain_connection(context, request(), facts)
            .explanation.ends_with("no answer left from there, and co2 is paused: its processes do not run"));
}
