#include "daemon/operations/why_explanation.hpp"

#include "daemon/operations/network_facts.hpp"
#include "daemon/operations/network_family.hpp"
#include "daemon/operations/proxy_processes.hpp"
#include "daemon/operations/rule_explanation.hpp"
#include "tests/support/catch.hpp"
#include "tests/unit/why_case.hpp"

#include <cerrno>

using namespace netlab;
using namespace netlab::operations;
using namespace netlab::operations::test;
using namespace std::string_literals;
using api::RouteStep;
using api::WhyProtocol;
using api::WhyVerdict;

TEST_CASE("why: the permission has the destination that the packet had where the rule is", "[unit]") {
    Case one("198.51.100.2");
    add_host(one);
    one.facts.flow.remote_port = 8088;
    one.facts.translated = api::Endpoint{address("10.89.0.2"), 80};
    auto policy = rule("FORWARD", "policy drop");
    policy.handle.reset();
    auto dnat = step(rule("DN", "dnat to 10.89.0.2:80"), "prerouting", "accept");
    dnat.translates = true;
    one.facts.trace = {dnat, step(policy, "forward")};
    one.context.targets.front().runtime = api::Runtime::podman;
    CHECK(explain_rule(one.facts, policy, false).suggestion ==
          "nft insert rule ip filter FORWARD iifname eth0 ip daddr 10.89.0.2 tcp dport 80 accept");
    auto raw = rule("PREROUTING", "drop");
    raw.table = "raw";
    one.facts.trace = {step(raw, "prerouting")};
    CHECK(explain_rule(one.facts, raw, false).suggestion ==
          "nft insert rule ip raw PREROUTING iifname eth0 ip daddr 198.51.100.2 tcp dport 8088 accept");
}

TEST_CASE("why: an engine's rule is never to be deleted, whatever it is known by", "[unit]") {
    Case one;
    add_host(one);
    one.context.peer = container("co3", "bridge", "172.17.0.2/16");
    const auto isolation = rule("DOCKER-ISOLATION-STAGE-2", "oifname \"docker0\" drop", "docker");
    one.facts.rules = RulesDecision{true, isolation, false, {address("172.17.0.2"), 80}, {}, {}, {}};
    CHECK(explain_rule(one.facts, isolation, false).suggestion == "docker network connect net co3");
    const auto podmans = rule("NETAVARK_X", "drop", "podman");
    CHECK(explain_rule(one.facts, podmans, false).suggestion.empty());
    const auto users = rule("DOCKER-USER", "drop");
    CHECK(explain_rule(one.facts, users, false).suggestion ==
          "nft insert rule ip filter DOCKER-USER ip daddr 172.17.0.2 tcp dport 80 return");
}

TEST_CASE("why: who is outside of an internal network joins it, and never the other way round", "[unit]") {
    Case one;
    add_host(one);
    one.context.peer = container("priv1", "priv", "172.20.0.2/16");
    const auto in =
        rule("DOCKER-ISOLATION-STAGE-1", "oifname \"br-p\" ip saddr != 172.20.0.0/16 drop", "docker");
    one.facts.trace = {step(in, "forward")};
    CHECK(explain_rule(one.facts, in, false).suggestion == "docker network connect priv co1");
    Case out;
    add_host(out);
    out.context.targets = {container("priv1", "priv", "172.20.0.2/16")};
    const auto rest =
        rule("DOCKER-ISOLATION-STAGE-1", "iifname \"br-p\" ip daddr != 172.20.0.0/16 drop", "docker");
    out.facts.trace = {step(rest, "forward")};
    const auto why = explain_rule(out.facts, rest, false);
    CHECK(why.explanation.find("priv is an internal network") == 0);
    CHECK(why.suggestion.empty());
}

TEST_CASE("why: an empty chain's policy has accepted nothing before", "[unit]") {
    Case one;
    add_host(one);
    auto policy = step(rule("FORWARD", "policy accept"), "forward", "accept");
    policy.step.handle.reset();
    const auto own = rule("DROPS", "drop");
    auto other = step(own, "forward");
    other.step.table = "own";
    one.facts.trace = {policy, other};
    CHECK(explain_rule(one.facts, other.step, false).explanation.find("ends its own chain only") ==
          std::string::npos);
    policy.step.handle = 3;
    one.facts.trace = {policy, other};
    CHECK(explain_rule(one.facts, other.step, false).explanation.find("ends its own chain only") !=
          std::string::npos);
}

TEST_CASE("why: the wrong gateway is one of the packet's family, and of the route that was taken", "[unit]") {
    Case one("2001:db8:ffff::1");
    one.context.targets.front().networks.front().gateway = address("172.18.0.1");
    one.facts.next_hop = address("2001:db8:6::1");
    one.facts.route = DecisiveRoute{"co1", "default via 2001:db8:6::1 dev eth0", true};
    CHECK(one.explain(WhyVerdict::lost).suggestion.empty());
    one.context.targets.front().networks.front().gateway_v6 = address("2001:db8:6::7");
    CHECK(one.explain(WhyVerdict::lost).suggestion ==
          "nsenter --net=/proc/42/ns/net ip -6 route replace default via 2001:db8:6::7");
    Case other;
    other.context.targets.front().networks.front().gateway = address("172.18.0.1");
    other.facts.next_hop = address("172.18.0.250");
    other.facts.route = DecisiveRoute{"co1", "203.0.113.0/24 via 172.18.0.250 dev eth0", false};
    CHECK(other.explain(WhyVerdict::lost).suggestion ==
          "nsenter --net=/proc/42/ns/net ip route del 203.0.113.0/24 via 172.18.0.250 dev eth0");
    // Who is root in a container names its interfaces.
    other.facts.route->entry = "203.0.113.0/24 via 172.18.0.250 dev e;reboot";
    other.facts.route->is_plain = false;
    CHECK(other.explain(WhyVerdict::lost).suggestion.empty());
}

TEST_CASE("why: a stray route of the host's is no cause where the packet is only switched there", "[unit]") {
    Case one;
    one.facts.final_target = "co2";
    one.facts.stray = StrayRoute{
        "host", "203.0.113.0/25 via 10.8.0.1 dev tun0", "tun0", "br-net", "co2", address("203.0.113.8")};
    WayPoint bridge;
    bridge.hop = {"host", "br-net", "bridge", {}, {}, {}};
    bridge.forwards = true;
    one.facts.way.points = {bridge};
    CHECK(one.explain(WhyVerdict::lost).suggestion.find("route del") == std::string::npos);
    one.facts.way.points.front().forwards = false;
    CHECK(one.explain(WhyVerdict::lost).suggestion == "ip route del 203.0.113.0/25 via 10.8.0.1 dev tun0");
}

TEST_CASE("why: no default route is said only where the kernel knows no route at all", "[unit]") {
    Case refused;
    refused.facts.way.end = RouteStep::unreachable;
    refused.facts.way.note = "a route or rule says so";
    refused.facts.refusing =
        RouteRefusal{"the route unreachable 203.0.113.0/24", "ip route del unreachable 203.0.113.0/24"};
    auto why = refused.explain(WhyVerdict::unreachable);
    CHECK(why.explanation.find("unreachable 203.0.113.0/24") != std::string::npos);
    CHECK(why.suggestion == "nsenter --net=/proc/42/ns/net ip route del unreachable 203.0.113.0/24");
    Case no_v6("2001:db8:51::1");
    no_v6.facts.way.end = RouteStep::unreachable;
    no_v6.facts.way.note = "there is no route";
    why = no_v6.explain(WhyVerdict::unreachable);
    CHECK(why.explanation.find("no IPv6 address") != std::string::npos);
    CHECK(why.suggestion.empty());
    Case deleted;
    deleted.facts.way.end = RouteStep::unreachable;
    deleted.facts.way.note = "there is no route";
    CHECK(deleted.explain(WhyVerdict::unreachable).suggestion.empty());
    deleted.context.targets.front().networks.front().gateway = address("172.18.0.1");
    CHECK(deleted.explain(WhyVerdict::unreachable).suggestion ==
          "nsenter --net=/proc/42/ns/net ip route add default via 172.18.0.1");
}

TEST_CASE("why: a private address that left the host as it was is the reason for the silence", "[unit]") {
    Case one;
    WayPoint eth0;
    eth0.place = 1;
    eth0.port = Port{1, 2};
    eth0.hop = {"host", "eth0", "route", true, false, {}};
    WayPoint outside;
    outside.hop = {"", "", "outside", {}, {}, {}};
    one.facts.way.points = {eth0, outside};
    Sighting left;
    left.port = {1, 2};
    left.outgoing = true;
    left.source = {address("172.18.0.2"), 40'000};
    left.destination = {address("203.0.113.8"), 80};
    one.facts.sightings = {left};
    auto why = one.explain(WhyVerdict::lost);
    CHECK(why.explanation.find("for net") != std::string::npos);
    CHECK(why.suggestion == "iptables -t nat -I POSTROUTING -s 172.18.0.0/16 -o eth0 -j MASQUERADE");
    one.facts.rules = RulesDecision();
    one.facts.rules->untracks = api::NatRule();
    one.facts.rules->untracks->family = "ip";
    one.facts.rules->untracks->table = "raw";
    one.facts.rules->untracks->chain = "PREROUTING";
    one.facts.rules->untracks->handle = 5;
    one.facts.rules->untracks->text = "iifname \"docker0\" notrack";
    why = one.explain(WhyVerdict::lost);
    CHECK(why.explanation.find("the rule ip raw PREROUTING handle 5 takes it from conntrack") !=
          std::string::npos);
    CHECK(why.suggestion == "nft delete rule ip raw PREROUTING handle 5");
    one.facts.rules->untracks->owner_port = 4711;
    CHECK(one.explain(WhyVerdict::lost).suggestion.starts_with("ps -p 4711"));
    one.facts.rules.reset();
    one.facts.sightings.front().source.address = address("198.51.100.2");
    why = one.explain(WhyVerdict::lost);
    CHECK(why.explanation.find("nothing has come back from outside") != std::string::npos);
    one.decision.answer = true;
    one.decision.where = api::WhyPlace{"host", "eth0 and veth1 of host"};
    one.facts.ingress = {"netdev own in"};
    why = one.explain(WhyVerdict::lost);
    CHECK(why.explanation.find("no further than eth0 of host") != std::string::npos);
    CHECK(why.explanation.find("netdev own in") != std::string::npos);
}

TEST_CASE("why: what lets an echo pass lets nothing else pass, and its answer where that is dropped next",
          "[unit]") {
    Case one;
    add_host(one);
    one.facts.flow = {WhyProtocol::icmp, 7, address("203.0.113.8"), 0};
    auto policy = rule("FORWARD", "policy drop");
    policy.handle.reset();
    RulesDecision decision;
    decision.known = true;
    decision.rule = policy;
    decision.destination = {address("203.0.113.8"), 0};
    decision.input = "br-1";
    decision.output = "eth0";
    one.facts.rules = decision;
    CHECK(explain_rule(one.facts, policy, false).suggestion ==
          "nft insert rule ip filter FORWARD iifname br-1 oifname eth0 ip daddr 203.0.113.8 icmp type "
          "echo-request accept");
    one.facts.rules_back = decision;
    std::swap(one.facts.rules_back->input, one.facts.rules_back->output);
    CHECK(explain_rule(one.facts, policy, false).suggestion ==
          "nft insert rule ip filter FORWARD iifname br-1 oifname eth0 ip daddr 203.0.113.8 icmp type "
          "echo-request accept && iptables-nft -t filter -I FORWARD -i eth0 -o br-1 -m conntrack --ctstate "
          "ESTABLISHED,RELATED -j ACCEPT");
    auto legacy = policy;
    legacy.family = "ip (legacy)";
    one.facts.rules->rule = one.facts.rules_back->rule = legacy;
    CHECK(explain_rule(one.facts, legacy, false).suggestion ==
          "iptables-legacy -t filter -I FORWARD -i br-1 -o eth0 -d 203.0.113.8 -p icmp --icmp-type "
          "echo-request -j ACCEPT && iptables-legacy -t filter -I FORWARD -i eth0 -o br-1 -m conntrack "
          "--ctstate ESTABLISHED,RELATED -j ACCEPT");
    // Of a name that a shell would look at twice nothing is said.
    one.facts.rules->input = "a;b";
    CHECK(explain_rule(one.facts, legacy, false).suggestion.empty());
}

TEST_CASE("why: a rejected answer is not called dropped", "[unit]") {
    Case one;
    add_host(one);
    const auto reject = rule("INPUT", "tcp dport 80 reject with icmp port-unreachable");
    one.facts.trace = {step(reject, "input")};
    one.facts.trace.front().rejects = true;
    CHECK(explain_rule(one.facts, reject, true).explanation.find("drops") == std::string::npos);
    one.facts.trace.clear();
    one.facts.rules.emplace().rejects = true;
    CHECK(explain_rule(one.facts, reject, false).explanation.find("rejects it") != std::string::npos);
    one.facts.final_target = "co2";
    CHECK(one.explain(WhyVerdict::rejected).explanation.find("does not send it") == std::string::npos);
}

TEST_CASE("why: what IPv6 is kept apart by is joined by a network that has IPv6", "[unit]") {
    Case one("2001:db8:6::2");
    add_host(one);
    one.context.peer = container("six1", "net6", "2001:db8:6::2/64");
    const auto isolation = rule("DOCKER-ISOLATION-STAGE-2", "oifname \"br-6\" drop", "docker");
    one.facts.trace = {step(isolation, "forward")};
    CHECK(explain_rule(one.facts, isolation, false).suggestion == "docker network connect net6 co1");
}

TEST_CASE("why: behind a published port the container's own port is the one to bind to", "[unit]") {
    Case one("198.51.100.2");
    one.facts.flow.remote_port = 9060;
    one.request.port = 9060;
    one.request.from = "host";
    one.facts.translated = api::Endpoint{address("172.18.0.6"), 80};
    one.facts.final_target = "co2";
    Judgement other;
    other.verdict = ListenerVerdict::other_address;
    other.listener.address = address("172.19.0.6");
    other.listener.port = 80;
    one.facts.listener = other;
    CHECK(one.explain(WhyVerdict::refused).suggestion == "let it bind to 0.0.0.0:80");
}

TEST_CASE("why: one interface that does not forward is not the whole host", "[unit]") {
    Case one;
    add_host(one);
    one.facts.way.end = RouteStep::not_forwarded;
    one.facts.way.end_place = 1;
    one.facts.way.end_target = "host";
    one.facts.shut = "net.ipv4.conf.eth0.forwarding";
    const auto why = one.explain(WhyVerdict::unreachable);
    CHECK(why.explanation.find("net.ipv4.conf.eth0.forwarding is 0") != std::string::npos);
    CHECK(why.suggestion == "sysctl -w net.ipv4.conf.eth0.forwarding=1");
}

TEST_CASE("why: the link that is too small is named with its MTU", "[unit]") {
    Case one;
    one.request.size = 1500;
    one.facts.small_passes = true;
    one.facts.narrow = NarrowLink{"eth0 of host", 1300};
    const auto why = one.explain(WhyVerdict::lost);
    CHECK(why.explanation.find("eth0 of host has an MTU of 1300") != std::string::npos);
    CHECK(why.suggestion.find("mtu=1300") != std::string::npos);
}

TEST_CASE("why: TO's missing way back is said of TO", "[unit]") {
    Case one;
    auto to = container("co2", "net", "172.18.0.3/16");
    to.networks.front().gateway = address("172.18.0.1");
    one.context.others = {to};
    one.facts.final_target = "co2";
    WayPoint last;
    last.hop = {"co2", "eth0", "destination", true, false, {}};
    one.facts.way.points = {last};
    one.facts.no_way_back = NoWayBack{1, address("198.51.100.1"), ENETUNREACH, {}};
    auto why = one.explain(WhyVerdict::lost);
    CHECK(why.explanation.find("co2 has no route to 198.51.100.1") != std::string::npos);
    CHECK(why.suggestion == "nsenter --net=/proc/42/ns/net ip route add default via 172.18.0.1");
    // It has not come there: then that is not yet the reason.
    one.facts.way.points.back().hop.seen = false;
    why = one.explain(WhyVerdict::lost);
    CHECK(why.explanation.find("no route") == std::string::npos);
}

TEST_CASE("why: an answer that is lost behind TO is explained by who loses it", "[unit]") {
    Case one;
    add_host(one);
    one.decision.answer = true;
    one.facts.lost_answer = LostAnswer{1, RouteStep::not_forwarded, address("172.18.0.2"), "eth0", {}};
    one.facts.lost_answer->shut = "net.ipv4.conf.eth0.forwarding";
    auto why = one.explain(WhyVerdict::lost);
    CHECK(why.explanation ==
          "its answer is lost on host, which does not forward packets that come in by this interface "
          "(net.ipv4.conf.eth0.forwarding is 0)");
    CHECK(why.suggestion == "sysctl -w net.ipv4.conf.eth0.forwarding=1");
    one.facts.lost_answer = LostAnswer{1, RouteStep::blackhole, address("172.18.0.2"), "eth0", {}};
    one.facts.lost_answer->refusing =
        RouteRefusal{"the route blackhole 172.18.0.0/16", "ip route del blackhole 172.18.0.0/16"};
    why = one.explain(WhyVerdict::lost);
    CHECK(why.explanation ==
          "its answer is lost on host, which has the route blackhole 172.18.0.0/16, so that nothing goes to "
          "172.18.0.2");
    CHECK(why.suggestion == "ip route del blackhole 172.18.0.0/16");
    one.facts.lost_answer = LostAnswer{1, RouteStep::routed, address("172.18.0.2"), "eth0", {}};
    one.facts.lost_answer->silent = SilentNeighbour{"host", "eth0", address("198.51.100.77")};
    one.facts.lost_answer->led = "eth0 (by the policy rule 5: from all iif docker0 lookup 100)";
    CHECK(one.explain(WhyVerdict::lost).explanation ==
          "its answer is lost: nobody answers for 198.51.100.77 on eth0 of host, to whom it is sent by eth0 "
          "(by the policy rule 5: from all iif docker0 lookup 100)");
    // It is the packet that is lost: what would become of an answer says nothing.
    one.decision.answer = false;
    CHECK(one.explain(WhyVerdict::lost).explanation.find("its answer") == std::string::npos);
}

TEST_CASE("why: a route to the bridge that is not there is told from one in the way", "[unit]") {
    StrayRoute stray{
        "host", "default via 198.51.100.1 dev eth0", "eth0", "docker0", "web", address("172.17.0.4")};
    stray.missing = "172.17.0.0/16 dev docker0 proto kernel scope link src 172.17.0.1";
    stray.network = "172.17.0.0/16";
    auto why = explain_stray(stray);
    CHECK(why.explanation ==
          "host has no route to 172.17.0.0/16, the network behind docker0 where web is: it sends what is for "
          "172.17.0.4 by eth0, by its route default via 198.51.100.1 dev eth0");
    CHECK(why.suggestion == "ip route add 172.17.0.0/16 dev docker0 proto kernel scope link src 172.17.0.1");
    stray.entry = stray.output = "";
    CHECK(explain_stray(stray).explanation ==
          "host has no route to 172.17.0.0/16, the network behind docker0 where web is");
    stray.expected = "x;reboot";
    CHECK(explain_stray(stray).suggestion.empty());
}

TEST_CASE("why: what joins two targets has the packet's family", "[unit]") {
    const auto co1 = container("co1", "net", "172.18.0.2/16");
    auto six = container("six1", "net6", "2001:db8:6::2/64");
    CHECK(connect_command(co1, six) == "docker network connect net six1");
    CHECK(explain_apart(co1, six, Family::ipv6)->suggestion == "docker network connect net6 co1");
}

TEST_CASE("docker-proxy's arguments say where it listens, too", "[unit]") {
    const auto line =
        "/usr/bin/docker-proxy\0-proto\0tcp\0-host-ip\0::\0-host-port\09011\0-container-ip\0"
        "2001:db8:6::2\0-container-port\080\0"s;
    const auto found = parse_proxy_arguments(line);
    CHECK(found == ProxyArguments{"tcp", address("::"), 9011, address("2001:db8:6::2"), 80});
}
