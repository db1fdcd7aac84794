#include "daemon/kernel/container_file.hpp"
#include "tests/netns/hanging_mount.hpp"
#include "tests/netns/running_launcher.hpp"
#include "tests/support/command.hpp"

#include <cstring>
#include <filesystem>
#include <map>

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace netlab;
using namespace netlab::launcher;
using namespace netlab::test;
using namespace std::chrono_literals;

TEST_CASE("launcher: a worker tells what it found in the namespaces that it was given", "[netns]") {
    const NamedNamespace named;
    RunningLauncher launcher;
    const std::vector<NamespaceReference> targets{by_path(named.path()), {}};
    const auto stream = launcher.launch(api::IdentifyRequest{{"named", "host"}}, targets);
    const auto all = frames(stream.get());
    REQUIRE(all.size() == 3);
    CHECK(all[2].kind == frame::Kind::end);
    REQUIRE(all[0].kind == frame::Kind::record);
    const auto record = binary::decode<api::NamespaceRecord>(all[0].payload);
    REQUIRE(record);
    CHECK(record->id == "named");
    CHECK(record->inode == named.inode);
    CHECK(record->device == named.device);
    bool found = false;
    for (const auto& interface : record->interfaces) {
        for (const auto& address : interface.addresses)
            found = found || address.to_string() == "192.0.2.77/32";
    }
    CHECK(found);
    const auto started = launcher.notice();
    REQUIRE(started);
    CHECK(started->kind == NoticeKind::started);
    const auto exited = launcher.notice();
    REQUIRE(exited);
    CHECK(exited->kind == NoticeKind::exited);
    CHECK(exited->value == 0);
}

TEST_CASE("launcher: a namespace that is another one now is a typed error", "[netns]") {
    const NamedNamespace named;
    RunningLauncher launcher;
    api::PingRequest request;
    request.from = named.name;
    request.to = "192.0.2.77";
    auto wrong = by_path(named.path());
    wrong.device = named.device;
    wrong.inode = named.inode + 1;
    auto gone = by_path(named.path() + "-gone");
    auto no_namespace = by_path("/etc/hostname");
    NamespaceReference reused;
    reused.way = Way::process;
    reused.pid = ::getpid();
    reused.start_time = 1;
    for (const auto& reference : {wrong, gone, no_namespace, reused}) {
        const auto stream = launcher.launch(request, std::span(&reference, 1));
        const auto all = frames(stream.get());
        REQUIRE(all.size() == 2);
        CHECK(all[0].kind == frame::Kind::error);
        CHECK(error_code_of(all[0]) == "target_gone");
    }
}

TEST_CASE("launcher: hostile messages are refused, and it lives", "[netns]") {
    RunningLauncher launcher;
    const NamedNamespace named;
    const std::vector<NamespaceReference> targets{by_path(named.path())};
    LaunchHeader header;
    header.operation = api::operation_number<api::IdentifyRequest>();
    header.id = 9;
    const auto valid =
        *make_launch(header, targets, binary::encode(api::Order<api::IdentifyRequest>{{}, {{"x"}}}));
    const auto refuses = [&](std::span<const std::byte> packet, int descriptor) {
        launcher.send(packet, descriptor);
        const auto notice = launcher.notice();
        return notice && notice->kind == NoticeKind::refused;
    };
    auto [ours, theirs] = socket_pair(SOCK_STREAM);
    for (std::size_t length = 1; length < valid.size(); length += 7) {
        CHECK(refuses(std::span(valid).first(length), theirs.get()));
    }
    CHECK(refuses(valid, -1));  // no stream
    header.operation = 999;
    CHECK(refuses(*make_launch(header, targets, {}), theirs.get()));
    header.operation = api::operation_number<api::TargetsRequest>();  // a row without a worker
    CHECK(refuses(*make_launch(header, targets, {}), theirs.get()));
    theirs.reset();
    const auto stream = launcher.launch(api::IdentifyRequest{{"named"}}, targets);
    CHECK(frames(stream.get()).size() == 2);
}

TEST_CASE("launcher: a worker past its deadline is ended", "[netns]") {
    RunningLauncher launcher;
    api::WatchNamespacesRequest request{{"/run/netns"}};
    const auto before = std::chrono::steady_clock::now();
    const auto stream = launcher.launch(request, {}, 300);
    const auto all = frames(stream.get());
    const auto took = std::chrono::steady_clock::now() - before;
    CHECK(took >= 250ms);
    CHECK(took < 2s);
    REQUIRE_FALSE(all.empty());
    CHECK(all.back().kind != frame::Kind::end);
    CHECK(launcher.notice()->kind == NoticeKind::started);
    const auto exited = launcher.notice();
    REQUIRE(exited);
    CHECK(WTERMSIG(exited->value) == SIGALRM);
}

TEST_CASE("launcher: when the front is gone, the workers are, too", "[netns]") {
    UniqueFd stream;
    pid_t worker = 0;
    {
        RunningLauncher launcher;
        stream = launcher.launch(api::WatchNamespacesRequest{{"/run/netns"}}, {});
        const auto started = launcher.notice();
        REQUIRE(started);
        worker = started->value;
        CHECK(::kill(worker, 0) == 0);
    }
    CHECK(::kill(worker, 0) != 0);
}

TEST_CASE("launcher: a namespace's path that leads into a file system which hangs holds up nobody",
          "[netns]") {
    const auto place = "/tmp/netlab-test-hanging-" + std::to_string(::getpid());
    std::filesystem::create_directories(place);
    {
        const HangingMount hanging(place, HangingMount::Server::reads_and_is_silent);
        const NamedNamespace named;
        std::chrono::steady_clock::time_point gone;
        {
            RunningLauncher launcher;
            const std::vector<NamespaceReference> targets{by_path(place + "/ns"), by_path(named.path())};
            const auto begin = std::chrono::steady_clock::now();
            const auto stream = launcher.launch(api::IdentifyRequest{{"hanging", "named"}}, targets);
            const auto all = frames(stream.get());
            CHECK(std::chrono::steady_clock::now() - begin < kernel::file_patience + 2s);
            REQUIRE(all.size() == 3);
            CHECK(all.back().kind == frame::Kind::end);
            std::map<std::string, std::uint64_t> inodes;
            for (std::size_t i = 0; i < 2; ++i) {
                const auto record = binary::decode<api::NamespaceRecord>(all[i].payload);
                REQUIRE(record);
                inodes[record->id] = record->inode;
            }
            CHECK(inodes == std::map<std::string, std::uint64_t>{{"hanging", 0}, {"named", named.inode}});
            gone = std::chrono::steady_clock::now();
        }
        // Its children that cannot be ended are not waited for.
        CHECK(std::chrono::steady_clock::now() - gone < 1s);
    }
    std::filesystem::remove(place);
}
