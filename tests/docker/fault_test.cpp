#include "tests/docker/lab.hpp"

#include <algorithm>
#include <csignal>
#include <filesystem>

using namespace netlab;
using namespace netlab::lab;
using namespace std::chrono_literals;

namespace {

std::size_t open_descriptors(pid_t pid) {
    std::error_code error;
    return static_cast<std::size_t>(std::distance(
        std::filesystem::directory_iterator("/proc/" + std::to_string(pid) + "/fd", error), {}));
}

pid_t engine_pid() {
    const auto file = support::run_well({"cat", "/run/netlab-lab/" + instance() + "/docker.pid"});
    return std::stoi(file.out);
}

bool answers(const support::Daemon& daemon) {
    return daemon.netlab({"ping", "-c1", "co1", "co2"}).status == 0;
}

std::chrono::milliseconds median_of(const support::Daemon& daemon, const Words& words) {
    std::vector<std::chrono::milliseconds> times;
    for (int i = 0; i < 7; ++i) {
        const auto finished = daemon.netlab(words);
        CHECK(finished.status == 0);
        times.push_back(finished.took);
    }
    std::sort(times.begin(), times.end());
    return times[times.size() / 2];
}

/// Lets the engine go on, whatever becomes of the test.
struct StoppedEngine {
    StoppedEngine() { ::kill(engine_pid(), SIGSTOP); }
    ~StoppedEngine() { ::kill(engine_pid(), SIGCONT); }
};

}  // namespace

TEST_CASE("sandbox: a running worker has no capability, its own user and a filter, and the front too",
          "[docker]") {
    const support::Daemon daemon(settings());
    auto running = daemon.start_netlab({"ping", "-c", "0", "-i", "0.1", "co1", "co2"});
    REQUIRE(support::eventually([&] { return running.out_so_far().find("icmp_seq=1") != std::string::npos; },
                                3s));
    const auto workers = daemon.workers("nl:ping");
    REQUIRE(workers.size() == 1);
    for (const pid_t pid : {workers.front(), daemon.child("nl:front")}) {
        INFO(pid);
        for (const char* set : {"CapInh", "CapPrm", "CapEff", "CapAmb"}) {
            CHECK(support::process_status(pid, set) == "0000000000000000");
        }
        CHECK(support::process_status(pid, "NoNewPrivs") == "1");
        CHECK(support::process_status(pid, "Seccomp") == "2");
        CHECK(support::process_status(pid, "Uid") == "65534\t65534\t65534\t65534");
    }
    const pid_t launcher = daemon.child("nl:launcher");
    // SYS_ADMIN, SYS_PTRACE, NET_RAW, NET_ADMIN, DAC_READ_SEARCH and nothing else.
    CHECK(support::process_status(launcher, "CapEff") == "0000000000283004");
    CHECK(support::process_status(launcher, "CapPrm") == "0000000000283004");
    CHECK(support::process_status(launcher, "Threads") == "1");
    CHECK(support::process_status(daemon.child("nl:front"), "Threads") == "1");
    running.signal(SIGINT);
    CHECK(running.wait(3s).status == 0);
}

TEST_CASE("faults: a client that is killed takes its worker along", "[docker]") {
    const support::Daemon daemon(settings());
    auto running = daemon.start_netlab({"ping", "-c", "0", "-i", "60", "co1", "co2"});
    REQUIRE(support::eventually([&] { return daemon.workers("nl:ping").size() == 1; }, 3s));
    running.signal(SIGKILL);
    (void)running.wait();
    CHECK(support::eventually([&] { return daemon.workers("nl:ping").empty(); }, 500ms));
}

TEST_CASE("faults: a worker that is killed is a typed error, and nobody else notices", "[docker]") {
    const support::Daemon daemon(settings());
    auto running = daemon.start_netlab({"ping", "-o", "json", "-c", "0", "-i", "0.1", "co1", "co2"});
    REQUIRE(
        support::eventually([&] { return running.out_so_far().find("\"reply\"") != std::string::npos; }, 3s));
    ::kill(daemon.workers("nl:ping").at(0), SIGKILL);
    const auto finished = running.wait(2s);
    CHECK(finished.status == 5);
    CHECK(text(finished.json_lines().back().at("error").as_object(), "code") == "worker_died");
    CHECK(answers(daemon));
}

TEST_CASE("faults: a launcher that is killed is back, and running workers go on", "[docker]") {
    const support::Daemon daemon(settings());
    auto running = daemon.start_netlab({"ping", "-o", "json", "-c", "30", "-i", "0.1", "co1", "co2"});
    REQUIRE(
        support::eventually([&] { return running.out_so_far().find("\"reply\"") != std::string::npos; }, 3s));
    for (int i = 0; i < 3; ++i) {
        const pid_t launcher = daemon.child("nl:launcher");
        REQUIRE(launcher > 0);
        ::kill(launcher, SIGKILL);
        const auto before = std::chrono::steady_clock::now();
        CHECK(answers(daemon));
        CHECK(std::chrono::steady_clock::now() - before < 1s);
    }
    const auto finished = running.wait(10s);
    CHECK(finished.status == 0);
    CHECK(report(finished).at("received") == 30);
    // Watchers have survived as well: what happens now is still seen.
    const Container container("late1", {"--network", "net"});
    CHECK(support::eventually(
        [&] {
            return daemon.netlab({"ping", "-c1", "late1", "co2"}).status == 0;
        },
        1s));
}

TEST_CASE("faults: a front that is killed is back within a second, with all it knew", "[docker]") {
    const support::Daemon daemon(settings());
    REQUIRE(answers(daemon));
    for (int i = 0; i < 2; ++i) {
        const pid_t front = daemon.child("nl:front");
        ::kill(front, SIGKILL);
        CHECK(support::eventually([&] { return daemon.child("nl:front") != front && answers(daemon); }, 1s));
    }
}

TEST_CASE("faults: a front or a launcher that hangs is replaced", "[docker]") {
    auto impatient = settings();
    impatient.extra_config = "patience_s = 2\n";  // [process] is the last section
    const support::Daemon daemon(impatient);
    REQUIRE(answers(daemon));
    for (const char* name : {"nl:launcher", "nl:front"}) {
        const pid_t hanging = daemon.child(name);
        ::kill(hanging, SIGSTOP);
        INFO(name);
        CHECK(support::eventually(
            [&] {
                const pid_t now = daemon.child(name);
                return now != 0 && now != hanging;
            },
            6s));
        CHECK(support::eventually([&] { return answers(daemon); }, 2s));
    }
    CHECK(daemon.log().find("has not answered for 2 s") != std::string::npos);
}

TEST_CASE("faults: an engine that hangs delays no command on known targets", "[docker]") {
    const support::Daemon daemon(settings());
    REQUIRE(answers(daemon));
    const auto ping_before = median_of(daemon, {"ping", "-c1", "co1", address_of("co2", "net")});
    const auto ls_before = median_of(daemon, {"ls"});
    const auto address = address_of("co2", "net");
    const StoppedEngine stopped;
    CHECK(median_of(daemon, {"ping", "-c1", "co1", address}) <= ping_before + 50ms);
    CHECK(median_of(daemon, {"ls"}) <= ls_before + 50ms);
}

TEST_CASE("faults: SIGTERM drains, and nothing is left", "[docker]") {
    support::Daemon daemon(settings());
    auto running = daemon.start_netlab({"ping", "-o", "json", "-c", "10", "-i", "0.1", "co1", "co2"});
    REQUIRE(
        support::eventually([&] { return running.out_so_far().find("\"reply\"") != std::string::npos; }, 3s));
    daemon.process().signal(SIGTERM);
    const auto finished = running.wait(10s);
    CHECK(finished.status == 0);
    CHECK(report(finished).at("received") == 10);
    CHECK(daemon.process().wait(15s).status == 0);
    CHECK_FALSE(std::filesystem::exists(daemon.socket()));
}

TEST_CASE("many: 200 netlab processes at once, every answer right, nothing left behind", "[docker]") {
    const support::Daemon daemon(settings());
    REQUIRE(answers(daemon));
    const pid_t front = daemon.child("nl:front");
    const pid_t launcher = daemon.child("nl:launcher");
    const auto before_front = open_descriptors(front);
    const auto before_launcher = open_descriptors(launcher);
    struct Pair {
        const char* from;
        const char* to;
        std::string address;
    };
    const std::vector<Pair> pairs{{"co1", "co2", address_of("co2", "net")},
                                  {"co2", "co1", address_of("co1", "net")},
                                  {"co4", "co1", address_of("co1", "net")},
                                  {"napt", "203.0.113.8", "203.0.113.8"}};
    std::vector<support::Process> all;
    all.reserve(200);
    for (std::size_t i = 0; i < 200; ++i) {
        const auto& pair = pairs[i % pairs.size()];
        all.push_back(
            daemon.start_netlab({"ping", "-o", "json", "-c", "2", "-i", "0.05", pair.from, pair.to}));
    }
    std::size_t right = 0;
    for (std::size_t i = 0; i < all.size(); ++i) {
        const auto finished = all[i].wait(60s);
        INFO(finished.out << finished.err);
        CHECK(finished.status == 0);
        const auto answer = report(finished);
        if (answer.at("received") == 2 && text(answer, "address") == pairs[i % pairs.size()].address) ++right;
    }
    CHECK(right == 200);
    CHECK(daemon.child("nl:front") == front);
    CHECK(daemon.child("nl:launcher") == launcher);
    CHECK(support::eventually([&] { return daemon.workers("nl:ping").empty(); }, 2s));
    CHECK(support::eventually([&] { return open_descriptors(front) == before_front; }, 2s));
    CHECK(open_descriptors(launcher) == before_launcher);
}
