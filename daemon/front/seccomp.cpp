#include "daemon/front/seccomp.hpp"

#include <cerrno>
#include <memory>
#include <system_error>

#include <fcntl.h>
#include <seccomp.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

namespace netlab::front {

namespace {

struct ReleaseFilter {
    void operator()(void* filter) const { seccomp_release(filter); }
};
using Filter = std::unique_ptr<void, ReleaseFilter>;

void check(int result, const char* what) {
    if (result < 0) throw std::system_error(-result, std::generic_category(), what);
}

constexpr int plain[] = {
    // the loop
    SCMP_SYS(epoll_wait),
    SCMP_SYS(epoll_pwait),
    SCMP_SYS(epoll_ctl),
    SCMP_SYS(timerfd_settime),
    SCMP_SYS(poll),
    SCMP_SYS(ppoll),
    SCMP_SYS(restart_syscall),
    // connections and workers
    SCMP_SYS(accept4),
    SCMP_SYS(read),
    SCMP_SYS(readv),
    SCMP_SYS(recvfrom),
    SCMP_SYS(recvmsg),
    SCMP_SYS(write),
    SCMP_SYS(writev),
    SCMP_SYS(sendto),
    SCMP_SYS(sendmsg),
    SCMP_SYS(shutdown),
    SCMP_SYS(close),
    SCMP_SYS(getsockopt),
    SCMP_SYS(setsockopt),
    SCMP_SYS(pidfd_send_signal),
    // memory, time, the end
    SCMP_SYS(brk),
    SCMP_SYS(munmap),
    SCMP_SYS(mremap),
    SCMP_SYS(madvise),
    SCMP_SYS(futex),
    SCMP_SYS(getrandom),
    SCMP_SYS(clock_gettime),
    SCMP_SYS(gettimeofday),
    SCMP_SYS(rt_sigreturn),
    SCMP_SYS(rt_sigprocmask),
    SCMP_SYS(rt_sigaction),
    SCMP_SYS(getpid),
    SCMP_SYS(gettid),
    SCMP_SYS(exit),
    SCMP_SYS(exit_group),
};

#ifdef NETLAB_SANITIZED
/// What AddressSanitizer needs for a report, and its leak check (a tracing clone of this process) at the end.
constexpr int sanitizer[] = {
    SCMP_SYS(ioctl),
    SCMP_SYS(mmap),
    SCMP_SYS(mprotect),
    SCMP_SYS(sigaltstack),
    SCMP_SYS(sched_yield),
    SCMP_SYS(clone),
    SCMP_SYS(wait4),
    SCMP_SYS(ptrace),
    SCMP_SYS(prctl),
    SCMP_SYS(open),
    SCMP_SYS(openat),
    SCMP_SYS(readlink),
    SCMP_SYS(readlinkat),
    SCMP_SYS(getdents),
    SCMP_SYS(getdents64),
    SCMP_SYS(lseek),
    SCMP_SYS(stat),
    SCMP_SYS(fstat),
    SCMP_SYS(newfstatat),
    SCMP_SYS(getppid),
    SCMP_SYS(kill),
    SCMP_SYS(getrlimit),
    SCMP_SYS(prlimit64),
    SCMP_SYS(uname),
    SCMP_SYS(process_vm_readv),
    SCMP_SYS(clock_nanosleep),
    SCMP_SYS(pipe),
    SCMP_SYS(pipe2),
};
#endif

void allow_values(scmp_filter_ctx filter, int call, unsigned argument,
                  std::initializer_list<std::uint64_t> values) {
    for (const auto value : values) {
        check(seccomp_rule_add(filter, SCMP_ACT_ALLOW, call, 1,
                               scmp_arg_cmp{argument, SCMP_CMP_MASKED_EQ, 0xFFFFFFFF, value}),
              "seccomp_rule_add");
    }
}

Filter make_filter() {
    Filter filter(seccomp_init(SCMP_ACT_KILL_PROCESS));
    if (!filter) throw std::system_error(ENOMEM, std::generic_category(), "seccomp_init");
    for (const int call : plain)
        check(seccomp_rule_add(filter.get(), SCMP_ACT_ALLOW, call, 0), "seccomp_rule_add");
    allow_values(filter.get(), SCMP_SYS(socketpair), 0, {AF_UNIX});
    // abort(3), and nothing to the launcher and the workers, whose user is ours.
    allow_values(filter.get(), SCMP_SYS(tgkill), 0, {static_cast<std::uint64_t>(::getpid())});
    allow_values(filter.get(), SCMP_SYS(ioctl), 1, {FIONBIO, FIONREAD});
    allow_values(filter.get(), SCMP_SYS(fcntl), 1, {F_GETFL, F_SETFL, F_DUPFD_CLOEXEC});
    // Memory that can be executed is never made.
    check(seccomp_rule_add(filter.get(), SCMP_ACT_ALLOW, SCMP_SYS(mmap), 1,
                           scmp_arg_cmp{2, SCMP_CMP_MASKED_EQ, PROT_EXEC, 0}),
          "seccomp_rule_add");
#ifdef NETLAB_SANITIZED
    for (const int call : sanitizer) {
        check(seccomp_rule_add(filter.get(), SCMP_ACT_ALLOW, call, 0), "seccomp_rule_add");
    }
#endif
    return filter;
}

}  // namespace

void restrict_system_calls() {
    const rlimit none{0, 0};
    if (::setrlimit(RLIMIT_CORE, &none) != 0)
        throw std::system_error(errno, std::generic_category(), "RLIMIT_CORE");
#ifdef NETLAB_SANITIZED
    constexpr unsigned long traceable = 1;  // by the leak check's own clone
#else
    constexpr unsigned long traceable = 0;  // workers have the same user
#endif
    if (::prctl(PR_SET_DUMPABLE, traceable, 0, 0, 0) != 0) {
        throw std::system_error(errno, std::generic_category(), "PR_SET_DUMPABLE");
    }
    if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
        throw std::system_error(errno, std::generic_category(), "PR_SET_NO_NEW_PRIVS");
    }
    const auto filter = make_filter();
    check(seccomp_load(filter.get()), "seccomp_load");
}

}  // namespace netlab::front
