#include "daemon/launcher/sandbox.hpp"

#include "daemon/operations/parallel.hpp"
#include "daemon/operations/read_only.hpp"
#include "tests/support/catch.hpp"

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <iterator>
#include <string>
#include <thread>

#include <fcntl.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/netlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace netlab;
using namespace netlab::launcher;

namespace {

constexpr Credentials nobody{65534, 65534};

/// How a process ended that had dropped everything before it did `what`: wait(2)'s status. It exits with what
/// `what` returns.
int end_of(const operations::Needs& needs, const std::function<int()>& what) {
    const auto filters = make_filters();
    const auto pid = ::fork();
    if (pid == 0) {
        int status = 98;
        try {
            become_launcher(nobody);
            status = drop_everything(nobody, needs, filters) ? what() : 99;
        } catch (const std::exception&) {
            // 98 says it.
        }
        std::_Exit(status);
    }
    int status = 0;
    ::waitpid(pid, &status, 0);
    return status;
}

constexpr operations::Needs threads{.threads = true, .address_space = 1ULL << 30};

bool is_killed(int status) {
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS;
}

/// Four parts that each take memory of their own, together more than one.
int share_work() {
    std::array<std::size_t, 4> sums{};
    std::array<pid_t, 4> ids{};
    operations::at_once(sums.size(), [&](std::size_t part) {
        const std::vector<std::size_t> numbers(1000, part);
        for (const auto number : numbers)
            sums[part] += number;
        ids[part] = ::gettid();
    });
    const bool right = sums == std::array<std::size_t, 4>{0, 1000, 2000, 3000};
    const bool own = ids[3] == ::getpid() && ids[0] != ids[1] && ids[0] != ids[3];
    return right && own ? 7 : 1;
}

}  // namespace

TEST_CASE("sandbox: an operation that needs threads starts them", "[netns]") {
    const auto status = end_of(threads, share_work);
    REQUIRE(WIFEXITED(status));
    CHECK(WEXITSTATUS(status) == 7);
}

TEST_CASE("sandbox: who does not need threads is killed where he starts one", "[netns]") {
    CHECK(is_killed(end_of({}, share_work)));
}

TEST_CASE("sandbox: with threads, no process is started", "[netns]") {
    const auto call = [](auto... arguments) { return static_cast<int>(::syscall(arguments...)); };
    CHECK(is_killed(end_of(threads, [] { return ::fork() < 0 ? 1 : 0; })));
    CHECK(is_killed(end_of(threads, [&] { return call(SYS_clone, SIGCHLD, 0, 0, 0, 0); })));
#ifdef SYS_vfork
    CHECK(is_killed(end_of(threads, [&] { return call(SYS_fork); })));
    // The kernel looks at the filter before it shares any memory.
    CHECK(is_killed(end_of(threads, [&] { return call(SYS_vfork); })));
#endif
    CHECK(is_killed(end_of(threads, [] {
        std::array<char*, 2> words{const_cast<char*>("/bin/true"), nullptr};
        pid_t child = -1;
        return ::posix_spawn(&child, words[0], nullptr, nullptr, words.data(), nullptr);
    })));
}

TEST_CASE("sandbox: a thread's flags with one more or one less are a thread no more", "[netns]") {
    constexpr unsigned long thread = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD |
                                     CLONE_SYSVSEM | CLONE_SETTLS | CLONE_PARENT_SETTID |
                                     CLONE_CHILD_CLEARTID;
    const auto clone_with = [](unsigned long flags) {
        return end_of(threads, [flags] {
            // Refused by the kernel, or killed by the filter: no thread comes of it.
            return ::syscall(SYS_clone, flags, 0, 0, 0, 0) < 0 ? 1 : 0;
        });
    };
    for (const unsigned long other :
         {thread | CLONE_NEWUSER, thread | CLONE_NEWNET, thread & ~std::uint64_t{CLONE_THREAD},
          thread & ~std::uint64_t{CLONE_SIGHAND}, thread & ~std::uint64_t{CLONE_FILES}, thread | SIGCHLD,
          thread | 1UL << 32}) {
        INFO(other);
        CHECK(is_killed(clone_with(other)));
    }
}

TEST_CASE("sandbox: clone3, whose flags no filter sees, is not there", "[netns]") {
    const auto status = end_of(threads, [] {
        const auto made = ::syscall(SYS_clone3, nullptr, 0);
        return made < 0 && errno == ENOSYS ? 7 : 1;
    });
    REQUIRE(WIFEXITED(status));
    CHECK(WEXITSTATUS(status) == 7);
}

TEST_CASE("sandbox: threads open no sockets, and nobody has both", "[netns]") {
    CHECK(is_killed(end_of(threads, [] { return ::socket(AF_INET, SOCK_DGRAM, 0) < 0 ? 1 : 0; })));
    const auto status = end_of({.ip_sockets = true, .threads = true}, [] { return 0; });
    REQUIRE(WIFEXITED(status));
    CHECK(WEXITSTATUS(status) == 99);
}

namespace {

/// How a process ended that was confined as one beside an operation's before it did `what`.
int end_beside(const std::function<int()>& what) {
    const auto filters = make_filters();
    const auto pid = ::fork();
    if (pid == 0) {
        int status = 98;
        try {
            become_launcher(nobody);
            status =
                narrow_capabilities({.net_admin = true}) && drop_but_net_admin(nobody, filters) ? what() : 99;
        } catch (const std::exception&) {
            // 98 says it.
        }
        std::_Exit(status);
    }
    int status = 0;
    ::waitpid(pid, &status, 0);
    return status;
}

}  // namespace

TEST_CASE("sandbox: who runs starts no program, enters no namespace, signals nobody", "[netns]") {
    const auto killed_at = [](const operations::Needs& needs, long call, std::array<long, 3> arguments) {
        return is_killed(end_of(needs, [&] {
            return ::syscall(call, arguments[0], arguments[1], arguments[2], 0, 0) < 0 ? 1 : 0;
        }));
    };
    const auto program = reinterpret_cast<long>("/bin/true");
    for (const auto& needs : {operations::Needs{}, operations::Needs{.ip_sockets = true}, threads}) {
        INFO(needs.ip_sockets << needs.threads);
        CHECK(killed_at(needs, SYS_execve, {program, 0, 0}));
        CHECK(killed_at(needs, SYS_execveat, {AT_FDCWD, program, 0}));
        CHECK(killed_at(needs, SYS_setns, {STDIN_FILENO, CLONE_NEWNET, 0}));
        CHECK(killed_at(needs, SYS_unshare, {CLONE_NEWUSER, 0, 0}));
        CHECK(killed_at(needs, SYS_kill, {::getppid(), 0, 0}));
        CHECK(killed_at(needs, SYS_ptrace, {0, 0, 0}));
        CHECK(killed_at(needs, SYS_socket, {AF_UNIX, SOCK_STREAM, 0}));
        CHECK(killed_at(needs, SYS_openat2, {AT_FDCWD, program, 0}));
    }
}

TEST_CASE("sandbox: a process beside has CAP_NET_ADMIN alone, and another user's id", "[netns]") {
    std::array<int, 2> ends{};
    REQUIRE(::pipe2(ends.data(), O_CLOEXEC) == 0);
    const UniqueFd reading(ends[0]);
    UniqueFd writing(ends[1]);
    std::string status;
    // Nobody may look at it through /proc but root; it cannot be asked itself (capget is not among its
    // calls).
    std::thread looking([&] {
        pid_t pid = 0;
        if (::read(reading.get(), &pid, sizeof pid) != sizeof pid) return;
        std::ifstream file("/proc/" + std::to_string(pid) + "/status");
        status.assign(std::istreambuf_iterator<char>(file), {});
        ::kill(pid, SIGKILL);
    });
    (void)end_beside([&] {
        const pid_t own = ::getpid();
        if (::write(writing.get(), &own, sizeof own) != sizeof own) return 1;
        for (;;)
            ::poll(nullptr, 0, -1);
    });
    writing.reset();
    looking.join();
    CHECK(status.find("CapEff:\t0000000000001000") != status.npos);
    CHECK(status.find("CapPrm:\t0000000000001000") != status.npos);
    CHECK(status.find("CapInh:\t0000000000000000") != status.npos);
    CHECK(status.find("NoNewPrivs:\t1") != status.npos);
    CHECK(status.find("Seccomp:\t2") != status.npos);
    CHECK(status.find("Uid:\t65534\t65534\t65534\t65534") != status.npos);
}

TEST_CASE("sandbox: a process beside opens sockets of netfilter, and no other", "[netns]") {
    const auto opens = [](int family, int protocol) {
        return [=] { return ::socket(family, SOCK_RAW, protocol) < 0 ? 1 : 7; };
    };
    const auto netfilter = end_beside(opens(AF_NETLINK, NETLINK_NETFILTER));
    REQUIRE(WIFEXITED(netfilter));
    CHECK(WEXITSTATUS(netfilter) == 7);
    CHECK_FALSE(is_killed(end_beside(opens(AF_NETLINK, NETLINK_ROUTE))));
    CHECK(is_killed(end_beside(opens(AF_NETLINK, NETLINK_SOCK_DIAG))));
    CHECK(is_killed(end_beside(opens(AF_INET, IPPROTO_UDP))));
    CHECK(is_killed(end_beside(opens(AF_PACKET, 0))));
}

TEST_CASE("sandbox: a packet socket that is there to look sends nothing, by whatever call", "[netns]") {
    const UniqueFd sender(::socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    REQUIRE(sender);
    const auto reader = operations::read_only(sender);
    REQUIRE(reader);
    CHECK(reader->get() >= operations::first_read_only);
    sockaddr_ll to{};
    to.sll_family = AF_PACKET;
    to.sll_protocol = htons(ETH_P_LOOPBACK);
    to.sll_ifindex = static_cast<int>(::if_nametoindex("lo"));
    to.sll_halen = ETH_ALEN;
    const auto send_on = [&](int socket) {
        const char byte = 0;
        return ::sendto(socket, &byte, 1, 0, reinterpret_cast<const sockaddr*>(&to), sizeof to) == 1 ? 0 : 1;
    };
    const auto with = [](const std::function<int()>& what) { return end_of({}, what); };
    // One that is there to send does, so it is the number that refuses the other.
    const auto sent = with([&] { return send_on(sender.get()); });
    REQUIRE(WIFEXITED(sent));
    CHECK(WEXITSTATUS(sent) == 0);
    const int looking = reader->get();
    char byte = 0;
    iovec part{&byte, 1};
    msghdr message{};
    message.msg_name = &to;
    message.msg_namelen = sizeof to;
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    CHECK(is_killed(with([&] { return send_on(looking); })));
    CHECK(is_killed(with([&] { return static_cast<int>(::sendmsg(looking, &message, 0)); })));
    mmsghdr several{message, 0};
    CHECK(is_killed(with([&] { return ::sendmmsg(looking, &several, 1, 0); })));
    CHECK(is_killed(with([&] { return static_cast<int>(::write(looking, &byte, 1)); })));
    CHECK(is_killed(with([&] { return static_cast<int>(::writev(looking, &part, 1)); })));
    CHECK(is_killed(with([&] { return ::fcntl(looking, F_DUPFD_CLOEXEC, 3); })));
    // The kernel looks at the lower half of the register alone.
    constexpr long upper = 1L << 32;
    CHECK(is_killed(with([&] { return static_cast<int>(::syscall(SYS_write, upper | looking, &byte, 1)); })));
    const auto read =
        with([&] { return ::recv(looking, &byte, 1, MSG_DONTWAIT) < 0 && errno == EAGAIN ? 0 : 1; });
    REQUIRE(WIFEXITED(read));
    CHECK(WEXITSTATUS(read) == 0);
}
