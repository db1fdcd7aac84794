#include "common/json.hpp"
#include "daemon/front/audit.hpp"
#include "daemon/front/backoff.hpp"
#include "daemon/front/response.hpp"
#include "daemon/front/router.hpp"
#include "daemon/front/server.hpp"
#include "tests/support/catch.hpp"

#include <algorithm>
#include <csignal>

#include <sys/socket.h>
#include <unistd.h>

using namespace netlab;
using namespace std::chrono_literals;

namespace {

const targets::Engine docker{api::Runtime::docker, "/run/docker.sock"};

api::ContainerRecord container(std::string name, char id, api::State state, std::string address) {
    api::ContainerRecord record;
    record.target.name = std::move(name);
    record.target.id = std::string(64, id);
    record.target.state = state;
    record.target.pid = state == api::State::running ? 4000 + id : 0;
    if (state == api::State::running) record.sandbox_path = std::string("/run/docker/netns/") + id;
    record.target.networks.emplace_back().name = "net";
    record.target.networks.back().addresses.push_back(*IpPrefix::parse(address));
    return record;
}

void fill(targets::Registry& registry) {
    const std::vector<api::ContainerRecord> records{
        container("co1", 'a', api::State::running, "172.18.0.2/16"),
        container("co2", 'b', api::State::running, "172.18.0.3/16"),
        container("stopped", 'c', api::State::exited, "172.18.0.4/16")};
    registry.set_state(docker, {true, {}});
    registry.replace(docker, records);
}

/// As the watcher of namespaces tells it; "" is the host's.
api::NamespaceRecord lives_in(std::string id, std::uint64_t inode) {
    api::NamespaceRecord record;
    record.id = std::move(id);
    record.device = 4;
    record.inode = inode;
    return record;
}

const front::Route& ping_route() {
    return *front::find_route("POST", "/v1/ping").route;
}

Result<front::Plan> plan_ping(const targets::Registry& registry, std::string_view body,
                              front::AuditEntry& entry, api::Roles roles = api::Roles::all()) {
    return ping_route().plan(body, front::Knowledge{registry, roles}, entry);
}

Result<front::Plan> plan_ping(const targets::Registry& registry, std::string_view body) {
    front::AuditEntry entry;
    return plan_ping(registry, body, entry);
}

}  // namespace

TEST_CASE("front router: every public row of the catalogue is a route, and no internal one", "[unit]") {
    CHECK(front::find_route("GET", "/v1/targets").route != nullptr);
    CHECK(front::find_route("GET", "/v1/version").route != nullptr);
    CHECK(ping_route().role == api::Role::probe);
    for (const auto& route : front::routes())
        CHECK(route.path.starts_with("/v1/"));
}

TEST_CASE("front router: an unknown path gets the nearest", "[unit]") {
    const auto found = front::find_route("GET", "/v1/targest");
    CHECK(found.error.code == errc::not_found);
    CHECK(found.error.hint == "did you mean /v1/targets?");
    CHECK(front::find_route("GET", std::string(8000, 'x')).error.message.size() < 200);
}

TEST_CASE("front router: a wrong verb is told the right one", "[unit]") {
    const auto found = front::find_route("GET", "/v1/ping");
    CHECK(found.error.code == errc::method_not_allowed);
    CHECK(found.allow == "POST");
    CHECK(front::find_route("DELETE", "/v1/targets").allow == "GET");
}

TEST_CASE("front router: a query is refused, not ignored", "[unit]") {
    CHECK(front::find_route("GET", "/v1/targets?all=1").error.code == errc::bad_request);
}

TEST_CASE("front router: a ping becomes a job with the target's namespace and the peer in its context",
          "[unit]") {
    targets::Registry registry;
    fill(registry);
    front::AuditEntry entry;
    const auto plan = plan_ping(registry, R"({"from":"co1","to":"co2","count":2})", entry);
    REQUIRE(plan);
    CHECK(entry.target == "co1");
    CHECK(entry.peer == "co2");
    CHECK(plan->job.operation == api::operation_number<api::PingRequest>());
    api::PingRequest request;
    request.count = 2;
    CHECK(plan->job.deadline_ms == api::deadline_ms(request));
    REQUIRE(plan->job.namespaces.size() == 2);
    CHECK(plan->job.namespaces[0].may_fail == 0);
    CHECK(plan->job.namespaces[1].may_fail == 1);
    CHECK(std::string(plan->job.namespaces[1].path.data()) == "/run/docker/netns/b");
    CHECK(plan->job.namespaces[0].way == launcher::Way::path);
    CHECK(std::string(plan->job.namespaces[0].path.data()) == "/run/docker/netns/a");
    CHECK(plan->job.namespaces[0].pid == 4000 + 'a');
    const auto order = binary::decode<api::Order<api::PingRequest>>(plan->job.request);
    REQUIRE(order);
    CHECK(order->request.count == 2);
    REQUIRE(order->context.targets.size() == 1);
    CHECK(order->context.targets[0].name == "co1");
    REQUIRE(order->context.peer);
    CHECK(order->context.peer->name == "co2");
    CHECK(order->context.peer_match == api::PeerMatch::name);
    CHECK(order->context.peer_namespace);
}

TEST_CASE("front router: a peer that nobody knows is the operation's business", "[unit]") {
    targets::Registry registry;
    fill(registry);
    const auto plan = plan_ping(registry, R"({"from":"co1","to":"example.org"})");
    REQUIRE(plan);
    const auto order = binary::decode<api::Order<api::PingRequest>>(plan->job.request);
    REQUIRE(order);
    CHECK_FALSE(order->context.peer);
}

TEST_CASE("front router: what cannot be done is refused with its own code", "[unit]") {
    targets::Registry registry;
    fill(registry);
    const auto code = [&](std::string_view body) {
        const auto plan = plan_ping(registry, body);
        REQUIRE_FALSE(plan);
        return plan.error().code;
    };
    CHECK(code("") == errc::bad_request);
    CHECK(code("nonsense") == errc::bad_request);
    CHECK(code("[]") == errc::bad_request);
    CHECK(code(R"({"from":"co1"})") == errc::bad_request);
    CHECK(code(R"({"from":"co1","to":"co2","cuont":1})") == errc::unknown_field);
    CHECK(code(R"({"from":"nobody","to":"co2"})") == errc::no_such_target);
    CHECK(code(R"({"from":"stopped","to":"co2"})") == errc::target_not_running);
    CHECK(code(R"({"from":"co1","to":"docker:nobody"})") == errc::no_such_target);
}

TEST_CASE("front router: the caps of a role are held before a target is looked at", "[unit]") {
    targets::Registry registry;
    front::AuditEntry entry;
    api::Roles probe;
    probe.add(api::Role::probe);
    const auto plan = plan_ping(registry, R"({"from":"nobody","to":"co2","count":0})", entry, probe);
    REQUIRE_FALSE(plan);
    CHECK(plan.error().code == errc::limit_exceeded);
    CHECK(entry.target == "nobody");
}

TEST_CASE("front router: GET takes no body and answers from the registry", "[unit]") {
    targets::Registry registry;
    fill(registry);
    front::AuditEntry entry;
    const auto& route = *front::find_route("GET", "/v1/targets").route;
    CHECK_FALSE(route.plan("{}", front::Knowledge{registry, {}}, entry));
    const auto plan = route.plan("", front::Knowledge{registry, {}}, entry);
    REQUIRE(plan);
    const auto value = json::parse(plan->answer);
    REQUIRE(value);
    REQUIRE(value->as_array().size() >= 3);
    CHECK(value->at(0).at("name") == "co1");
}

TEST_CASE("front router: the version says the caller's roles", "[unit]") {
    targets::Registry registry;
    front::AuditEntry entry;
    api::Roles roles;
    roles.add(api::Role::observe);
    roles.add(api::Role::capture);
    const auto plan =
        front::find_route("GET", "/v1/version").route->plan("", front::Knowledge{registry, roles}, entry);
    REQUIRE(plan);
    CHECK(plan->answer == R"({"version":")" NETLAB_VERSION
                          R"(","api":"v1","roles":["observe","capture"],"engines":[]})");
}

TEST_CASE("front references: a path that is too long falls back on the process", "[unit]") {
    targets::NamespaceReference reference;
    reference.way = targets::Way::path;
    reference.path = "/" + std::string(254, 'x');
    auto made = front::launcher_reference(reference);
    REQUIRE(made);
    CHECK(made->way == launcher::Way::path);
    reference.path += 'x';
    CHECK_FALSE(front::launcher_reference(reference));
    reference.pid = 42;
    made = front::launcher_reference(reference);
    REQUIRE(made);
    CHECK(made->way == launcher::Way::process);
    CHECK(made->path[0] == '\0');
}

TEST_CASE("front peer: roles come from groups, and root has all", "[unit]") {
    front::AccessTable access;
    access[api::Role::observe] = {{100, "netlab"}, {200, "staff"}};
    access[api::Role::probe] = {{200, "staff"}};
    const auto roles = front::roles_of({1000, 1, {100, 7}}, access);
    CHECK(roles.has(api::Role::observe));
    CHECK_FALSE(roles.has(api::Role::probe));
    CHECK(front::roles_of({1000, 1, {7, 200}}, access).has(api::Role::probe));
    CHECK(front::roles_of({0, 1, {}}, access) == api::Roles::all());
    CHECK(front::roles_of({1000, 1, {0}}, access) == api::Roles());
}

TEST_CASE("front peer: a refusal says which role and which groups", "[unit]") {
    front::AccessTable access;
    access[api::Role::probe] = {{100, "netlab"}, {200, "staff"}};
    const auto error = front::missing_role("ping", api::Role::probe, access);
    CHECK(error.code == errc::permission_denied);
    CHECK(error.message == "ping needs the probe role");
    CHECK(error.hint.find("netlab or staff") != std::string::npos);
    CHECK(front::missing_role("ping", api::Role::host, access).hint.find("[access]") != std::string::npos);
}

TEST_CASE("front peer: the kernel says who is connected", "[unit]") {
    int ends[2];
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
    const UniqueFd first(ends[0]);
    const UniqueFd second(ends[1]);
    const auto peer = front::peer_of(first.get());
    REQUIRE(peer);
    CHECK(peer->uid == ::geteuid());
    CHECK(peer->pid == ::getpid());
    REQUIRE_FALSE(peer->groups.empty());
    CHECK(peer->groups.front() == ::getegid());
}

TEST_CASE("front audit: nothing that a client writes ends a field or a line", "[unit]") {
    CHECK(front::escaped("co1") == "co1");
    CHECK(front::escaped("docker:web-1.x/y") == "docker:web-1.x/y");
    CHECK(front::escaped("") == "-");
    CHECK(front::escaped("a b\nuid=0") == "a\\x20b\\x0auid\\x3d0");
    CHECK(front::escaped("\x1b[1m\xe2\x80\xae\"\\") == "\\x1b[1m\\xe2\\x80\\xae\\x22\\x5c");
    CHECK(front::printable("cannot a=b\n\x1b[2J") == "cannot a=b\\x0a\\x1b[2J");
    CHECK(front::escaped(std::string(1000, 'a')) == std::string(128, 'a') + "...");
}

TEST_CASE("front audit: one line before and one after", "[unit]") {
    front::AuditEntry entry;
    entry.request = 0x2a;
    entry.operation = "ping";
    entry.roles.add(api::Role::probe);
    entry.target = "co1";
    entry.targets = {{"0123abcd", 4026532000}};
    CHECK(front::line_of(front::decision_fields(entry, {1000, 77, {}}, "allowed")) ==
          "req=2a uid=1000 pid=77 op=ping role=probe decision=allowed target=co1 id=0123abcd peer=- "
          "ns=4026532000");
    entry.bytes = 99;
    CHECK(front::line_of(front::result_fields(entry, entry.since + 1500us)) ==
          "req=2a op=ping result=ok bytes=99 ms=1.500");
    // Of a capture, what it was to see and what it saw.
    entry.filter = "tcp port 80 and host=x\n";
    entry.counts = {7, 2};
    CHECK(front::line_of(front::decision_fields(entry, {1000, 77, {}}, "allowed"))
              .ends_with(" filter=tcp\\x20port\\x2080\\x20and\\x20host\\x3dx\\x0a"));
    CHECK(front::line_of(front::result_fields(entry, entry.since + 1500us)) ==
          "req=2a op=ping result=ok bytes=99 ms=1.500 packets=7 dropped=2");
    entry.filter = "";
    CHECK(front::line_of(front::decision_fields(entry, {1000, 77, {}}, "allowed")).ends_with(" filter=-"));
}

TEST_CASE("front audit: each field is one of the journal's, and nothing that a client writes is another",
          "[unit]") {
    front::AuditEntry entry;
    entry.request = 0x2a;
    entry.operation = "ping";
    entry.target = "co1\nNETLAB_UID=0";
    const auto fields =
        front::journal_entry(front::decision_fields(entry, {1000, 77, {}}, "allowed"), front::decision_id, 6);
    CHECK(fields.front().starts_with("MESSAGE=req=2a uid=1000 pid=77 op=ping"));
    const auto has = [&](std::string_view field) { return std::ranges::count(fields, field) == 1; };
    CHECK(has("MESSAGE_ID=" + std::string(front::decision_id)));
    CHECK(has("PRIORITY=6"));
    CHECK(has("SYSLOG_IDENTIFIER=netlabd"));
    CHECK(has("NETLAB_REQ=2a"));
    CHECK(has("NETLAB_UID=1000"));
    CHECK(has("NETLAB_TARGET=co1\\x0aNETLAB_UID\\x3d0"));
    CHECK(std::ranges::none_of(fields, [](const auto& field) { return field.find('\n') != field.npos; }));
}

TEST_CASE("front audit: of several targets each is said, in the journal in a field of its own", "[unit]") {
    front::AuditEntry entry;
    entry.roles.add(api::Role::observe);
    entry.roles.add(api::Role::trace);
    entry.target = std::string(5000, 'a');
    for (int i = 0; i < 256; ++i)
        entry.targets.push_back({std::to_string(i) + std::string(60, 'f'), 1000U + static_cast<unsigned>(i)});
    entry.targets.push_back({"a,b c", 0});
    const auto fields = front::decision_fields(entry, {1000, 77, {}}, "allowed");
    const auto line = front::line_of(fields);
    CHECK(line.find(" role=observe+trace ") != line.npos);
    CHECK(line.find(" target=" + std::string(1024, 'a') + "... id=0fff") != line.npos);
    CHECK(line.find("ff,255" + std::string(60, 'f') + ",a\\x2cb\\x20c peer=- ns=1000,1001,") != line.npos);
    CHECK(line.ends_with(",1255,0"));
    const auto entries = front::journal_entry(fields, front::decision_id, 6);
    const auto count = [&](std::string_view start) {
        return std::ranges::count_if(entries, [&](const auto& field) { return field.starts_with(start); });
    };
    CHECK(count("NETLAB_ID=") == 257);
    CHECK(count("NETLAB_NS=") == 257);
    CHECK(count("NETLAB_ID=255" + std::string(60, 'f')) == 1);
    CHECK(count("NETLAB_ID=a\\x2cb\\x20c") == 1);
    CHECK(count("NETLAB_TARGET=") == 1);
    // What journald takes at once (net.core.wmem_default).
    std::size_t size = 0;
    for (const auto& field : entries)
        size += field.size() + 1;
    CHECK(size < 200'000);
}

TEST_CASE("front audit: a target that is named after many others is said all the same", "[unit]") {
    targets::Registry registry;
    fill(registry);
    registry.apply(lives_in(std::string(64, 'a'), 11));
    registry.apply(lives_in(std::string(64, 'b'), 12));
    registry.apply(lives_in("", 1));
    const auto told = [&](std::string_view path, std::string_view body) {
        front::AuditEntry entry;
        const auto* route = front::find_route("POST", path).route;
        REQUIRE(route != nullptr);
        REQUIRE(route->plan(body, front::Knowledge{registry, api::Roles::all()}, entry));
        return entry.targets;
    };
    const std::vector<front::AuditTarget> both{{std::string(64, 'a'), 11}, {std::string(64, 'b'), 12}};
    CHECK(told("/v1/capture", R"({"points":["co1:a","co1:b","co1:c","co1:d","co1:a","co1","co1","co2"]})") ==
          both);
    CHECK(told("/v1/processes", R"({"targets":["co1","co1","docker:co1","co2","co1"]})") == both);
    CHECK(told("/v1/addresses", R"({"all":true})").size() == 3);
    CHECK(told("/v1/ping/pairs", R"({"network":"net"})") == both);
    CHECK(told("/v1/capture", R"({"points":["co1:a","host"]})") ==
          std::vector<front::AuditTarget>{{std::string(64, 'a'), 11}, {"host", 1}});
}

TEST_CASE("front audit: the roles are those that a request needs, and makes use of", "[unit]") {
    targets::Registry registry;
    fill(registry);
    registry.apply(lives_in("", 1));
    registry.apply(lives_in("/run/netns/same", 1));
    const auto roles_of = [&](std::string_view path, std::string_view body,
                              api::Roles callers = api::Roles::all()) {
        front::AuditEntry entry;
        const auto* route = front::find_route("POST", path).route;
        REQUIRE(route != nullptr);
        entry.roles.add(route->role);
        (void)route->plan(body, front::Knowledge{registry, callers}, entry);
        const auto line = front::line_of(front::decision_fields(entry, {1000, 77, {}}, "allowed"));
        const auto begin = line.find(" role=") + 6;
        return line.substr(begin, line.find(' ', begin) - begin);
    };
    api::Roles observer;
    observer.add(api::Role::observe);
    auto prober = observer;
    prober.add(api::Role::probe);
    auto tracer = prober;
    tracer.add(api::Role::trace);
    const auto why = R"({"from":"co1","to":"co2"})";
    CHECK(roles_of("/v1/why", why) == "observe+probe+trace");
    CHECK(roles_of("/v1/why", why, tracer) == "observe+probe+trace");
    CHECK(roles_of("/v1/why", why, prober) == "observe+probe");
    CHECK(roles_of("/v1/why", why, observer) == "observe+probe");  // refused: it would take that
    CHECK(roles_of("/v1/why", R"({"from":"co1","to":"co2","trace":false})") == "observe+probe");
    CHECK(roles_of("/v1/why", R"({"from":"co1","to":"co2","probe":false})") == "observe+probe");
    CHECK(roles_of("/v1/why", R"({"from":"co1","to":"co2","probe":false})", observer) == "observe");
    CHECK(roles_of("/v1/why", R"({"from":"co1","to":"10.0.0.1","probe":false})") == "observe");
    CHECK(roles_of("/v1/conntrack", R"({"target":"co1"})") == "observe");
    CHECK(roles_of("/v1/conntrack", R"({"target":"host"})") == "observe+capture");
    CHECK(roles_of("/v1/conntrack/events", R"({"target":"netns:same"})") == "observe+capture");
    CHECK(roles_of("/v1/ping", R"({"from":"co1","to":"co2"})") == "probe");
    CHECK(roles_of("/v1/ping", R"({"from":"co1","to":"co2","flood":true})") == "probe+host");
    CHECK(roles_of("/v1/ping", R"({"from":"co1","to":"co2","flood":true})", prober) == "probe+host");
    CHECK(roles_of("/v1/capture", R"({"points":["co1"],"buffer_kib":200000})") == "capture+host");
    CHECK(roles_of("/v1/sockets", R"({"targets":["co1"]})") == "observe");
    CHECK(roles_of("/v1/sockets", R"({"targets":["co1","host"]})") == "observe+host");
    CHECK(roles_of("/v1/sockets", R"({"targets":["co1","host"]})", observer) == "observe");
    CHECK(roles_of("/v1/processes", R"({"targets":["co1"]})") == "observe+host");
    CHECK(roles_of("/v1/addresses", R"({"targets":["co1"]})") == "observe");
}

TEST_CASE("front endings: how a worker died is what the client is told", "[unit]") {
    using Kind = front::Ending::Kind;
    const auto told = [](front::Ending ending, std::uint32_t deadline_ms = 1000) {
        return front::ending_error(ending, deadline_ms);
    };
    CHECK(told({Kind::exited, SIGSYS}).message.find("sandbox") != std::string::npos);
    CHECK(told({Kind::exited, SIGKILL}).code == errc::worker_died);
    // As daemon/launcher/worker.cpp arms it, and as the kernel ends what is over its processor time.
    CHECK(told({Kind::exited, SIGALRM}).code == errc::timed_out);
    CHECK(told({Kind::exited, SIGALRM}, 0).code == errc::worker_died);
    CHECK(told({Kind::exited, SIGXCPU}).code == errc::timed_out);
    CHECK(told({Kind::exited, SIGSEGV}).message.find("SIGSEGV") != std::string::npos);
    CHECK(told({Kind::exited, 3 << 8}).message.find("status 3") != std::string::npos);
    CHECK(told({Kind::refused, EAGAIN}).code == errc::busy);
    CHECK(told({Kind::refused, EPERM}).code == errc::operation_failed);
    CHECK(told({Kind::launcher_gone, 0}).code == errc::launcher_unavailable);
    CHECK(told({Kind::launcher_gone, 1}).code == errc::worker_died);
    CHECK(told({Kind::unknown, 0}).code == errc::worker_died);
}

TEST_CASE("front back-off: only what ends at once again and again is delayed", "[unit]") {
    front::Backoff backoff(1000ms);
    CHECK(backoff.after(5000ms) == 0ms);
    CHECK(backoff.after(10ms) == 0ms);
    CHECK(backoff.after(10ms) == 100ms);
    CHECK(backoff.after(10ms) == 200ms);
    for (int i = 0; i < 100; ++i)
        CHECK(backoff.after(10ms) <= 5000ms);
    CHECK(backoff.after(10ms) == 5000ms);
    CHECK(backoff.after(1000ms) == 0ms);
    CHECK(backoff.after(10ms) == 0ms);
}

TEST_CASE("front limits: connections fit into the descriptors that there are", "[unit]") {
    CHECK(front::Limits::for_descriptors(2048).connections == 512);
    CHECK(front::Limits::for_descriptors(2048).of_one_user == 256);
    CHECK(front::Limits::for_descriptors(64).connections == 12);
    for (std::size_t descriptors = 1; descriptors < 4096; ++descriptors) {
        INFO(descriptors);
        const auto limits = front::Limits::for_descriptors(descriptors);
        // One user's are never all.
        CHECK(limits.of_one_user >= 1);
        CHECK(limits.of_one_user < limits.connections);
        CHECK(limits.refused >= 1);
        CHECK(limits.unchecked >= 1);
        constexpr std::size_t fixed = 24;
        if (descriptors >= 40)
            CHECK(fixed + 3 * limits.connections + limits.refused + limits.unchecked <= descriptors);
    }
}

TEST_CASE("front response: the head says what HTTP needs and no more", "[unit]") {
    const auto head = front::response_head(200, front::stream_type, std::nullopt, {11, true});
    CHECK(head.starts_with("HTTP/1.1 200 OK\r\n"));
    CHECK(head.find("Transfer-Encoding: chunked\r\n") != std::string::npos);
    CHECK(head.find("Cache-Control: no-store\r\n") != std::string::npos);
    CHECK(head.find("Connection:") == std::string::npos);
    const auto old = front::response_head(200, front::stream_type, std::nullopt, {10, true});
    CHECK(old.find("chunked") == std::string::npos);
    CHECK(old.find("Connection: close") != std::string::npos);
    const auto error = front::error_response({errc::method_not_allowed, "m", {}, {}}, {11, false}, "POST");
    CHECK(error.starts_with("HTTP/1.1 405 Method Not Allowed\r\n"));
    CHECK(error.find("\r\nAllow: POST\r\n") != std::string::npos);
    CHECK(error.ends_with("\r\n\r\n{\"error\":{\"code\":\"method_not_allowed\",\"message\":\"m\"}}\n"));
}

TEST_CASE("front router: thousands of published ports do not keep a container from being pinged", "[unit]") {
    targets::Registry registry;
    auto turn = container("turn", 'd', api::State::running, "172.18.0.9/16");
    for (std::uint16_t port = 10'000; port < 13'000; ++port)
        turn.target.ports.push_back({IpAddress(), port, port, "udp"});
    const std::vector<api::ContainerRecord> records{
        turn, container("co1", 'a', api::State::running, "172.18.0.2/16")};
    registry.replace(docker, records);
    for (const char* body : {R"({"from":"turn","to":"co1"})", R"({"from":"co1","to":"turn"})"}) {
        const auto plan = plan_ping(registry, body);
        REQUIRE(plan);
        launcher::LaunchHeader header;
        CHECK(launcher::make_launch(header, plan->job.namespaces, plan->job.request));
    }
}
