#include "daemon/operations/resolv_findings.hpp"

#include "daemon/operations/docker_upstreams.hpp"
#include "daemon/operations/embedded_explanation.hpp"
#include "tests/support/catch.hpp"

using namespace netlab;
using namespace netlab::operations;

namespace {

using api::ResolvFindingCode;
using api::ResolvOutcome;
using api::ResolvServerKind;
using api::ResolvServerRow;
using api::ResolvUpstreamSource;
using Code = ResolvFindingCode;
using Codes = std::vector<ResolvFindingCode>;

api::Target container(std::vector<std::string> networks, api::Runtime runtime = api::Runtime::docker) {
    api::Target target;
    target.name = "co1";
    target.runtime = runtime;
    target.state = api::State::running;
    target.pid = 4242;
    for (auto& network : networks)
        target.networks.emplace_back().name = std::move(network);
    return target;
}

ResolvServerRow server(std::string address, ResolvOutcome udp, ResolvOutcome tcp,
                       ResolvServerKind kind = ResolvServerKind::plain) {
    ResolvServerRow row;
    row.server = std::move(address);
    row.kind = kind;
    row.question = ". NS";
    row.udp.outcome = udp;
    row.tcp.outcome = tcp;
    for (auto* answer : {&row.udp, &row.tcp}) {
        if (answer->outcome == ResolvOutcome::answered) answer->rcode = "NOERROR";
    }
    return row;
}

constexpr auto ok = ResolvOutcome::answered;
constexpr auto silent = ResolvOutcome::timed_out;
constexpr auto refused = ResolvOutcome::refused;

api::ResolvPath path(std::string protocol, bool rule, bool socket) {
    api::ResolvPath out;
    out.protocol = std::move(protocol);
    if (rule) {
        out.to = "127.0.0.11:40001";
        out.rule.emplace().text = "dnat to 127.0.0.11:40001";
    }
    if (socket) out.socket.emplace();
    return out;
}

api::EmbeddedResolverRow embedded(api::ResolvPath udp, api::ResolvPath tcp) {
    api::EmbeddedResolverRow row;
    row.address = "127.0.0.11";
    row.rules_known = true;
    row.paths = {std::move(udp), std::move(tcp)};
    return row;
}

struct Case {
    api::Target target = container({"net"});
    api::ResolvConfRow conf;
    std::vector<SkippedLine> skipped;
    std::vector<ResolvServerRow> servers;
    std::vector<api::EmbeddedResolverRow> behind;
    bool engine_answers = true;
    double wait_ms = 2000;
    bool loopback_down = false;
    UpstreamWay way;

    Case() {
        conf.path = "/etc/resolv.conf";
        conf.servers = {"192.0.2.1"};
        target.name = "co1";
    }
    [[nodiscard]] std::vector<api::ResolvFinding> findings() const {
        return resolv_findings(
            {target, conf, skipped, servers, behind, engine_answers, wait_ms, loopback_down, way});
    }
    [[nodiscard]] Codes codes() const {
        Codes out;
        for (const auto& finding : findings())
            out.push_back(finding.code);
        return out;
    }
    [[nodiscard]] std::string message() const { return findings().at(0).message; }
};

bool has(const std::string& text, std::string_view part) {
    INFO(text);
    return text.find(part) != text.npos;
}

}  // namespace

TEST_CASE("resolv findings: where all is well nothing is said", "[unit]") {
    Case all;
    all.servers = {server("127.0.0.11", ok, ok, ResolvServerKind::docker),
                   server("192.0.2.1", ok, ok, ResolvServerKind::upstream)};
    all.behind = {embedded(path("udp", true, true), path("tcp", true, true))};
    CHECK(all.codes().empty());
}

TEST_CASE("resolv findings: a server by the transports that it answers over", "[unit]") {
    Case plain;
    plain.target = container({}, api::Runtime::netns);
    const auto codes = [&](ResolvOutcome udp, ResolvOutcome tcp) {
        plain.servers = {server("192.0.2.1", udp, tcp)};
        return plain.codes();
    };
    CHECK(codes(ok, ok).empty());
    CHECK(codes(ok, silent) == Codes{Code::tcp_silent});
    CHECK(codes(refused, ok) == Codes{Code::udp_silent});
    CHECK(codes(silent, refused) == Codes{Code::server_silent});
    CHECK(has(plain.message(), "UDP: no answer, TCP: refused"));
    CHECK(codes(silent, silent) == Codes{Code::server_silent});
    CHECK(has(plain.message(), "no answer (UDP and TCP)"));
    CHECK(plain.findings()[0].suggestion == "netlab ping co1 192.0.2.1");
    plain.servers = {server("192.0.2.1", ok, ok)};
    plain.servers[0].udp.rcode = plain.servers[0].tcp.rcode = "SERVFAIL";
    CHECK(plain.codes() == Codes{Code::server_failing});
}

TEST_CASE("resolv findings: a loopback server of the host's in a container", "[unit]") {
    Case copied;
    copied.target = container({"bridge"});
    copied.servers = {server("127.0.0.53", refused, refused)};
    CHECK(copied.codes() == Codes{Code::loopback_server, Code::no_embedded_dns});
    CHECK(has(copied.message(), "in co1 it is co1 itself"));
    // By default it is nobody's but the file's that names none.
    copied.conf.default_server = true;
    CHECK(copied.codes() == Codes{Code::no_resolv_conf, Code::server_silent, Code::no_embedded_dns});
    copied.conf.default_server = false;
    copied.target = container({}, api::Runtime::host);
    CHECK(copied.codes() == Codes{Code::server_silent});
}

TEST_CASE("resolv findings: the default network is a note, another server on a user's network too",
          "[unit]") {
    Case one;
    one.servers = {server("192.0.2.1", ok, ok)};
    one.target = container({"bridge"});
    REQUIRE(one.codes() == Codes{Code::no_embedded_dns});
    CHECK_FALSE(one.findings()[0].problem);
    CHECK(has(one.findings()[0].suggestion, "docker network connect NETWORK co1"));
    one.target = container({"podman"}, api::Runtime::podman);
    CHECK(one.codes() == Codes{Code::no_embedded_dns});
    one.target = container({"bridge", "net"});
    REQUIRE(one.codes() == Codes{Code::embedded_not_used});
    CHECK_FALSE(one.findings()[0].problem);
    one.target = container({}, api::Runtime::netns);
    CHECK(one.codes().empty());
}

TEST_CASE("resolv findings: the embedded resolver's rules, sockets and silence", "[unit]") {
    Case one;
    one.servers = {server("127.0.0.11", refused, refused, ResolvServerKind::docker)};
    one.behind = {embedded(path("udp", false, false), path("tcp", false, false))};
    REQUIRE(one.codes() == Codes{Code::embedded_rules_gone});
    CHECK(has(one.message(), "over UDP and TCP"));
    CHECK_FALSE(has(one.message(), "still listens"));
    CHECK(one.findings()[0].suggestion == "docker restart co1");
    one.behind[0].paths[0].listening = {"127.0.0.11:40001"};
    CHECK(has(one.message(), "the engine still listens there"));

    one.behind = {embedded(path("udp", false, false), path("tcp", true, true))};
    CHECK(one.codes() == Codes{Code::embedded_rules_gone});
    CHECK(has(one.message(), "over UDP,"));

    one.behind = {embedded(path("udp", true, false), path("tcp", true, false))};
    CHECK(one.codes() == Codes{Code::embedded_socket_gone});
    CHECK(has(one.message(), "127.0.0.11:40001"));
    CHECK(one.findings()[0].suggestion == "docker restart co1");
    one.engine_answers = false;
    CHECK(has(one.message(), "the engine does not run"));
    CHECK(has(one.findings()[0].suggestion, "start Docker"));

    one.behind = {embedded(path("udp", true, true), path("tcp", true, true))};
    CHECK(one.codes() == Codes{Code::embedded_silent});
    CHECK(has(one.message(), "Docker itself does not answer either"));
    one.engine_answers = true;
    CHECK(has(one.message(), "its DNS hangs"));
    // Whatever the rules: it answers.
    one.servers = {server("127.0.0.11", ok, ok, ResolvServerKind::docker)};
    one.behind = {embedded(path("udp", false, false), path("tcp", false, false))};
    CHECK(one.codes().empty());
}

TEST_CASE("resolv findings: Docker's DNS is not blamed for a short wait, for a rule in OUTPUT or for lo",
          "[unit]") {
    Case one;
    one.servers = {server("127.0.0.11", silent, silent, ResolvServerKind::docker)};
    one.behind = {embedded(path("udp", true, true), path("tcp", true, true))};
    one.wait_ms = 0.1;
    CHECK(one.codes() == Codes{Code::embedded_silent});
    CHECK(one.message() ==
          "127.0.0.11 gave no answer to co1 within 0.1 ms, which may be too short a time for one");
    CHECK(one.findings()[0].suggestion == "netlab resolv co1 -W 2");
    one.wait_ms = 2000;
    one.servers[0].udp.outcome = ResolvOutcome::forbidden;
    one.servers[0].udp.message = "Operation not permitted";
    CHECK(one.codes() == Codes{Code::embedded_silent});
    CHECK(has(one.message(), "a rule in the OUTPUT of co1 lets its questions to 127.0.0.11 not out"));
    CHECK_FALSE(has(one.findings()[0].suggestion, "restart"));
    one.loopback_down = true;
    CHECK(one.codes() == Codes{Code::loopback_down});
    CHECK(one.message() == "lo is down in co1: nothing there reaches 127.0.0.11");
    CHECK(one.findings()[0].suggestion == "nsenter --net=/proc/4242/ns/net ip link set lo up");
}

TEST_CASE("resolv findings: a container without a network says so, and what came is called what it is",
          "[unit]") {
    Case none;
    none.target = container({});
    none.target.network_mode = "none";
    none.servers = {server("192.0.2.1", ResolvOutcome::malformed, silent)};
    none.servers[0].udp.message = "an answer with another ID";
    CHECK(none.codes() == Codes{Code::no_network, Code::server_silent});
    CHECK(has(none.message(), "co1 has no network (its mode is none)"));
    CHECK(has(none.findings()[1].message, "UDP: an answer with another ID, TCP: no answer"));
}

TEST_CASE("resolv findings: what is not known of the rules is not said to be gone", "[unit]") {
    const auto target = container({"net"});
    auto row = embedded(path("udp", false, false), path("tcp", false, false));
    CHECK(explain_embedded_resolver(target, row, true));
    row.uncertain = true;
    CHECK_FALSE(explain_embedded_resolver(target, row, true));
    row.uncertain = false;
    row.rules_known = false;
    CHECK_FALSE(explain_embedded_resolver(target, row, true));
    // Somebody in the container serves 127.0.0.11:53 itself.
    CHECK_FALSE(explain_embedded_resolver(
        target, embedded(path("udp", false, true), path("tcp", false, true)), true));
}

TEST_CASE("resolv findings: a rule of somebody else's that decides over the questions is named", "[unit]") {
    auto udp = path("udp", false, false);
    udp.rule.emplace().text = "ip daddr 127.0.0.11 drop";
    const auto finding =
        explain_embedded_resolver(container({"net"}), embedded(udp, path("tcp", true, true)), true);
    REQUIRE(finding);
    CHECK(has(finding->message, "'ip daddr 127.0.0.11 drop' decides"));
}

TEST_CASE("resolv findings: upstreams and what is not asked", "[unit]") {
    Case one;
    one.behind = {embedded(path("udp", true, true), path("tcp", true, true))};
    one.servers = {
        server("127.0.0.11", ok, ok, ResolvServerKind::docker),
        server("192.0.2.1", silent, silent, ResolvServerKind::upstream),
        server("127.0.0.53", ResolvOutcome::not_asked, ResolvOutcome::not_asked, ResolvServerKind::upstream)};
    REQUIRE(one.codes() == Codes{Code::upstream_silent});
    CHECK(has(one.message(), "names that are no container's do not resolve"));
    one.way.internal = {"inner"};
    CHECK(has(one.message(), "co1 is only on inner, which is an internal network"));
    CHECK(has(one.message(), "192.0.2.1, which Docker's DNS passes other names on to, gives no answer"));
    one.way.internal.clear();
    one.servers[1] = server("192.0.2.1", ok, silent, ResolvServerKind::upstream);
    REQUIRE(one.codes() == Codes{Code::upstream_silent});
    CHECK(has(one.message(), "over TCP"));
}

TEST_CASE("resolv findings: the file", "[unit]") {
    Case one;
    one.target = container({}, api::Runtime::netns);
    one.servers = {server("127.0.0.1", ok, ok)};
    one.conf.state = api::ResolvFileState::missing;
    one.conf.message = "there is no /etc/resolv.conf";
    REQUIRE(one.codes() == Codes{Code::no_resolv_conf});
    CHECK(one.findings()[0].problem);
    one.conf.state = api::ResolvFileState::unknown;
    CHECK_FALSE(one.findings()[0].problem);
    one.conf.state = api::ResolvFileState::read;
    one.conf.message = "mode 0600: only its owner's programs and root's can read it";
    CHECK(one.codes() == Codes{Code::private_resolv_conf});
    one.conf.truncated = true;
    CHECK(one.codes().empty());
    one.conf.message.clear();
    one.skipped = {{3, "nameserver x", "'x' is no IP address", SkippedLine::Kind::nameserver},
                   {4, "foo", "no keyword", SkippedLine::Kind::other}};
    REQUIRE(one.codes() == Codes{Code::nameserver_ignored});
    CHECK(has(one.message(), "line 3 of /etc/resolv.conf"));
}

TEST_CASE("resolv findings: Podman's aardvark-dns, by what listens on the host", "[unit]") {
    Case one;
    one.target = container({"podnet"}, api::Runtime::podman);
    auto row = embedded(path("udp", true, true), path("tcp", true, false));
    row.engine = api::Runtime::podman;
    row.address = "10.89.0.1";
    one.behind = {row};
    one.servers = {server("10.89.0.1", ok, refused, ResolvServerKind::podman)};
    REQUIRE(one.codes() == Codes{Code::tcp_silent});
    CHECK_FALSE(one.findings()[0].problem);
    one.behind[0].paths[1].socket.emplace();
    REQUIRE(one.codes() == Codes{Code::tcp_silent});
    CHECK(one.findings()[0].problem);
    one.servers = {server("10.89.0.1", silent, silent, ResolvServerKind::podman)};
    REQUIRE(one.codes() == Codes{Code::server_silent});
    CHECK(has(one.findings()[0].suggestion, "podman network reload co1"));
    one.behind[0].paths[0].socket.reset();
    CHECK(has(one.message(), "does not run"));
}

// ---- the upstreams

TEST_CASE("docker upstreams: dockerd's arguments", "[unit]") {
    using namespace std::string_view_literals;
    CHECK(parse_dockerd_arguments("/usr/sbin/dockerd\0-H\0fd://\0"sv) == DockerdArguments{});
    CHECK(parse_dockerd_arguments("dockerd\0--config-file=/a.json\0--dns\0"
                                  "192.0.2.1\0--dns=192.0.2.2\0"
                                  "--dns-search\0x\0--dns-opt=y\0"sv) ==
          DockerdArguments{"/a.json", {"192.0.2.1", "192.0.2.2"}});
    CHECK(parse_dockerd_arguments("dockerd\0--dns\0"sv).dns.size() <= 1);
    CHECK(parse_dockerd_arguments("").config_file == "/etc/docker/daemon.json");
}

TEST_CASE("docker upstreams: JSON of others", "[unit]") {
    using Texts = std::vector<std::string>;
    CHECK(parse_daemon_dns(R"({"dns": ["192.0.2.1", 7, ""], "debug": true})") == Texts{"192.0.2.1"});
    CHECK(parse_daemon_dns(R"({"dns": "192.0.2.1"})").empty());
    CHECK(parse_daemon_dns("not json").empty());
    const auto container =
        parse_container_dns(R"({"HostConfig": {"Dns": ["192.0.2.1"], "NetworkMode": "net"}})");
    REQUIRE(container);
    CHECK(container->dns == Texts{"192.0.2.1"});
    CHECK(container->network_mode == "net");
    CHECK(parse_container_dns("{}")->dns.empty());
    CHECK_FALSE(parse_container_dns("[]"));
}

TEST_CASE("docker upstreams: the nearest word counts, and without knowing it none is said", "[unit]") {
    UpstreamSources sources;
    const auto from = [&] { return docker_upstreams(sources).from; };
    const auto first = [&] { return docker_upstreams(sources).servers.at(0); };
    sources.host_resolv_conf = "nameserver 127.0.0.53\nnameserver 192.0.2.9\n";
    CHECK(from() == ResolvUpstreamSource::unknown);
    sources.container.emplace();
    CHECK(from() == ResolvUpstreamSource::unknown);  // the engine's own words are missing
    sources.arguments.emplace();
    CHECK(from() == ResolvUpstreamSource::unknown);
    sources.daemon_json = "";
    CHECK(from() == ResolvUpstreamSource::host);
    CHECK(first() == api::ResolvUpstream{"127.0.0.53", true});
    CHECK(docker_upstreams(sources).servers.at(1) == api::ResolvUpstream{"192.0.2.9", false});
    sources.host_resolv_conf = "nameserver 127.0.0.53\n";
    sources.host_systemd_resolv_conf = "nameserver 192.0.2.10\n";
    CHECK(first() == api::ResolvUpstream{"192.0.2.10", false});
    sources.host_resolv_conf = "";
    CHECK(from() == ResolvUpstreamSource::unknown);
    sources.daemon_json = R"({"dns": ["192.0.2.3"]})";
    CHECK(from() == ResolvUpstreamSource::engine);
    sources.arguments->dns = {"192.0.2.4"};
    CHECK(first().server == "192.0.2.4");
    sources.container->dns = {"192.0.2.5", "192.0.2.6", "192.0.2.7", "192.0.2.8"};
    CHECK(from() == ResolvUpstreamSource::container);
    CHECK(docker_upstreams(sources).servers.size() == 3);
    sources.noted = {{"192.0.2.11", false}, {"127.0.0.1", true}};
    CHECK(from() == ResolvUpstreamSource::resolv_conf);
    CHECK(docker_upstreams(sources).servers.at(1).from_host);
}
