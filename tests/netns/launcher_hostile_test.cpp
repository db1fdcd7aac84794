#include "tests/netns/running_launcher.hpp"
#include "tests/support/command.hpp"

#include <cerrno>
#include <csignal>
#include <cstring>
#include <fstream>
#include <functional>
#include <sstream>

#include <fcntl.h>
#include <linux/sched.h>
#include <poll.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace netlab;
using namespace netlab::launcher;
using namespace netlab::test;
using namespace std::chrono_literals;

namespace {

/// A Unix socket that a child connects to, as a client of the daemon's does.
class Door {
  public:
    Door() : listener_(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
        address_.sun_family = AF_UNIX;
        const auto path = "/tmp/netlab-door-" + std::to_string(::getpid());
        path.copy(address_.sun_path, sizeof address_.sun_path - 1);
        REQUIRE(::bind(listener_.get(), generic(), sizeof address_) == 0);
        REQUIRE(::chmod(address_.sun_path, 0666) == 0);
        REQUIRE(::listen(listener_.get(), 8) == 0);
    }
    ~Door() { ::unlink(address_.sun_path); }
    Door(const Door&) = delete;
    Door& operator=(const Door&) = delete;

    /// For the child: connects, and returns the connection.
    [[nodiscard]] int connect() const {
        const int connection = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        return ::connect(connection, generic(), sizeof address_) == 0 ? connection : -1;
    }
    [[nodiscard]] UniqueFd accept() const {
        pollfd ready{listener_.get(), POLLIN, 0};
        REQUIRE(::poll(&ready, 1, 5000) == 1);
        return UniqueFd(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    }

  private:
    [[nodiscard]] const sockaddr* generic() const { return reinterpret_cast<const sockaddr*>(&address_); }

    UniqueFd listener_;
    sockaddr_un address_{};
};

/// A child, and what it leaves behind, ended with the test.
class Child {
  public:
    explicit Child(const std::function<void()>& life) : pid_(::fork()) {
        if (pid_ > 0) return;
        life();
        std::_Exit(0);
    }
    ~Child() { end(); }
    Child(const Child&) = delete;
    Child& operator=(const Child&) = delete;
    void end() {
        if (pid_ <= 0) return;
        ::kill(pid_, SIGKILL);
        ::waitpid(pid_, nullptr, 0);
        pid_ = -1;
    }

  private:
    pid_t pid_;
};

[[noreturn]] void wait_for_the_end() {
    for (;;)
        ::pause();
}

/// In the child: what it does before it connects decides where it lives.
void live_in(int unshared, const Door& door) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (unshared != 0 && ::unshare(unshared) != 0) std::_Exit(1);
    if ((unshared & CLONE_NEWPID) != 0) {
        if (const auto inner = ::fork(); inner > 0) {
            // The inner one is the first of its namespace, and ends with this one.
            int status = 0;
            ::waitpid(inner, &status, 0);
            std::_Exit(0);
        }
        ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    }
    if (door.connect() < 0) std::_Exit(2);
    wait_for_the_end();
}

/// What the launcher says of a connection.
int asked(RunningLauncher& launcher, int connection) {
    static std::uint64_t id = 0;
    PeerQuestion question;
    question.id = ++id;
    launcher.send(std::as_bytes(std::span(&question, 1)), connection);
    const auto notice = launcher.notice();
    REQUIRE(notice);
    CHECK(notice->kind == NoticeKind::peer);
    CHECK(notice->id == id);
    return notice->value;
}

std::uint64_t start_time_of(pid_t pid) {
    std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
    std::string text;
    std::getline(file, text);
    std::istringstream words(text.substr(text.rfind(')') + 2));
    std::string word;
    for (int field = 3; field <= 22; ++field)
        words >> word;
    return std::stoull(word);
}

/// A number that nobody has, and nobody is about to be given.
pid_t free_pid() {
    pid_t pid = ::getpid() > 20'000 ? 15'000 : 30'000;
    while (::kill(pid, 0) == 0)
        ++pid;
    return pid;
}

/// A child that has that PID and waits in that network namespace.
pid_t child_with_pid(
    pid_t pid, const std::string& namespace_path, const std::function<void()>& life = [] {}) {
    auto [ours, theirs] = socket_pair(SOCK_STREAM);
    clone_args arguments{};
    arguments.exit_signal = SIGCHLD;
    arguments.set_tid = reinterpret_cast<std::uint64_t>(&pid);
    arguments.set_tid_size = 1;
    const auto child = static_cast<pid_t>(::syscall(SYS_clone3, &arguments, sizeof arguments));
    if (child == 0) {
        const int net = ::open(namespace_path.c_str(), O_RDONLY | O_CLOEXEC);
        const char done = ::setns(net, CLONE_NEWNET) == 0 ? 'y' : 'n';
        life();
        (void)!::write(theirs.get(), &done, 1);
        wait_for_the_end();
    }
    char done = 'n';
    REQUIRE(child == pid);
    REQUIRE(::read(ours.get(), &done, 1) == 1);
    REQUIRE(done == 'y');
    return child;
}

void end_child(pid_t pid) {
    ::kill(pid, SIGKILL);
    ::waitpid(pid, nullptr, 0);
}

/// A process' reference as the front would make it.
NamespaceReference by_process(pid_t pid) {
    NamespaceReference reference;
    reference.way = Way::process;
    reference.pid = pid;
    reference.start_time = start_time_of(pid);
    struct stat status {};
    REQUIRE(::stat(("/proc/" + std::to_string(pid) + "/ns/net").c_str(), &status) == 0);
    reference.device = status.st_dev;
    reference.inode = status.st_ino;
    return reference;
}

/// Whatever a message came to: it was refused, or a worker said what it had to say and ended.
bool is_survived(RunningLauncher& launcher, std::span<const std::byte> packet) {
    auto [ours, theirs] = socket_pair(SOCK_STREAM);
    launcher.send(packet, theirs.get());
    theirs.reset();
    const auto first = launcher.notice();
    if (!first) return false;
    if (first->kind == NoticeKind::refused) return true;
    if (first->kind != NoticeKind::started) return false;
    // A watcher, which one bit makes of it, ends when nobody listens.
    ours.reset();
    const auto last = launcher.notice(10s);
    return last && last->kind == NoticeKind::exited &&
           (last->value == 0 || (WIFSIGNALED(last->value) && WTERMSIG(last->value) == SIGALRM));
}

}  // namespace

TEST_CASE("launcher: a client of this user and PID namespace is told from one of another", "[netns]") {
    RunningLauncher launcher;
    const Door door;
    const auto of = [&](int unshared) {
        const Child child([&] { live_in(unshared, door); });
        const auto connection = door.accept();
        return asked(launcher, connection.get());
    };
    CHECK(of(0) == 0);
    const Child other([&] {
        if (::setresuid(12345, 12345, 12345) != 0) std::_Exit(1);
        live_in(0, door);
    });
    CHECK(asked(launcher, door.accept().get()) == 0);  // whoever it is
    CHECK(of(CLONE_NEWNET | CLONE_NEWNS) == 0);        // `ip netns exec`
    CHECK(of(CLONE_NEWUSER) == EPERM);
    CHECK(of(CLONE_NEWPID) == EPERM);
    CHECK(of(CLONE_NEWUSER | CLONE_NEWPID) == EPERM);
}

TEST_CASE("launcher: a client that has ended is nobody's, whoever has its PID now", "[netns]") {
    RunningLauncher launcher;
    const Door door;
    const auto own = std::string("/proc/self/ns/net");
    const pid_t pid = free_pid();
    const auto first = child_with_pid(pid, own, [&] { (void)door.connect(); });
    const auto connection = door.accept();
    CHECK(asked(launcher, connection.get()) == 0);
    end_child(first);
    // It lives where a client may live, and has the number of the one that connected.
    const auto second = child_with_pid(pid, own);
    CHECK(asked(launcher, connection.get()) == ESRCH);
    end_child(second);
    const auto [ours, theirs] = socket_pair(SOCK_STREAM);
    CHECK(asked(launcher, ours.get()) == 0);  // our own
    const UniqueFd no_socket(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    CHECK(asked(launcher, no_socket.get()) == ENOTSOCK);
    CHECK(asked(launcher, -1) == EBADMSG);
}

TEST_CASE("launcher: a PID that is another process' by now is never taken for the target, 1,000 times",
          "[netns]") {
    RunningLauncher launcher;
    const NamedNamespace other;
    const auto own = std::string("/proc/self/ns/net");
    const pid_t pid = free_pid();
    api::AddressesRequest addresses;
    addresses.targets = {"x"};
    int wrong = 0;
    for (int i = 0; i < 1000; ++i) {
        const auto first = child_with_pid(pid, own);
        auto reference = by_process(first);
        end_child(first);
        const auto second = child_with_pid(pid, other.path());
        // Both are often born within one tick of the clock: then the namespace's identity alone tells.
        if (i % 2 == 1) reference.start_time = 0;
        const auto stream = launcher.launch(addresses, std::span(&reference, 1));
        const auto all = frames(stream.get());
        if (all.size() != 2 || all[0].kind != frame::Kind::error || error_code_of(all[0]) != "target_gone")
            ++wrong;
        end_child(second);
        CHECK(launcher.notice()->kind == NoticeKind::started);
        CHECK(launcher.notice()->kind == NoticeKind::exited);
    }
    CHECK(wrong == 0);
}

namespace {

/// A valid message, whose worker soon ends, and where its request begins.
struct Message {
    explicit Message(const NamedNamespace& named) {
        const std::vector<NamespaceReference> targets{by_path(named.path())};
        LaunchHeader header;
        header.operation = api::operation_number<api::IdentifyRequest>();
        header.id = 9;
        header.deadline_ms = 500;
        bytes = *make_launch(header, targets, binary::encode(api::Order<api::IdentifyRequest>{{}, {{"x"}}}));
        request = sizeof header + sizeof targets.front();
    }
    std::vector<std::byte> bytes;
    std::size_t request = 0;
};

/// With each bit of these bytes turned over.
void flip(RunningLauncher& launcher, const Message& message, std::size_t begin, std::size_t end) {
    for (std::size_t bit = begin * 8; bit < end * 8; ++bit) {
        auto flipped = message.bytes;
        flipped[bit / 8] ^= static_cast<std::byte>(1U << (bit % 8));
        INFO("bit " << bit % 8 << " of byte " << bit / 8);
        REQUIRE(is_survived(launcher, flipped));
    }
}

/// It still does what it is there for.
bool serves(RunningLauncher& launcher, const NamedNamespace& named) {
    const std::vector<NamespaceReference> targets{by_path(named.path())};
    const auto stream = launcher.launch(api::IdentifyRequest{{"named"}}, targets);
    return frames(stream.get()).size() == 2;
}

}  // namespace

TEST_CASE("launcher: every truncation of a message is refused", "[netns]") {
    RunningLauncher launcher;
    const NamedNamespace named;
    const Message message(named);
    const auto [ours, theirs] = socket_pair(SOCK_STREAM);
    for (std::size_t length = 1; length < message.bytes.size(); ++length) {
        launcher.send(std::span(message.bytes).first(length), theirs.get());
        const auto notice = launcher.notice();
        REQUIRE(notice);
        CHECK(notice->kind == NoticeKind::refused);
    }
    CHECK(serves(launcher, named));
}

TEST_CASE("launcher: every flipped bit of a message's header and namespaces is survived", "[netns]") {
    RunningLauncher launcher;
    const NamedNamespace named;
    const Message message(named);
    flip(launcher, message, 0, message.request);
    CHECK(serves(launcher, named));
}

TEST_CASE("launcher: every flipped bit of a message's request is survived", "[netns]") {
    RunningLauncher launcher;
    const NamedNamespace named;
    const Message message(named);
    flip(launcher, message, message.request, message.bytes.size());
    CHECK(serves(launcher, named));
}
