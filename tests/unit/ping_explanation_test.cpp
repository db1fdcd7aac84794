#include "daemon/operations/ping_explanation.hpp"

#include "daemon/operations/destination.hpp"
#include "daemon/operations/name_explanation.hpp"
#include "daemon/operations/network_facts.hpp"
#include "daemon/operations/peer_address.hpp"
#include "tests/support/catch.hpp"

using namespace netlab;
using namespace netlab::operations;
using api::PeerMatch;
using api::Runtime;
using api::State;

namespace {

IpAddress ip(std::string_view text) {
    return *IpAddress::parse(text);
}
IpPrefix prefix(std::string_view text) {
    return *IpPrefix::parse(text);
}

api::Membership on(std::string name, std::string_view address, std::string_view gateway = {},
                   std::vector<std::string> aliases = {}) {
    api::Membership membership;
    membership.name = std::move(name);
    membership.interface = "eth0";
    membership.addresses.push_back(prefix(address));
    if (!gateway.empty()) membership.gateway = ip(gateway);
    membership.aliases = std::move(aliases);
    return membership;
}

api::Target container(std::string name, std::vector<api::Membership> networks,
                      Runtime runtime = Runtime::docker) {
    api::Target target;
    target.name = std::move(name);
    target.runtime = runtime;
    target.state = State::running;
    target.network_mode = networks.empty() ? "default" : networks.front().name;
    target.networks = std::move(networks);
    return target;
}

const auto on_net = on("net", "172.18.0.2/16", "172.18.0.1");
const auto on_bridge = on("bridge", "172.17.0.2/16", "172.17.0.1");

struct Case {
    api::Context context;
    api::PingRequest request;
    Resolution resolution;

    Case(api::Target from, api::Target peer) {
        request.from = from.name;
        request.to = peer.name;
        context.targets.push_back(std::move(from));
        context.peer = std::move(peer);
        context.peer_match = PeerMatch::name;
        resolution.outcome = NameOutcome::no_such_name;
        resolution.candidates = {request.to};
        resolution.asked = {{"127.0.0.11", NameOutcome::no_such_name}};
    }
    [[nodiscard]] Explanation explain() const { return explain_unresolved(context, request, resolution); }
};

constexpr auto said_no = ". 127.0.0.11 says that there is no 'co3' (NXDOMAIN)";

}  // namespace

TEST_CASE("unresolved: no common network: both sides' networks, and the command that joins them", "[unit]") {
    const auto e = Case(container("co1", {on_net}), container("co3", {on_bridge})).explain();
    CHECK(e.explanation ==
          std::string("co1 and co3 share no network: co1 is on net, co3 is on bridge") + said_no);
    CHECK(e.suggestion ==
          "docker network connect net co3  # or by its address: netlab ping co1 co3 --address");
}

TEST_CASE("unresolved: FROM is the one on the default network", "[unit]") {
    const auto e =
        Case(container("co1", {on_bridge}), container("co3", {on_net, on("test-net", "172.19.0.2/16")}))
            .explain();
    CHECK(e.explanation ==
          std::string("co1 and co3 share no network: co1 is on bridge, co3 is on net and test-net") +
              said_no);
    CHECK(e.suggestion ==
          "docker network connect net co1  # or by its address: netlab ping co1 co3 --address");
}

TEST_CASE("unresolved: Podman's commands for Podman's containers", "[unit]") {
    Case c(container("a", {on("red", "10.89.0.2/24", "10.89.0.1")}, Runtime::podman),
           container("b", {on("podman", "10.88.0.2/16")}, Runtime::podman));
    CHECK(c.explain().suggestion ==
          "podman network connect red b  # or by its address: netlab ping a b --address");
    c.context.targets[0].networks = {on("podman", "10.88.0.3/16")};
    CHECK(c.explain().explanation.find("share only podman, Podman's default network, which has no DNS") !=
          std::string::npos);
}

TEST_CASE("unresolved: the default bridge has no DNS", "[unit]") {
    const auto e =
        Case(container("co1", {on_bridge}), container("co3", {on("bridge", "172.17.0.3/16")})).explain();
    CHECK(e.explanation == std::string("co1 and co3 share only bridge, Docker's default network, which has "
                                       "no DNS for the names of containers") +
                               said_no);
    CHECK(e.suggestion ==
          "docker network create shared && docker network connect shared co1 && docker network connect "
          "shared co3"
          "  # or by its address: netlab ping co1 co3 --address");
}

TEST_CASE("unresolved: both on the default bridge, FROM on another one too", "[unit]") {
    const auto e = Case(container("co4", {on_bridge, on_net}), container("co3", {on_bridge})).explain();
    CHECK(e.suggestion ==
          "docker network connect net co3  # or by its address: netlab ping co4 co3 --address");
}

TEST_CASE("unresolved: the other container does not run", "[unit]") {
    Case c(container("co1", {on_net}), container("co3", {on_net}));
    c.context.peer->state = State::exited;
    CHECK(c.explain().explanation ==
          std::string("co3 does not run (exited): it has no address and no name now") + said_no);
    CHECK(c.explain().suggestion == "docker start co3");
    c.context.peer->state = State::removing;
    CHECK(c.explain().suggestion.empty());
}

TEST_CASE("unresolved: FROM is no container, or on the host's network", "[unit]") {
    Case c(container("blue", {}, Runtime::netns), container("co3", {on_net}));
    CHECK(c.explain().explanation.find(
              "blue is a named namespace: names of containers are known only to containers") == 0);
    CHECK(c.explain().suggestion == "netlab ping blue co3 --address");
    Case host(container("co5", {}), container("co3", {on_net}));
    host.context.targets[0].network_mode = "host";
    CHECK(host.explain().explanation.find("co5 is on the host's network: it asks the host's DNS servers") ==
          0);
    Case none(container("co6", {}), container("co3", {on_net}));
    none.context.targets[0].network_mode = "none";
    CHECK(none.explain().explanation.find("co6 has no network (its mode is none), so no DNS either") == 0);
    CHECK(none.explain().suggestion.empty());
}

TEST_CASE("unresolved: the other end has no networks of its own", "[unit]") {
    Case host(container("co1", {on_net}), container("co3", {}));
    host.context.peer->network_mode = "host";
    CHECK(host.explain().explanation.find("co3 is on the host's network: Docker's DNS has no name for it") ==
          0);
    CHECK(host.explain().suggestion == "netlab ping co1 host");
    Case sharing(container("co1", {on_net}), container("co3", {}));
    sharing.context.peer->network_mode = "container:0123";
    sharing.context.peer->namespace_ = api::Namespace{1, 2, {"web"}};
    CHECK(sharing.explain().explanation.find(
              "co3 lives in the network namespace of web: Docker's DNS knows only the names") == 0);
    CHECK(sharing.explain().suggestion == "netlab ping co1 web");
    // The registry knows the networks of the namespace, which makes no difference.
    sharing.context.peer->networks = {on("net", "172.18.0.9/16")};
    CHECK(sharing.explain().suggestion == "netlab ping co1 web");
    sharing.context.targets[0].namespace_ = api::Namespace{1, 2, {"co3"}};
    CHECK(sharing.explain().explanation.find("co1 and co3 live in one network namespace. ") == 0);
    CHECK(sharing.explain().suggestion == "netlab ping co1 localhost");
    Case blue(container("co1", {on_net}), container("co3", {}, Runtime::netns));
    CHECK(blue.explain().explanation.find(
              "co3 is a named namespace: netlab knows it by that name, no DNS does") == 0);
}

TEST_CASE("unresolved: FROM lives in another's namespace: the other end can still be connected", "[unit]") {
    Case c(container("sidecar", {on_net}), container("co3", {on_bridge}));
    c.context.targets[0].network_mode = "container:0123";
    CHECK(c.explain().suggestion.find("docker network connect net co3") == 0);
    c.context.targets[0].networks = {on("bridge2", "172.25.0.2/16")};
    c.context.peer->network_mode = "container:4567";
    CHECK(connect_command(c.context.targets[0], *c.context.peer).empty());
}

TEST_CASE("unresolved: the name is there, with an address of the other family", "[unit]") {
    Case c(container("co1", {on_net}), container("co3", {on("net", "172.18.0.3/16")}));
    c.request.family = Family::ipv6;
    c.resolution.outcome = NameOutcome::no_data;
    c.resolution.asked = {{"127.0.0.11", NameOutcome::no_data}};
    CHECK(c.explain() == Explanation{"127.0.0.11 knows 'co3', but no IPv6 address for it (no data)",
                                     "netlab ping co1 co3 -4"});
}

TEST_CASE("unresolved: two engines know nothing of each other", "[unit]") {
    const auto e =
        Case(container("co1", {on_bridge}), container("co3", {on("bridge", "10.88.0.2/16")}, Runtime::podman))
            .explain();
    CHECK(e.explanation.find("co1 is a Docker container and co3 a Podman one") == 0);
    CHECK(e.suggestion == "netlab ping co1 co3 --address");
}

TEST_CASE("unresolved: netlab knows it by a name that DNS does not have", "[unit]") {
    Case c(container("co1", {on_net}),
           container("project-web-1", {on("net", "172.18.0.3/16", {}, {"web", "0123456789ab"})}));
    c.request.to = "project-web";
    c.resolution.candidates = {"project-web"};
    CHECK(c.explain().explanation ==
          "co1 and project-web-1 are both on net, where Docker's DNS calls it project-web-1, web and "
          "0123456789ab, not "
          "'project-web'. 127.0.0.11 says that there is no 'project-web' (NXDOMAIN)");
    CHECK(c.explain().suggestion == "netlab ping co1 project-web-1");
}

TEST_CASE("unresolved: both on a network with DNS, which was not asked, or is silent", "[unit]") {
    Case c(container("co1", {on_net}), container("co3", {on("net", "172.18.0.3/16")}));
    c.resolution.asked = {{"192.0.2.53", NameOutcome::no_such_name}};
    CHECK(c.explain().explanation ==
          "co1 and co3 are both on net, but the resolv.conf of co1 does not name Docker's DNS (127.0.0.11), "
          "which alone knows "
          "containers. 192.0.2.53 says that there is no 'co3' (NXDOMAIN)");
    c.resolution.asked = {{"127.0.0.11", NameOutcome::timed_out}};
    c.resolution.outcome = NameOutcome::timed_out;
    CHECK(c.explain().explanation ==
          "co1 and co3 are both on net, where Docker's DNS would know it. "
          "127.0.0.11 gives no answer for 'co3'");
    CHECK(c.explain().suggestion ==
          "netlab ping co1 co3 --address  # what is wrong with that DNS: netlab resolv co1");
}

TEST_CASE("unresolved: without a target of that name only what DNS said is said", "[unit]") {
    Case c(container("co1", {on_net}), container("co3", {on_bridge}));
    c.context.peer.reset();
    c.context.peer_match = PeerMatch::none;
    CHECK(c.explain() == Explanation{"127.0.0.11 says that there is no 'co3' (NXDOMAIN)", ""});
    c.resolution.asked = {{"192.0.2.1", NameOutcome::timed_out}, {"192.0.2.2", NameOutcome::timed_out}};
    c.resolution.outcome = NameOutcome::timed_out;
    CHECK(c.explain().explanation == "192.0.2.1 and 192.0.2.2 give no answer for 'co3'");
    c.resolution.outcome = NameOutcome::no_server;
    CHECK(c.explain().explanation ==
          "192.0.2.1 and 192.0.2.2 cannot be asked for 'co3': no route to them, or nothing serves DNS there");
    c.resolution.outcome = NameOutcome::no_data;
    c.request.family = Family::ipv6;
    c.resolution.asked = {{"192.0.2.1", NameOutcome::no_data}};
    CHECK(c.explain().explanation == "192.0.2.1 knows 'co3', but no IPv6 address for it (no data)");
    c.resolution.asked.clear();
    c.resolution.candidates.clear();
    c.resolution.outcome = NameOutcome::invalid_name;
    CHECK(c.explain().explanation == "'co3' is no name that DNS could be asked for");
}

namespace {

EchoFacts silent(std::string_view address) {
    EchoFacts facts;
    facts.address = ip(address);
    facts.source = ip("172.18.0.2");
    facts.counts.transmitted = 4;
    return facts;
}

EchoFacts refused(std::string_view address, std::string message, std::string_view from, std::uint32_t type,
                  std::uint32_t code) {
    auto facts = silent(address);
    facts.counts.errors = 4;
    api::PingError error;
    error.message = std::move(message);
    error.from = ip(from);
    error.icmp_type = type;
    error.icmp_code = code;
    facts.error = error;
    return facts;
}

}  // namespace

TEST_CASE("echoes: silence between networks of Docker's is explained", "[unit]") {
    const Case c(container("co1", {on_net}), container("co3", {on_bridge}));
    auto facts = silent("172.17.0.2");
    CHECK(explain_echoes(c.context, c.request, facts) == Explanation{});
    facts.peer_address = true;
    const auto e = explain_echoes(c.context, c.request, facts);
    CHECK(e.explanation ==
          "co1 and co3 share no network: co1 is on net, co3 is on bridge. Docker keeps its bridge networks "
          "apart");
    CHECK(e.suggestion == "docker network connect net co3");
}

TEST_CASE("echoes: Podman does not keep networks apart, so that is not claimed", "[unit]") {
    const Case c(container("a", {on("red", "10.89.0.2/24")}, Runtime::podman),
                 container("b", {on("blue", "10.90.0.2/24")}, Runtime::podman));
    auto facts = silent("10.90.0.2");
    facts.peer_address = true;
    CHECK(explain_echoes(c.context, c.request, facts).explanation ==
          "a and b share no network: a is on red, b is on blue");
}

TEST_CASE("echoes: silence on a common network stays unexplained, and says so", "[unit]") {
    const Case c(container("co1", {on_net}), container("co2", {on("net", "172.18.0.3/16")}));
    auto facts = silent("172.18.0.3");
    facts.peer_address = true;
    CHECK(explain_echoes(c.context, c.request, facts) ==
          Explanation{"co1 and co2 are both on net, so something on the way or in co2 drops the echoes; "
                      "netlab has not seen what",
                      ""});
}

TEST_CASE("echoes: a neighbour that does not answer, a firewall that does", "[unit]") {
    const Case c(container("co1", {on_net}), container("co3", {on_bridge}));
    CHECK(explain_echoes(c.context, c.request, refused("172.18.0.99", "host unreachable", "172.18.0.2", 3, 1))
              .explanation == "nobody on net has answered ARP for 172.18.0.99");
    auto unanswered = silent("172.18.0.99");
    unanswered.no_neighbour = true;
    CHECK(explain_echoes(c.context, c.request, unanswered).explanation ==
          "nobody on net has answered ARP for 172.18.0.99");
    CHECK(explain_echoes(c.context, c.request, refused("8.8.8.8", "host unreachable", "192.0.2.9", 3, 1)) ==
          Explanation{});
    CHECK(explain_echoes(c.context, c.request, refused("8.8.8.8", "port unreachable", "172.18.0.1", 3, 3))
              .explanation == "an echo has no port: a firewall at 172.18.0.1 rejects it");
    CHECK(explain_echoes(c.context, c.request,
                         refused("8.8.8.8", "administratively prohibited", "172.18.0.1", 3, 13))
              .explanation == "a rule at 172.18.0.1 rejects it");
}

TEST_CASE("echoes: no route, late replies, corrupt replies, packets that are too big", "[unit]") {
    Case c(container("co1", {on_net}), container("co3", {on_bridge}));
    auto facts = silent("172.17.0.2");
    facts.no_route = true;
    facts.peer_address = true;
    CHECK(explain_echoes(c.context, c.request, facts)
              .explanation.find("co1 has no route to 172.17.0.2: co1 and co3 share no network") == 0);

    facts = silent("192.0.2.1");
    facts.counts.late = 4;
    c.request.wait_ms = 50.5;
    CHECK(explain_echoes(c.context, c.request, facts) ==
          Explanation{"every reply came later than the wait of 50.5 ms", "netlab ping co1 co3 -W 1"});

    facts = silent("192.0.2.1");
    facts.counts.corrupt = 1;
    CHECK(!explain_echoes(c.context, c.request, facts).explanation.empty());

    facts = refused("192.0.2.1", "fragmentation needed, mtu 1300", "192.0.2.9", 3, 4);
    facts.error->mtu = 1300;
    c.request.payload = 1400;
    CHECK(explain_echoes(c.context, c.request, facts) ==
          Explanation{"the way to 192.0.2.1 takes packets of 1300 bytes at most, and these have 1428",
                      "netlab ping co1 co3 -s 1272"});
}

TEST_CASE("echoes: what is answered needs no word, but for a paused container", "[unit]") {
    Case c(container("co1", {on_net}), container("co2", {on_net}));
    auto facts = silent("172.18.0.2");
    facts.peer_address = true;
    facts.counts.received = 4;
    CHECK(explain_echoes(c.context, c.request, facts) == Explanation{});
    c.context.peer->state = State::paused;
    CHECK(explain_echoes(c.context, c.request, facts).explanation ==
          "co2 is paused: its kernel answers echoes, its processes do not run");
}

TEST_CASE("peer address: the one on a shared subnet, the gateway's network first", "[unit]") {
    PeerFacts facts;
    facts.from = {prefix("127.0.0.1/8"), prefix("172.17.0.2/16"), prefix("172.18.0.2/16"),
                  prefix("fe80::2/64")};
    facts.peer = {prefix("127.0.0.1/8"), prefix("192.0.2.7/24"), prefix("172.17.0.1/16"),
                  prefix("172.18.0.1/16"), prefix("fe80::1/64")};
    facts.gateways = {ip("172.18.0.1")};
    CHECK(choose_peer_address(facts) ==
          PeerChoice{ip("172.18.0.1"), PeerWay::shared_subnet, prefix("172.18.0.2/16")});
    facts.gateways.clear();
    CHECK(choose_peer_address(facts)->address == ip("172.17.0.1"));
    facts.from = {prefix("10.0.0.2/32")};
    facts.gateways = {ip("172.18.0.1")};
    CHECK(choose_peer_address(facts) == PeerChoice{ip("172.18.0.1"), PeerWay::gateway, std::nullopt});
    facts.gateways.clear();
    CHECK(choose_peer_address(facts) == PeerChoice{ip("192.0.2.7"), PeerWay::first_global, std::nullopt});
    facts.family = Family::ipv6;
    CHECK(!choose_peer_address(facts));
}

TEST_CASE("peer address: FROM's own address is never another's, one namespace is reached by its loopback",
          "[unit]") {
    PeerFacts facts;
    facts.from = {prefix("172.17.0.2/16")};
    facts.peer = {prefix("172.17.0.2/16")};
    CHECK(!choose_peer_address(facts));
    facts.same_namespace = true;
    CHECK(choose_peer_address(facts) == PeerChoice{ip("127.0.0.1"), PeerWay::loopback, std::nullopt});
    facts.family = Family::ipv6;
    CHECK(choose_peer_address(facts)->address == ip("::1"));
}

TEST_CASE("ping: how the word TO becomes an address", "[unit]") {
    api::PingRequest request;
    api::Context context;
    const auto way = [&](std::string to, PeerMatch match, bool address = false) {
        request.to = std::move(to);
        request.address = address;
        context.peer_match = match;
        return destination_way(request, context);
    };
    CHECK(way("co2", PeerMatch::name) == DestinationWay::name);
    CHECK(way("co2", PeerMatch::none) == DestinationWay::name);
    CHECK(way("co2", PeerMatch::name, true) == DestinationWay::target);
    CHECK(way("docker:co2", PeerMatch::explicit_) == DestinationWay::target);
    CHECK(way("host", PeerMatch::host) == DestinationWay::target);
    CHECK(way("172.18.0.2", PeerMatch::address) == DestinationWay::numeric);
    CHECK(way("172.18.0.2", PeerMatch::none, true) == DestinationWay::numeric);
}

TEST_CASE("ping: multicast and broadcast addresses are refused", "[unit]") {
    api::Context context;
    context.targets.push_back(container("co1", {on_net}));
    CHECK(check_unicast(ip("172.18.0.3"), context));
    for (const auto* text : {"172.18.255.255", "255.255.255.255", "224.0.0.1", "ff02::1"}) {
        INFO(text);
        const auto checked = check_unicast(ip(text), context);
        REQUIRE(!checked);
        CHECK(checked.error().code == errc::bad_request);
    }
}
