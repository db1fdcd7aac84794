#include "common/unique_fd.hpp"
#include "daemon/front/seccomp.hpp"
#include "daemon/launcher/system_calls.hpp"
#include "daemon/operations/read_only.hpp"
#include "tests/support/catch.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <set>
#include <span>
#include <stdexcept>
#include <string>

#include <fcntl.h>
#include <linux/netlink.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>

// The filters that netlab is installed with, as the kernel has them: without the sanitizers' additions, which
// no process of a sanitized build could live without.

using namespace netlab;

namespace {

using Program = std::vector<sock_filter>;
using Arguments = std::array<std::uint64_t, 6>;
using Names = std::set<std::string>;

/// What this machine's own system calls come with: AUDIT_ARCH_…, which libseccomp calls a token.
std::uint32_t native() {
    return seccomp_arch_native();
}

constexpr std::uint32_t refused(int error) {
    return SECCOMP_RET_ERRNO | static_cast<std::uint32_t>(error);
}

/// Classic BPF as libseccomp writes it; the kernel would load nothing that leaves the program.
class Machine {
  public:
    Machine(std::span<const sock_filter> program, const seccomp_data& call) : program_(program) {
        static_assert(sizeof call == sizeof call_);
        std::memcpy(call_.data(), &call, sizeof call);
    }

    std::uint32_t run() {
        for (std::size_t at = 0; at < program_.size(); ++at) {
            const auto& [code, yes, no, k] = program_[at];
            if (code == (BPF_RET | BPF_K)) return k;
            if (BPF_CLASS(code) == BPF_JMP) {
                at += code == (BPF_JMP | BPF_JA) ? k : holds(code, k) ? yes : no;
            } else {
                step(code, k);
            }
        }
        throw std::runtime_error("the program has no end");
    }

  private:
    [[nodiscard]] bool holds(std::uint16_t code, std::uint32_t k) const {
        switch (code) {
            case BPF_JMP | BPF_JEQ | BPF_K:
                return a_ == k;
            case BPF_JMP | BPF_JGT | BPF_K:
                return a_ > k;
            case BPF_JMP | BPF_JGE | BPF_K:
                return a_ >= k;
            case BPF_JMP | BPF_JSET | BPF_K:
                return (a_ & k) != 0;
            default:
                throw std::runtime_error("a jump that libseccomp does not write");
        }
    }

    void step(std::uint16_t code, std::uint32_t k) {
        switch (code) {
            case BPF_LD | BPF_W | BPF_ABS:
                a_ = call_.at(k / sizeof a_);
                break;
            case BPF_LD | BPF_MEM:
                a_ = memory_.at(k);
                break;
            case BPF_ST:
                memory_.at(k) = a_;
                break;
            case BPF_ALU | BPF_AND | BPF_K:
                a_ &= k;
                break;
            default:
                throw std::runtime_error("an instruction that libseccomp does not write");
        }
    }

    std::span<const sock_filter> program_;
    std::array<std::uint32_t, sizeof(seccomp_data) / sizeof(std::uint32_t)> call_{};
    std::array<std::uint32_t, BPF_MEMWORDS> memory_{};
    std::uint32_t a_ = 0;
};

std::uint32_t answer(const Program& program, int call, const Arguments& arguments = {},
                     std::uint32_t architecture = native()) {
    seccomp_data data{};
    data.nr = call;
    data.arch = architecture;
    std::memcpy(data.args, arguments.data(), sizeof data.args);
    return Machine(program, data).run();
}

bool allows(const Program& program, int call, const Arguments& arguments = {}) {
    return answer(program, call, arguments) == SECCOMP_RET_ALLOW;
}

bool kills(const Program& program, int call, const Arguments& arguments = {}) {
    return answer(program, call, arguments) == SECCOMP_RET_KILL_PROCESS;
}

std::string name_of(int call) {
    char* name = seccomp_syscall_resolve_num_arch(native(), call);
    std::string out = name != nullptr ? name : "number " + std::to_string(call);
    std::free(name);
    return out;
}

/// Every system call by what a filter says to it.
struct Lists {
    Names allowed;       ///< whatever its arguments
    Names by_arguments;  ///< with some, and not with others
    Names refused;       ///< whatever its arguments, with an error: the process goes on
    friend bool operator==(const Lists&, const Lists&) = default;
};

std::ostream& operator<<(std::ostream& out, const Lists& lists) {
    const auto list = [&](const char* title, const Names& names) {
        out << "\n  " << title << ":";
        for (const auto& name : names)
            out << ' ' << name;
    };
    list("allowed", lists.allowed);
    list("by arguments", lists.by_arguments);
    list("refused", lists.refused);
    return out;
}

constexpr int own_pid = 4711;

/// Enough to be let through once by each condition, and stopped once.
std::vector<Arguments> sample() {
    std::vector<Arguments> out;
    const auto first_read_only = static_cast<std::uint64_t>(operations::first_read_only);
    for (const std::uint64_t a :
         {std::uint64_t{0}, std::uint64_t{AF_UNIX}, std::uint64_t{AF_INET}, std::uint64_t{AF_NETLINK},
          std::uint64_t{own_pid}, std::uint64_t{0x3d0f00}, first_read_only, ~std::uint64_t{0}}) {
        for (const std::uint64_t b :
             {std::uint64_t{0}, std::uint64_t{SOCK_STREAM | SOCK_CLOEXEC}, std::uint64_t{F_SETFL},
              std::uint64_t{FIONREAD}, std::uint64_t{F_DUPFD_CLOEXEC}, ~std::uint64_t{0}}) {
            for (const std::uint64_t c : {std::uint64_t{0}, std::uint64_t{PROT_EXEC},
                                          std::uint64_t{NETLINK_NETFILTER}, ~std::uint64_t{0}}) {
                out.push_back({a, b, c, 0, 0, 0});
            }
        }
    }
    return out;
}

Lists judge(const Program& program) {
    constexpr int beyond_all = 700;
    const auto arguments = sample();
    Lists lists;
    for (int call = 0; call < beyond_all; ++call) {
        std::set<std::uint32_t> answers;
        for (const auto& some : arguments)
            answers.insert(answer(program, call, some) & SECCOMP_RET_ACTION_FULL);
        if (answers == std::set<std::uint32_t>{SECCOMP_RET_KILL_PROCESS}) continue;
        auto& list = answers.size() > 1                    ? lists.by_arguments
                     : answers.contains(SECCOMP_RET_ALLOW) ? lists.allowed
                                                           : lists.refused;
        list.insert(name_of(call));
    }
    return lists;
}

/// Of `names` those that this machine has: 64 bits of ARM have no `open` nor `poll`.
Names there(const Names& names) {
    Names out;
    for (const auto& name : names) {
        if (seccomp_syscall_resolve_name_arch(native(), name.c_str()) >= 0) out.insert(name);
    }
    return out;
}

/// `plain`, and `more`.
Lists with(const Lists& plain, const Lists& more) {
    Lists out = plain;
    const auto add = [](Names& to, const Names& names) {
        const auto known = there(names);
        to.insert(known.begin(), known.end());
    };
    add(out.allowed, more.allowed);
    add(out.by_arguments, more.by_arguments);
    add(out.refused, more.refused);
    for (const auto& name : more.refused)
        out.by_arguments.erase(name);
    return out;
}

/// What an operation may in `run`.
Lists plain() {
    return with({},
                {{"read",          "readv",          "pread64",
                  "recvfrom",      "recvmsg",        "recvmmsg",
                  "poll",          "ppoll",          "select",
                  "pselect6",      "close",          "fstat",
                  "lseek",         "munmap",         "mremap",
                  "brk",           "madvise",        "futex",
                  "clock_gettime", "gettimeofday",   "clock_nanosleep",
                  "nanosleep",     "getrandom",      "getsockopt",
                  "setsockopt",    "getsockname",    "getpeername",
                  "shutdown",      "getpid",         "gettid",
                  "rt_sigreturn",  "rt_sigprocmask", "restart_syscall",
                  "exit",          "exit_group",     "inotify_rm_watch"},
                 {"write", "writev", "sendto", "sendmsg", "sendmmsg", "fcntl", "mmap", "mprotect", "ioctl"},
                 {"newfstatat"}});
}

const launcher::SystemCallFilters& filters() {
    static const auto made = launcher::make_filters(false);
    return made;
}

const std::array<const Program*, 4>& workers() {
    static const std::array all{&filters().plain, &filters().with_ip_sockets, &filters().with_threads,
                                &filters().with_netfilter};
    return all;
}

const Program& front_filter() {
    static const auto made = front::system_call_filter(own_pid, false);
    return made;
}

std::vector<const Program*> all_filters() {
    std::vector<const Program*> out(workers().begin(), workers().end());
    out.push_back(&front_filter());
    return out;
}

}  // namespace

TEST_CASE("system calls: those of `run` are exactly these", "[unit]") {
    CHECK(judge(filters().plain) == plain());
}

TEST_CASE("system calls: an operation that opens IP sockets may that, too", "[unit]") {
    CHECK(judge(filters().with_ip_sockets) == with(plain(), {{"connect", "bind"}, {"socket"}, {}}));
}

TEST_CASE("system calls: an operation that starts threads may that, too", "[unit]") {
    CHECK(judge(filters().with_threads) ==
          with(plain(), {{"set_robust_list", "rseq"}, {"clone"}, {"clone3"}}));
}

TEST_CASE("system calls: a process beside opens netfilter's sockets, and hears that there are no files",
          "[unit]") {
    CHECK(judge(filters().with_netfilter) ==
          with(plain(), {{"bind", "sysinfo"},
                         {"socket"},
                         {"access", "stat", "lstat", "statx", "openat", "open", "ioctl"}}));
    for (const int call : {SCMP_SYS(openat), SCMP_SYS(open), SCMP_SYS(access), SCMP_SYS(statx)}) {
        if (call >= 0) CHECK(answer(filters().with_netfilter, call) == refused(EACCES));
    }
}

TEST_CASE("system calls: the front's are exactly these", "[unit]") {
    CHECK(judge(front_filter()) ==
          with({}, {{"epoll_wait",   "epoll_pwait",    "epoll_ctl",     "timerfd_settime",
                     "poll",         "ppoll",          "accept4",       "read",
                     "readv",        "recvfrom",       "recvmsg",       "write",
                     "writev",       "sendto",         "sendmsg",       "shutdown",
                     "close",        "getsockopt",     "setsockopt",    "pidfd_send_signal",
                     "brk",          "munmap",         "mremap",        "madvise",
                     "futex",        "getrandom",      "clock_gettime", "gettimeofday",
                     "rt_sigreturn", "rt_sigprocmask", "rt_sigaction",  "getpid",
                     "gettid",       "exit",           "exit_group",    "restart_syscall"},
                    {"socketpair", "tgkill", "ioctl", "fcntl", "mmap"},
                    {}}));
}

TEST_CASE("system calls: no memory becomes executable", "[unit]") {
    for (const auto* program : all_filters()) {
        CHECK(allows(*program, SCMP_SYS(mmap), {0, 4096, PROT_READ | PROT_WRITE}));
        for (const int call : {SCMP_SYS(mmap), SCMP_SYS(mprotect)}) {
            CHECK(kills(*program, call, {0, 4096, PROT_EXEC}));
            CHECK(kills(*program, call, {0, 4096, PROT_READ | PROT_WRITE | PROT_EXEC}));
            CHECK(kills(*program, call, {0, 4096, ~std::uint64_t{0}}));
        }
    }
    CHECK(kills(front_filter(), SCMP_SYS(mprotect), {0, 4096, PROT_READ}));
}

TEST_CASE("system calls: no descriptor is made to send signals", "[unit]") {
    for (const auto* program : all_filters()) {
        for (const std::uint64_t command : {F_SETOWN, F_SETSIG, F_SETOWN_EX, F_DUPFD, F_SETLEASE, F_NOTIFY})
            CHECK(kills(*program, SCMP_SYS(fcntl), {0, command}));
        for (const std::uint64_t request : {FIOASYNC, FIOSETOWN, SIOCSPGRP, TIOCSTI}) {
            CHECK(answer(*program, SCMP_SYS(ioctl), {0, request}) != SECCOMP_RET_ALLOW);
            // The kernel takes 32 bits of it.
            CHECK(answer(*program, SCMP_SYS(ioctl), {0, request | 1ULL << 32}) != SECCOMP_RET_ALLOW);
        }
        CHECK(allows(*program, SCMP_SYS(fcntl), {0, F_GETFL}));
    }
    CHECK(allows(front_filter(), SCMP_SYS(tgkill), {own_pid, own_pid, SIGABRT}));
    CHECK(kills(front_filter(), SCMP_SYS(tgkill), {own_pid + 1, own_pid + 1, SIGKILL}));
}

TEST_CASE("system calls: a worker writes to what has a low number only", "[unit]") {
    const auto first = static_cast<std::uint64_t>(operations::first_read_only);
    for (const auto* program : workers()) {
        for (const int call :
             {SCMP_SYS(write), SCMP_SYS(writev), SCMP_SYS(sendto), SCMP_SYS(sendmsg), SCMP_SYS(sendmmsg)}) {
            CHECK(allows(*program, call, {first - 1}));
            CHECK(kills(*program, call, {first}));
            CHECK(kills(*program, call, {first | 1ULL << 32}));
            CHECK(kills(*program, call, {1ULL << 32}));
            CHECK(kills(*program, call, {~std::uint64_t{0}}));
        }
        CHECK(allows(*program, SCMP_SYS(recvfrom), {first}));
        CHECK(allows(*program, SCMP_SYS(fcntl), {first - 1, F_DUPFD_CLOEXEC}));
        CHECK(kills(*program, SCMP_SYS(fcntl), {first, F_DUPFD_CLOEXEC}));
    }
}

TEST_CASE("system calls: a thread's clone is allowed, and no other", "[unit]") {
    constexpr std::uint64_t thread = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD |
                                     CLONE_SYSVSEM | CLONE_SETTLS | CLONE_PARENT_SETTID |
                                     CLONE_CHILD_CLEARTID;
    const auto& program = filters().with_threads;
    CHECK(allows(program, SCMP_SYS(clone), {thread}));
    for (unsigned bit = 0; bit < 64; ++bit) {
        INFO(bit);
        CHECK(kills(program, SCMP_SYS(clone), {thread ^ 1ULL << bit}));
    }
    CHECK(answer(program, SCMP_SYS(clone3)) == refused(ENOSYS));
    for (const auto* other : all_filters()) {
        if (other != &program) CHECK(kills(*other, SCMP_SYS(clone), {thread}));
    }
}

TEST_CASE("system calls: a socket is opened of the families that it takes, and of no other", "[unit]") {
    const auto opens = [](const Program& program, std::uint64_t family, std::uint64_t protocol) {
        return answer(program, SCMP_SYS(socket), {family, SOCK_RAW, protocol});
    };
    for (std::uint64_t family = 0; family < AF_MAX; ++family) {
        for (std::uint64_t protocol = 0; protocol < MAX_LINKS; ++protocol) {
            INFO(family << ' ' << protocol);
            const bool ip = family == AF_INET || family == AF_INET6;
            const bool netfilter =
                family == AF_NETLINK && (protocol == NETLINK_NETFILTER || protocol == NETLINK_ROUTE);
            CHECK((opens(filters().with_ip_sockets, family, protocol) == SECCOMP_RET_ALLOW) == ip);
            CHECK((opens(filters().with_netfilter, family, protocol) == SECCOMP_RET_ALLOW) == netfilter);
        }
    }
    for (const auto* program : {&filters().plain, &filters().with_threads, &front_filter()})
        CHECK(kills(*program, SCMP_SYS(socket), {AF_INET, SOCK_STREAM}));
}

TEST_CASE("system calls: the front pairs streams, and makes no socket that could send anywhere", "[unit]") {
    CHECK(allows(front_filter(), SCMP_SYS(socketpair), {AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC}));
    for (const std::uint64_t type :
         {int{SOCK_DGRAM}, int{SOCK_SEQPACKET}, int{SOCK_RAW}, SOCK_DGRAM | SOCK_CLOEXEC})
        CHECK(kills(front_filter(), SCMP_SYS(socketpair), {AF_UNIX, type}));
    CHECK(kills(front_filter(), SCMP_SYS(socketpair), {AF_INET, SOCK_STREAM | SOCK_CLOEXEC}));
}

TEST_CASE("system calls: another architecture's, and x32's, kill", "[unit]") {
    const auto killed = [](std::uint32_t action) { return action == SECCOMP_RET_KILL_PROCESS; };
    for (const auto* program : all_filters()) {
        for (const std::uint32_t other :
             {std::uint32_t{SCMP_ARCH_X86}, std::uint32_t{SCMP_ARCH_X86_64}, std::uint32_t{SCMP_ARCH_ARM},
              std::uint32_t{SCMP_ARCH_AARCH64}, std::uint32_t{0}}) {
            if (other == native()) continue;
            for (const int call : {0, 1, 3, SCMP_SYS(read), SCMP_SYS(close)})
                CHECK(killed(answer(*program, call, {}, other)));
        }
        constexpr int x32 = 0x40000000;
        for (int call = 0; call < 700; ++call)
            CHECK(killed(answer(*program, x32 | call)));
        CHECK(killed(answer(*program, -1)));
    }
}

TEST_CASE("system calls: sanitizers only add to what is allowed", "[unit]") {
    const auto sanitized = launcher::make_filters(true);
    const auto without = judge(filters().plain);
    const auto with_them = judge(sanitized.plain);
    CHECK(std::ranges::includes(with_them.allowed, without.allowed));
    CHECK(with_them.allowed.contains("prctl"));
    CHECK(judge(front::system_call_filter(own_pid, true)).allowed.contains("ptrace"));
}
