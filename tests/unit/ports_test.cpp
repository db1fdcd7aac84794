#include "daemon/operations/proxy_processes.hpp"
#include "tests/support/catch.hpp"
#include "tests/unit/ports_case.hpp"

#include <algorithm>

using namespace netlab;
using namespace netlab::operations;
using namespace netlab::operations::ports_case;
using api::CarrierClients;
using api::CarrierKind;
using api::PortVerdict;
using kernel::PacketRule;
using kernel::RuleAction;

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
