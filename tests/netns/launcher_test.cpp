#include "daemon/launcher/launcher.hpp"

#include "common/api/catalogue.hpp"
#include "common/api/context.hpp"
#include "common/frame.hpp"
#include "daemon/launcher/protocol.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/command.hpp"

#include <array>
#include <cstring>
#include <optional>

#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace netlab;
using namespace netlab::launcher;
using namespace std::chrono_literals;

namespace {

constexpr Credentials nobody{65534, 65534};

std::array<UniqueFd, 2> pair(int type) {
    int ends[2];
    if (::socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, ends) != 0) throw std::runtime_error("socketpair");
    return {UniqueFd(ends[0]), UniqueFd(ends[1])};
}

struct Frame {
    frame::Kind kind;
    std::vector<std::byte> payload;
};

/// A launcher in a process of its own, and the front's part of the conversation.
class RunningLauncher {
  public:
    RunningLauncher() {
        auto [ours, launchers] = pair(SOCK_SEQPACKET);
        channel_ = std::move(ours);
        pid_ = ::fork();
        if (pid_ == 0) {
            channel_.reset();
            int status = 1;
            try {
                become_launcher(nobody);
                status = launcher::run(nobody, std::move(launchers));
            } catch (const std::exception& exception) {
                std::fprintf(stderr, "%s\n", exception.what());
            }
            std::_Exit(status);
        }
    }
    ~RunningLauncher() {
        channel_.reset();
        ::waitpid(pid_, nullptr, 0);
    }
    RunningLauncher(const RunningLauncher&) = delete;
    RunningLauncher& operator=(const RunningLauncher&) = delete;

    [[nodiscard]] pid_t pid() const { return pid_; }

    void send(std::span<const std::byte> packet, int descriptor) {
        iovec part{const_cast<std::byte*>(packet.data()), packet.size()};
        alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
        msghdr message{};
        message.msg_iov = &part;
        message.msg_iovlen = 1;
        if (descriptor >= 0) {
            message.msg_control = control.data();
            message.msg_controllen = control.size();
            auto* header = CMSG_FIRSTHDR(&message);
            header->cmsg_level = SOL_SOCKET;
            header->cmsg_type = SCM_RIGHTS;
            header->cmsg_len = CMSG_LEN(sizeof(int));
            std::memcpy(CMSG_DATA(header), &descriptor, sizeof descriptor);
        }
        REQUIRE(::sendmsg(channel_.get(), &message, MSG_NOSIGNAL) == static_cast<ssize_t>(packet.size()));
    }

    std::optional<Notice> notice(std::chrono::milliseconds patience = 3s) {
        pollfd waiting{channel_.get(), POLLIN, 0};
        if (::poll(&waiting, 1, static_cast<int>(patience.count())) != 1) return std::nullopt;
        Notice notice;
        iovec part{&notice, sizeof notice};
        alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
        msghdr message{};
        message.msg_iov = &part;
        message.msg_iovlen = 1;
        message.msg_control = control.data();
        message.msg_controllen = control.size();
        if (::recvmsg(channel_.get(), &message, MSG_CMSG_CLOEXEC) != sizeof notice) return std::nullopt;
        if (auto* header = CMSG_FIRSTHDR(&message)) {
            int descriptor = -1;
            std::memcpy(&descriptor, CMSG_DATA(header), sizeof descriptor);
            ::close(descriptor);
        }
        return notice;
    }

    template <class Request>
    UniqueFd launch(const Request& request, std::span<const NamespaceReference> targets,
                    std::uint32_t deadline_ms = 0) {
        auto [ours, workers] = pair(SOCK_STREAM);
        LaunchHeader header;
        header.operation = api::operation_number<Request>();
        header.id = ++last_id_;
        header.deadline_ms = deadline_ms;
        const auto packet = make_launch(header, targets, binary::encode(api::Order<Request>{{}, request}));
        REQUIRE(packet);
        send(*packet, workers.get());
        return std::move(ours);
    }

  private:
    UniqueFd channel_;
    pid_t pid_ = -1;
    std::uint64_t last_id_ = 0;
};

bool read_all(int stream, void* to, std::size_t size) {
    return ::recv(stream, to, size, MSG_WAITALL) == static_cast<ssize_t>(size);
}

std::vector<Frame> frames(int stream) {
    std::vector<Frame> all;
    for (frame::Header header; read_all(stream, &header, sizeof header);) {
        Frame next{header.kind, std::vector<std::byte>(header.size)};
        if (header.size > 0 && !read_all(stream, next.payload.data(), header.size)) break;
        all.push_back(std::move(next));
    }
    return all;
}

std::string error_code_of(const Frame& frame) {
    std::uint16_t code = 0;
    std::memcpy(&code, frame.payload.data(), sizeof code);
    return std::string(described::enumerator_name(static_cast<errc>(code)));
}

NamespaceReference by_path(const std::string& path) {
    NamespaceReference reference;
    reference.way = Way::path;
    path.copy(reference.path.data(), reference.path.size() - 1);
    return reference;
}

/// A named namespace with one address, for the length of a test.
struct NamedNamespace {
    NamedNamespace() : name("netlab-test-" + std::to_string(::getpid())) {
        support::run_well({"ip", "netns", "add", name});
        support::run_well({"ip", "-n", name, "link", "set", "lo", "up"});
        support::run_well({"ip", "-n", name, "addr", "add", "192.0.2.77/32", "dev", "lo"});
        struct stat status {};
        ::stat(path().c_str(), &status);
        inode = status.st_ino;
        device = status.st_dev;
    }
    ~NamedNamespace() { support::run({"ip", "netns", "del", name}); }
    NamedNamespace(const NamedNamespace&) = delete;
    NamedNamespace& operator=(const NamedNamespace&) = delete;
    [[nodiscard]] std::string path() const { return "/run/netns/" + name; }

    std::string name;
    std::uint64_t inode = 0;
    std::uint64_t device = 0;
};

}  // namespace

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
    auto [ours, theirs] = pair(SOCK_STREAM);
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
