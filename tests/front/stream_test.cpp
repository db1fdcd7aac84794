#include "tests/front/theatre.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/command.hpp"

#include <csignal>

#include <sys/wait.h>

using namespace netlab;
using namespace netlab::front_test;
using namespace std::chrono_literals;
using support::eventually;

namespace {

bool gone(pid_t pid) {
    ::waitpid(pid, nullptr, WNOHANG);  // ours, where its launcher ended before it
    return ::kill(pid, 0) != 0;
}

}  // namespace

TEST_CASE("front stream: a worker's lines come through as they are", "[front]") {
    Theatre theatre;
    auto client = theatre.connect();
    client.send(Theatre::ping_text("answers"));
    const auto answer = client.answer();
    CHECK(answer.status == 200);
    CHECK(answer.whole);
    CHECK(answer.head.find("Content-Type: application/x-ndjson\r\n") != std::string::npos);
    CHECK(answer.body ==
          "{\"type\":\"reply\",\"seq\":1}\n{\"type\":\"reply\",\"seq\":2}\n{\"type\":\"reply\",\"seq\":3}\n");
    client.send(Theatre::ping_text("answers", 1));
    CHECK(client.answer().body == "{\"type\":\"reply\",\"seq\":1}\n");
}

TEST_CASE("front stream: a long one is whole, in order, and nothing is lost", "[front]") {
    Theatre theatre;
    auto client = theatre.connect();
    client.send(Theatre::ping_text("answers", 50'000));
    const auto answer = client.answer(20s);
    CHECK(answer.whole);
    std::string expected;
    for (int seq = 1; seq <= 50'000; ++seq)
        expected += R"({"type":"reply","seq":)" + std::to_string(seq) + "}\n";
    CHECK((answer.body == expected));
}

TEST_CASE("front stream: an error that comes first has its own status", "[front]") {
    Theatre theatre;
    auto client = theatre.connect();
    client.send(Theatre::ping_text("refuses"));
    const auto answer = client.answer();
    CHECK(answer.status == 422);
    CHECK(answer.error_code() == "no_address");
    client.send(Theatre::ping_text("refused"));
    const auto by_launcher = client.answer();
    CHECK(by_launcher.status == 429);
    CHECK(by_launcher.error_code() == "busy");
}

TEST_CASE("front stream: an error that comes later is the last line", "[front]") {
    Theatre theatre;
    auto client = theatre.connect();
    client.send(Theatre::ping_text("fails"));
    const auto answer = client.answer();
    CHECK(answer.status == 200);
    CHECK(answer.whole);
    CHECK(answer.body.starts_with("{\"type\":\"reply\",\"seq\":1}\n{\"error\":"));
    CHECK(answer.error_code() == "target_gone");
}

TEST_CASE("front stream: a worker that dies in the middle is told, with how it died", "[front]") {
    Theatre theatre;
    auto client = theatre.connect();
    client.send(Theatre::ping_text("dies"));
    auto answer = client.answer();
    CHECK(answer.status == 200);
    CHECK(answer.whole);
    CHECK(answer.error_code() == "worker_died");
    CHECK(answer.body.find("sandbox") != std::string::npos);
    client.send(Theatre::ping_text("halves"));
    answer = client.answer();
    CHECK(answer.body.starts_with("{\"half\"\n{\"error\""));
    CHECK(answer.error_code() == "worker_died");
    CHECK(answer.body.find("status 3") != std::string::npos);
    client.send(Theatre::ping_text("garbles"));
    CHECK(client.answer().error_code() == "worker_died");
}

TEST_CASE("front stream: a client that goes away has its worker killed at once", "[front]") {
    Theatre theatre;
    auto client = theatre.connect();
    client.send(Theatre::ping_text("stubborn"));
    client.read_until("\"seq\":1}");
    const pid_t worker = theatre.stage().worker;
    REQUIRE_FALSE(gone(worker));
    client.close();
    CHECK(eventually([&] { return gone(worker); }, 200ms));
}

TEST_CASE("front stream: a client that goes away before its worker is known has it killed when it is",
          "[front]") {
    Theatre theatre;
    auto client = theatre.connect();
    client.send(Theatre::ping_text("late"));
    REQUIRE(eventually([&] { return theatre.stage().started > 0; }, 2s));
    const pid_t worker = theatre.stage().worker;
    client.close();
    CHECK(eventually([&] { return gone(worker); }, 1s));
}

TEST_CASE("front stream: a slow client holds up the worker, not the memory", "[front]") {
    Theatre theatre;
    auto client = theatre.connect();
    client.send(Theatre::ping_text("floods"));
    client.read_until("\r\n\r\n");
    std::uint64_t before = 0;
    REQUIRE(eventually(
        [&] {
            const auto now = theatre.stage().written.load();
            std::this_thread::sleep_for(50ms);
            return now > 0 &&
                   std::exchange(before, theatre.stage().written.load()) == theatre.stage().written;
        },
        5s));
    CHECK(before < 2'000'000);
    CHECK(theatre.get("/v1/version").status == 200);
    client.read_until("no such thing", 200ms);
    CHECK(theatre.stage().written > before);
}

TEST_CASE("front stream: what a client sends early is its next request", "[front]") {
    Theatre theatre;
    auto client = theatre.connect();
    client.send(Theatre::ping_text("answers", 20'000) + "GET /v1/version HTTP/1.1\r\n\r\n");
    const auto all = client.read_until("\"roles\"", 10s);
    CHECK(all.find("\"seq\":20000}") != std::string::npos);
    CHECK(all.ends_with("\"roles\""));
}

TEST_CASE("front stream: a dead launcher leaves streams alone, and a new one serves what waits", "[front]") {
    Theatre theatre;
    auto running = theatre.connect();
    running.send(Theatre::ping_text("endless"));
    running.read_until("\"seq\":3}");
    theatre.kill_launcher();
    auto waiting = theatre.connect();
    waiting.send(Theatre::ping_text("answers"));
    running.read_until("\"seq\":30}");
    theatre.new_launcher();
    CHECK(waiting.answer().body.ends_with("\"seq\":3}\n"));
    CHECK(running.read_until("\"seq\":60}").ends_with("\"seq\":60}"));
}

TEST_CASE("front stream: without a launcher a request fails after a second, and known targets stay",
          "[front]") {
    Theatre theatre;
    CHECK(theatre.names().size() == 4);
    auto client = theatre.connect();
    const auto targets = [&] {
        client.send("GET /v1/targets HTTP/1.1\r\nHost: netlab\r\n\r\n");
        return client.answer();
    };
    CHECK(targets().status == 200);
    theatre.kill_launcher();
    const auto start = std::chrono::steady_clock::now();
    client.send(Theatre::ping_text("answers"));
    const auto answer = client.answer();
    CHECK(answer.status == 503);
    CHECK(answer.error_code() == "launcher_unavailable");
    CHECK(std::chrono::steady_clock::now() - start < 2s);
    CHECK(targets().body.find("co2") != std::string::npos);
    // Where a client lives nobody can say without a launcher, so a new one is told to come again.
    auto later = theatre.connect();
    later.send("GET /v1/targets HTTP/1.1\r\nHost: netlab\r\n\r\n");
    CHECK(later.answer().error_code() == "launcher_unavailable");
    theatre.new_launcher();
    client.send(Theatre::ping_text("answers"));
    CHECK(client.answer().status == 200);
    CHECK(theatre.names().size() == 4);
}

TEST_CASE("front stream: what the old launcher had not started is told so", "[front]") {
    Theatre theatre;
    CHECK(theatre.names().size() == 4);
    auto client = theatre.connect();
    client.send(Theatre::ping_text("late"));
    REQUIRE(eventually([&] { return theatre.stage().started > 0; }, 2s));
    theatre.kill_launcher();
    CHECK(client.answer().error_code() == "launcher_unavailable");
}

TEST_CASE("front stream: SIGTERM lets streams end, and then ends", "[front]") {
    Theatre theatre;
    auto idle = theatre.connect();
    auto client = theatre.connect();
    client.send(Theatre::ping_text("endless"));
    client.read_until("\"seq\":2}");
    ::kill(theatre.front(), SIGTERM);
    CHECK(idle.closed());
    client.read_until("\"seq\":40}");
    CHECK(theatre.wait_for_front(100ms) == -1);
    client.close();
    CHECK(theatre.wait_for_front() == 0);
}

TEST_CASE("front stream: streams that do not end are told that the daemon shuts down", "[front]") {
    Theatre theatre({.drain = 300ms, .containers = "co1 a 4001\n"});
    auto client = theatre.connect();
    client.send(Theatre::ping_text("endless"));
    client.read_until("\"seq\":2}");
    ::kill(theatre.front(), SIGTERM);
    const auto last = client.read_until("\r\n0\r\n\r\n", 3s);
    CHECK(last.find("\"code\":\"shutting_down\"") != std::string::npos);
    client.close();
    CHECK(theatre.wait_for_front() == 0);
}

TEST_CASE("front stream: without its supervisor it ends", "[front]") {
    Theatre theatre;
    auto client = theatre.connect();
    client.send(Theatre::ping_text("stubborn"));
    client.read_until("\"seq\":1}");
    const pid_t worker = theatre.stage().worker;
    theatre.drop_supervisor();
    CHECK(theatre.wait_for_front() == 1);
    CHECK(eventually([&] { return gone(worker); }, 1s));
}

TEST_CASE("front stream: a client that shuts down its sending side has a capture finish", "[front]") {
    Theatre theatre;
    auto client = theatre.connect();
    client.send(Theatre::post_text("/v1/packets", R"({"points":["co1"],"filter":"finishes"})"));
    CHECK(client.read_until("packet").find("packet") != std::string::npos);
    ::shutdown(client.get(), SHUT_WR);
    const auto rest = client.read_until("0\r\n\r\n");
    CHECK(rest.find(R"({"type":"report"})") != std::string::npos);
    CHECK(rest.ends_with("0\r\n\r\n"));
}

TEST_CASE("front stream: a capture whose client is gone ends, and its worker with it", "[front]") {
    Theatre theatre;
    auto client = theatre.connect();
    client.send(Theatre::post_text("/v1/packets", R"({"points":["co1"],"filter":"goes_on"})"));
    client.read_until("packet");
    const auto worker = theatre.stage().worker.load();
    client.close();
    CHECK(eventually([&] { return gone(worker); }, 3s));
}
