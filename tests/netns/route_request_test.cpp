#include "daemon/kernel/namespace.hpp"
#include "daemon/kernel/pidfd.hpp"
#include "tests/netns/route_lab.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/command.hpp"

#include <csignal>

#include <poll.h>
#include <unistd.h>

using namespace netlab;
using namespace netlab::test;
using boost::json::object;

namespace {

using Steps = std::vector<std::string>;

Asked with_peer(const TestNetwork& network, char peer, const std::string& others) {
    auto asked = ask(network, std::string("a") + peer, others);
    // As the front has it: the peer's namespace is the second, and among the others too.
    asked.context.peer = asked.context.targets[1];
    asked.context.targets.pop_back();
    asked.context.peer_match = api::PeerMatch::name;
    asked.context.peer_namespace = true;
    return asked;
}

/// `ip route get WORDS` in a; "" where it refuses.
std::string interface_by_ip(const RouteLab& lab, const std::string& words) {
    const auto shown =
        support::run({"sh", "-c", "ip -n " + lab.network.name('a') + " -j route get " + words});
    return shown.status == 0 ? text(shown.json().as_array()[0].as_object(), "dev") : "";
}

void pause_until_killed(int ready) {
    (void)!::write(ready, "x", 1);
    ::pause();
}

/// Kills a process that may be somebody else's child, and waits for its end.
void end(pid_t pid) {
    const UniqueFd process(::pidfd_open(pid, 0));
    ::kill(pid, SIGKILL);
    pollfd ended{process.get(), POLLIN, 0};
    (void)::poll(&ended, 1, -1);
}

}  // namespace

TEST_CASE("route: of a source that is no address of an interface the kernel decides", "[netns]") {
    const RouteLab lab;
    auto request = route_request("203.0.113.8");
    // AnyIP: no interface has it, and it is the target's own.
    lab.network.ip('a', "route add local 10.9.0.0/24 dev lo");
    request.from = *IpAddress::parse("10.9.0.7");
    REQUIRE(interface_by_ip(lab, "203.0.113.8 from 10.9.0.7") == "eth0");
    auto answer = lab.answer(request);
    CHECK(text(answer, "outcome") == "routed");
    CHECK(text(answer, "interface") == "eth0");
    CHECK(text(answer, "gateway") == "192.0.2.254");

    request.from = *IpAddress::parse("192.0.2.99");
    REQUIRE(interface_by_ip(lab, "203.0.113.8 from 192.0.2.99").empty());
    answer = lab.answer(request);
    CHECK(steps(answer) == Steps{"a refused"});
    CHECK(text(hop(answer, 0), "note").find("192.0.2.99 is no address of a") == 0);
    CHECK(answer.at("findings") == 1);
    // A blackhole says the same errno, and is one whatever the source.
    lab.network.ip('a', "route add blackhole 10.1.0.0/16");
    request = route_request("10.1.0.1");
    request.from = *IpAddress::parse("192.0.2.1");
    CHECK(steps(lab.answer(request)) == Steps{"a blackhole"});

    // What comes in needs one, and the answer says that too.
    request = route_request("203.0.113.8");
    request.iif = "eth0";
    answer = lab.answer(request);
    CHECK(steps(answer) == Steps{"a refused"});
    CHECK(text(hop(answer, 0), "note").find("none was given") != std::string::npos);

    // IPv6 looks up the route only; whether a program may is told by the note.
    request = route_request("2001:db8:8::8");
    request.from = *IpAddress::parse("2001:db8:1::99");
    REQUIRE(interface_by_ip(lab, "2001:db8:8::8 from 2001:db8:1::99") == "eth0");
    answer = lab.answer(request);
    CHECK(text(answer, "outcome") == "routed");
    CHECK(text(hop(answer, 0), "note").find("2001:db8:1::99 is no address of a") == 0);
    // A rule by source decides for it as for one's own.
    lab.network.ip('a', "route add default via 192.0.2.2 table 100");
    lab.network.ip('a', "rule add from 10.9.0.0/24 table 100");
    request = route_request("203.0.113.8");
    request.from = *IpAddress::parse("10.9.0.7");
    CHECK(text(lab.answer(request), "gateway") == "192.0.2.2");
}

TEST_CASE("route: a link-local destination goes by its zone", "[netns]") {
    const RouteLab lab;
    lab.network.ip('a', "addr add fe80::a/64 dev eth0 nodad");
    lab.network.ip('b', "addr add fe80::b/64 dev eth0 nodad");
    lab.network.veth('a', "eth1", "", 'i', "ia", "");
    for (const std::string zone : {"eth0", "eth1"}) {
        const auto answer = lab.answer("fe80::b%" + zone);
        CHECK(text(answer, "interface") == zone);
        CHECK(text(answer, "interface") == interface_by_ip(lab, "fe80::b oif " + zone));
        CHECK(text(answer, "destination") == "fe80::b");
    }
    CHECK(steps(lab.answer("fe80::b%eth0")) == Steps{"a routed", "h switched", "b delivered"});
    CHECK(steps(lab.answer("fe80::b%eth1")) == Steps{"a routed", "i unknown"});
    const auto links = ip_json(lab.network, 'a', "link show eth0");
    CHECK(text(lab.answer("fe80::b%" + text(links[0].as_object(), "ifindex")), "interface") == "eth0");

    CHECK(inspect(route_request("fe80::b"), ask(lab.network, "a", "hbi")).error == errc::bad_request);
    CHECK(inspect(route_request("fe80::b%eth9"), ask(lab.network, "a", "hbi")).error ==
          errc::no_such_interface);
    CHECK(inspect(route_request("fe80::b%"), ask(lab.network, "a", "hbi")).error == errc::bad_request);
    CHECK(inspect(route_request("192.0.2.2%eth0"), ask(lab.network, "a", "hbi")).error == errc::bad_request);
    auto request = route_request("fe80::b%eth0");
    request.from = *IpAddress::parse("192.0.2.1");
    CHECK(inspect(request, ask(lab.network, "a", "hbi")).error == errc::bad_request);
}

TEST_CASE("route: a name that is nobody's comes with the nearest ones", "[netns]") {
    const RouteLab lab;
    CHECK(inspect(route_request("nowhere"), ask(lab.network, "a", "hbi")).error == errc::no_such_target);
    auto asked = ask(lab.network, "a", "hbi");
    asked.context.similar = {"co1", "co2"};
    const auto said = inspect(route_request("co11"), std::move(asked));
    CHECK(said.error == errc::no_such_target);
    CHECK(said.hint == "did you mean co1 or co2?");
}

TEST_CASE("route: a target that the packet does not come to is a finding, and where it is is said",
          "[netns]") {
    const RouteLab lab;
    const auto ask_for_b = [&] {
        const auto said = inspect(route_request("b"), with_peer(lab.network, 'b', "hbi"));
        REQUIRE(said.of("answer").size() == 1);
        auto answer = said.of("answer")[0];
        answer["findings"] = said.report.at("findings");
        return answer;
    };
    CHECK(ask_for_b().at("findings") == 0);
    lab.network.ip('h', "link set vb nomaster");
    auto answer = ask_for_b();
    CHECK(steps(answer) == Steps{"a routed", "h unknown"});
    CHECK(text(hop(answer, 1), "note").find("(eth0 of b has it, elsewhere)") != std::string::npos);
    CHECK(answer.at("findings") == 1);
    // Somebody else there has the address too.
    lab.network.veth('i', "eth0", "192.0.2.2/24", 'h', "vi", "");
    lab.network.ip('h', "link set vi master br0");
    answer = ask_for_b();
    CHECK(steps(answer) == Steps{"a routed", "h switched", "i delivered"});
    CHECK(answer.at("findings") == 1);
    // Of an address nobody was meant in particular.
    CHECK(lab.answer("192.0.2.2").at("findings") == 0);
}

TEST_CASE("route: a peer that ends in the middle is gone, and no way to it is shown", "[netns]") {
    const RouteLab lab;
    // Its namespace could not be entered any more.
    auto asked = with_peer(lab.network, 'b', "hbi");
    asked.handles[1].net.reset();
    CHECK(inspect(route_request("b"), std::move(asked)).error == errc::target_gone);

    // Its process ends between the two halves of the operation, and its interface goes with it.
    NamespaceProcess process(lab.network.name('b'), pause_until_killed);
    asked = with_peer(lab.network, 'b', "hbi");
    asked.context.peer->runtime = api::Runtime::docker;
    asked.context.peer->pid = process.pid();
    asked.handles[1].start_time = kernel::open_process_namespace(process.pid())->start_time;
    const auto unplug = "ip -n " + lab.network.name('b') + " link del eth0";
    OperationProcess operation(route_request("b"), std::move(asked.handles), asked.context, [&] {
        end(process.pid());
        (void)shell(unplug);
    });
    const auto said = listen_to_inspection(operation);
    CHECK(said.error == errc::target_gone);
    CHECK(said.rows.empty());
    CHECK(said.ended);
}

TEST_CASE("route: a target that ends in the middle is gone", "[netns]") {
    const RouteLab lab;
    NamespaceProcess process(lab.network.name('a'), pause_until_killed);
    auto asked = ask(lab.network, "a", "hbi");
    asked.context.targets[0].runtime = api::Runtime::docker;
    asked.context.targets[0].pid = process.pid();
    asked.handles[0].start_time = kernel::open_process_namespace(process.pid())->start_time;
    const auto between = [&] { end(process.pid()); };
    OperationProcess operation(route_request("192.0.2.2"), std::move(asked.handles), asked.context, between);
    CHECK(listen_to_inspection(operation).error == errc::target_gone);
}
