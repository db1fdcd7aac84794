#include "daemon/launcher/system_calls.hpp"

#include "common/unique_fd.hpp"
#include "daemon/operations/read_only.hpp"

#include <cerrno>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <stdexcept>
#include <system_error>

#include <fcntl.h>
#include <linux/netlink.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

namespace netlab::launcher {

namespace {

[[noreturn]] void fail(const char* what) {
    throw std::system_error(errno, std::generic_category(), what);
}

using FilterContext = std::unique_ptr<void, decltype(&seccomp_release)>;

void allow(const FilterContext& filter, std::initializer_list<int> calls) {
    for (const int call : calls) {
        if (seccomp_rule_add(filter.get(), SCMP_ACT_ALLOW, call, 0) != 0) {
            throw std::runtime_error("libseccomp refuses a rule");
        }
    }
}

scmp_arg_cmp equal(unsigned argument, int value) {
    return {argument, SCMP_CMP_EQ, static_cast<scmp_datum_t>(value), 0};
}

void allow_if(const FilterContext& filter, int call, scmp_arg_cmp condition) {
    if (seccomp_rule_add(filter.get(), SCMP_ACT_ALLOW, call, 1, condition) != 0) {
        throw std::runtime_error("libseccomp refuses a rule");
    }
}

void refuse(const FilterContext& filter, int error, std::initializer_list<int> calls) {
    for (const int call : calls) {
        if (seccomp_rule_add(filter.get(), SCMP_ACT_ERRNO(static_cast<std::uint32_t>(error)), call, 0) != 0)
            throw std::runtime_error("libseccomp refuses a rule");
    }
}

/// All 64 bits are compared, and the kernel takes the lower ones: what passes is a small number either way.
constexpr scmp_arg_cmp writable{0, SCMP_CMP_LT, operations::first_read_only, 0};

void allow_plain(const FilterContext& filter) {
    allow(filter, {SCMP_SYS(read),          SCMP_SYS(readv),          SCMP_SYS(pread64),
                   SCMP_SYS(recvfrom),      SCMP_SYS(recvmsg),        SCMP_SYS(recvmmsg),
                   SCMP_SYS(poll),          SCMP_SYS(ppoll),          SCMP_SYS(select),
                   SCMP_SYS(pselect6),      SCMP_SYS(close),          SCMP_SYS(fstat),
                   SCMP_SYS(lseek),         SCMP_SYS(munmap),         SCMP_SYS(mremap),
                   SCMP_SYS(brk),           SCMP_SYS(madvise),        SCMP_SYS(futex),
                   SCMP_SYS(clock_gettime), SCMP_SYS(gettimeofday),   SCMP_SYS(clock_nanosleep),
                   SCMP_SYS(nanosleep),     SCMP_SYS(getrandom),      SCMP_SYS(getsockopt),
                   SCMP_SYS(setsockopt),    SCMP_SYS(getsockname),    SCMP_SYS(getpeername),
                   SCMP_SYS(shutdown),      SCMP_SYS(getpid),         SCMP_SYS(gettid),
                   SCMP_SYS(rt_sigreturn),  SCMP_SYS(rt_sigprocmask), SCMP_SYS(restart_syscall),
                   SCMP_SYS(exit),          SCMP_SYS(exit_group)});
    for (const int call :
         {SCMP_SYS(write), SCMP_SYS(writev), SCMP_SYS(sendto), SCMP_SYS(sendmsg), SCMP_SYS(sendmmsg)})
        allow_if(filter, call, writable);
    // Not F_SETOWN with F_SETSIG: that would let it send any signal to the daemon's other processes.
    for (const int command : {F_GETFL, F_SETFL, F_GETFD, F_SETFD}) {
        allow_if(filter, SCMP_SYS(fcntl), equal(1, command));
    }
    if (seccomp_rule_add(filter.get(), SCMP_ACT_ALLOW, SCMP_SYS(fcntl), 2, writable,
                         equal(1, F_DUPFD_CLOEXEC)) != 0)
        throw std::runtime_error("libseccomp refuses a rule");
    // glibc's fstat is newfstatat with an empty path, which a filter cannot look at: stdio may ask, and goes
    // on without.
    refuse(filter, EACCES, {SCMP_SYS(newfstatat)});
    // No memory becomes executable.
    allow_if(filter, SCMP_SYS(mmap), scmp_arg_cmp{2, SCMP_CMP_MASKED_EQ, PROT_EXEC, 0});
    allow_if(filter, SCMP_SYS(mprotect), scmp_arg_cmp{2, SCMP_CMP_MASKED_EQ, PROT_EXEC, 0});
    allow_if(filter, SCMP_SYS(inotify_rm_watch), scmp_arg_cmp{0, SCMP_CMP_GE, 0, 0});
    // How many bytes wait: libc and the parsers of streams ask it.
    allow_if(filter, SCMP_SYS(ioctl), equal(1, 0x541B /* FIONREAD */));
}

/// What the sanitizers' run-time calls, most of it when it reports.
void allow_sanitizers(const FilterContext& filter) {
    allow(filter,
          {SCMP_SYS(sigaltstack), SCMP_SYS(mprotect), SCMP_SYS(sched_yield), SCMP_SYS(sched_getaffinity),
           SCMP_SYS(getrlimit), SCMP_SYS(prlimit64), SCMP_SYS(openat), SCMP_SYS(readlink), SCMP_SYS(mmap),
           SCMP_SYS(rt_sigaction), SCMP_SYS(tgkill), SCMP_SYS(pipe), SCMP_SYS(pipe2), SCMP_SYS(getuid),
           SCMP_SYS(prctl), SCMP_SYS(open), SCMP_SYS(ioctl)});
}

void allow_ip_sockets(const FilterContext& filter) {
    // Without CAP_SYS_ADMIN a socket can only be in the namespace that the worker was left in: the
    // container's own.
    for (const int family : {AF_INET, AF_INET6}) {
        allow_if(filter, SCMP_SYS(socket), equal(0, family));
    }
    allow(filter, {SCMP_SYS(connect), SCMP_SYS(bind)});
}

void allow_threads(const FilterContext& filter) {
    // What pthread_create(3) of glibc asks of clone(2), exactly: anything else would be a process, a
    // namespace or a thread that shares less. clone3's flags are in memory, where a filter cannot look:
    // without it glibc falls back to clone.
    constexpr int thread = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM |
                           CLONE_SETTLS | CLONE_PARENT_SETTID | CLONE_CHILD_CLEARTID;
    allow_if(filter, SCMP_SYS(clone), equal(0, thread));
    refuse(filter, ENOSYS, {SCMP_SYS(clone3)});
    allow(filter, {SCMP_SYS(set_robust_list), SCMP_SYS(rseq)});
}

void allow_netfilter(const FilterContext& filter, bool sanitized) {
    // libxtables asks the kernel which revision of an extension it has, on a socket for each question;
    // libnftables asks what the interfaces in rules are called.
    for (const int protocol : {NETLINK_NETFILTER, NETLINK_ROUTE}) {
        if (seccomp_rule_add(filter.get(), SCMP_ACT_ALLOW, SCMP_SYS(socket), 2, equal(0, AF_NETLINK),
                             equal(2, protocol)) != 0)
            throw std::runtime_error("libseccomp refuses a rule");
    }
    // glibc's qsort(3) asks how much memory there is, for 1,024 bytes and more: large sets.
    allow(filter, {SCMP_SYS(bind), SCMP_SYS(sysinfo)});
    // An extension that is not there yet, /etc/protocols: the libraries go on without.
    refuse(filter, EACCES, {SCMP_SYS(access), SCMP_SYS(stat), SCMP_SYS(lstat), SCMP_SYS(statx)});
    if (!sanitized) refuse(filter, EACCES, {SCMP_SYS(openat), SCMP_SYS(open), SCMP_SYS(ioctl)});
}

std::vector<sock_filter> compiled(const FilterContext& filter) {
    UniqueFd file(::memfd_create("seccomp", MFD_CLOEXEC));
    if (!file) fail("memfd_create");
    if (const int error = seccomp_export_bpf(filter.get(), file.get()); error != 0) {
        throw std::system_error(-error, std::generic_category(), "seccomp_export_bpf");
    }
    const auto size = ::lseek(file.get(), 0, SEEK_END);
    if (size < 0) fail("lseek");
    std::vector<sock_filter> program(static_cast<std::size_t>(size) / sizeof(sock_filter));
    if (::pread(file.get(), program.data(), static_cast<std::size_t>(size), 0) != size) fail("pread");
    return program;
}

}  // namespace

SystemCallFilters make_filters(bool sanitized) {
    const auto make = [sanitized](const auto& allow_more) {
        FilterContext filter(seccomp_init(SCMP_ACT_KILL_PROCESS), &seccomp_release);
        if (!filter) throw std::runtime_error("seccomp_init");
        // Binary search instead of a chain: a filter runs at each system call.
        seccomp_attr_set(filter.get(), SCMP_FLTATR_CTL_OPTIMIZE, 2);
        // Else it would be the one thread that calls, and the others go on.
        if (seccomp_attr_set(filter.get(), SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS) != 0)
            throw std::runtime_error("libseccomp refuses an action");
        allow_plain(filter);
        if (sanitized) allow_sanitizers(filter);
        allow_more(filter);
        return compiled(filter);
    };
    const auto netfilter = [sanitized](const FilterContext& filter) { allow_netfilter(filter, sanitized); };
    return {make([](const FilterContext&) {}), make(allow_ip_sockets), make(allow_threads), make(netfilter)};
}

}  // namespace netlab::launcher
