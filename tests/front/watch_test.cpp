#include "tests/front/theatre.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/command.hpp"

#include <csignal>

using namespace netlab;
using namespace netlab::front_test;
using namespace std::chrono_literals;
using support::eventually;
using Kind = api::EngineRecordKind;
using Names = std::vector<std::string>;

namespace {

std::string id(char digit) {
    return std::string(64, digit);
}

}  // namespace

TEST_CASE("front watch: a container that comes is listed within 200 ms", "[front]") {
    Theatre theatre;
    REQUIRE(theatre.names() == Names{"co1", "co2", "stopped", "host"});
    theatre.set_containers("co1 a 4001\nco2 b 4002\nstopped c 0\nnew d 4004\n");
    theatre.say({Kind::container_changed, id('d'), {}});
    CHECK(eventually(
        [&] {
            return theatre.names() == Names{"co1", "co2", "new", "stopped", "host"};
        },
        200ms));
}

TEST_CASE("front watch: one that goes is gone at once", "[front]") {
    Theatre theatre;
    REQUIRE(theatre.names().size() == 4);
    const int inspections = theatre.stage().inspections;
    theatre.say({Kind::container_removed, id('b'), {}});
    CHECK(eventually([&] { return theatre.names() == Names{"co1", "stopped", "host"}; }, 200ms));
    CHECK(theatre.stage().inspections == inspections);
}

TEST_CASE("front watch: one that goes while it is inspected does not come back", "[front]") {
    Theatre theatre;
    REQUIRE(theatre.names().size() == 4);
    theatre.stage().engine_holds = true;
    const int inspections = theatre.stage().inspections;
    theatre.say({Kind::networks_changed, {}, {}});
    REQUIRE(eventually([&] { return theatre.stage().inspections > inspections; }, 1s));
    theatre.say({Kind::container_removed, id('b'), {}});
    const Names rest{"co1", "stopped", "host"};
    CHECK(eventually([&] { return theatre.names() == rest; }, 200ms));
    // What the inspection says now was true before it went.
    theatre.set_containers("co1 a 4001\nco2 b 4002\nstopped c 0\nfresh d 4004\n");
    theatre.stage().engine_holds = false;
    CHECK_FALSE(eventually([&] { return theatre.names() != rest; }, 300ms));
}

TEST_CASE("front watch: events that come during an inspection are taken together", "[front]") {
    Theatre theatre;
    REQUIRE(theatre.names().size() == 4);
    const int before = theatre.stage().inspections;
    for (int i = 0; i < 200; ++i)
        theatre.say({Kind::container_changed, id(i % 2 == 0 ? 'a' : 'b'), {}});
    theatre.set_containers("co1 a 4001\nrenamed b 4002\n");
    theatre.say({Kind::container_changed, id('b'), {}});
    CHECK(eventually([&] { return theatre.names() == Names{"co1", "renamed", "stopped", "host"}; }, 500ms));
    CHECK(theatre.stage().inspections - before < 50);
}

TEST_CASE("front watch: targets stay known while the engine is down, and its return is seen", "[front]") {
    Theatre theatre;
    REQUIRE(theatre.names().size() == 4);
    theatre.say({Kind::down, {}, "connection refused"});
    auto client = theatre.connect();
    client.send(Theatre::ping_text("answers"));
    CHECK(client.answer().status == 200);
    CHECK(theatre.names().size() == 4);
    theatre.set_containers("co1 a 4001\n");
    theatre.say({Kind::up, {}, {}});
    CHECK(eventually([&] { return theatre.names() == Names{"co1", "host"}; }, 200ms));
}

TEST_CASE("front watch: an inspection that hangs is given up when the engine comes back", "[front]") {
    Theatre theatre;
    REQUIRE(theatre.names().size() == 4);
    theatre.stage().engine_hangs = true;
    const int before = theatre.stage().inspections;
    theatre.say({Kind::container_changed, id('a'), {}});
    REQUIRE(eventually([&] { return theatre.stage().inspections > before; }, 1s));
    theatre.stage().engine_hangs = false;
    theatre.set_containers("back a 4001\n");
    theatre.say({Kind::down, {}, "ended"});
    theatre.say({Kind::up, {}, {}});
    CHECK(eventually([&] { return theatre.names() == Names{"back", "host"}; }, 300ms));
}

TEST_CASE(
    "front watch: an engine that says nothing delays the first answer by three seconds, and none after it",
    "[front]") {
    Theatre theatre({.hanging_engine = true});
    const auto start = std::chrono::steady_clock::now();
    CHECK(theatre.names() == Names{"host"});
    CHECK(std::chrono::steady_clock::now() - start < 3500ms);
    const auto again = std::chrono::steady_clock::now();
    CHECK(theatre.names() == Names{"host"});
    CHECK(std::chrono::steady_clock::now() - again < 100ms);
}

TEST_CASE("front watch: a watcher that dies is started anew and changes are seen again", "[front]") {
    Theatre theatre;
    REQUIRE(theatre.names().size() == 4);
    theatre.say({static_cast<Kind>(77), {}, {}});  // no record: the watcher is not believed any more
    theatre.set_containers("other e 4005\n");
    REQUIRE(eventually([&] { return theatre.stage().watchers >= 2; }, 1s));
    CHECK(eventually([&] { return theatre.names() == Names{"other", "host"}; }, 500ms));
}

TEST_CASE("front watch: a watcher goes on when the launcher is replaced", "[front]") {
    Theatre theatre;
    REQUIRE(theatre.names().size() == 4);
    theatre.kill_launcher();
    theatre.new_launcher();
    theatre.set_containers("co1 a 4001\nco2 b 4002\nstopped c 0\nnew d 4004\n");
    theatre.say({Kind::container_changed, id('d'), {}});
    CHECK(eventually([&] { return theatre.names().size() == 5; }, 500ms));
    CHECK(theatre.stage().watchers == 1);
}

TEST_CASE("front watch: no engine at all is fine", "[front]") {
    Theatre theatre({.engine = false});
    CHECK(theatre.names() == Names{"host"});
}

TEST_CASE("front watch: while nothing happens the front sleeps", "[front]") {
    Theatre theatre;
    REQUIRE(theatre.names().size() == 4);
    std::this_thread::sleep_for(1200ms);  // the client's connection lingers for a moment
    const auto switches = [&] {
        const auto status = support::run({"cat", "/proc/" + std::to_string(theatre.front()) + "/status"});
        const auto at = status.out.find("\nvoluntary_ctxt_switches:");
        return std::stol(status.out.substr(at + 26));
    };
    const auto before = switches();
    std::this_thread::sleep_for(1500ms);
    CHECK(switches() == before);
}
