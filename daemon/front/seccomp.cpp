#include "daemon/front/seccomp.hpp"

#include "common/unique_fd.hpp"

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

void allow_values(scmp_filter_ctx filter, int call, unsigned argument,
                  std::initializer_list<std::uint64_t> values) {
    for (const auto value : values) {
        check(seccomp_rule_add(filter, SCMP_ACT_ALLOW, call, 1,
                               scmp_arg_cmp{argument, SCMP_CMP_MASKED_EQ, 0xFFFFFFFF, value}),
              "seccomp_rule_add");
    }
}

Filter make_filter(pid_t own, bool sanitized) {
    Filter filter(seccomp_init(SCMP_ACT_KILL_PROCESS));
    if (!filter) throw std::system_error(ENOMEM, std::generic_category(), "seccomp_init");
    check(seccomp_attr_set(filter.get(), SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS), "seccomp_attr_set");
    for (const int call : plain)
        check(seccomp_rule_add(filter.get(), SCMP_ACT_ALLOW, call, 0), "seccomp_rule_add");
    // A worker's stream: of datagrams each end could send to any socket that has a path.
    check(seccomp_rule_add(filter.get(), SCMP_ACT_ALLOW, SCMP_SYS(socketpair), 2,
                           scmp_arg_cmp{0, SCMP_CMP_MASKED_EQ, 0xFFFFFFFF, AF_UNIX},
                           scmp_arg_cmp{1, SCMP_CMP_MASKED_EQ, 0xFFFFFFFF, SOCK_STREAM | SOCK_CLOEXEC}),
          "seccomp_rule_add");
    // abort(3), and nothing to the launcher and the workers, whose user is ours.
    allow_values(filter.get(), SCMP_SYS(tgkill), 0, {static_cast<std::uint64_t>(own)});
    allow_values(filter.get(), SCMP_SYS(ioctl), 1, {FIONBIO, FIONREAD});
    allow_values(filter.get(), SCMP_SYS(fcntl), 1, {F_GETFL, F_SETFL, F_DUPFD_CLOEXEC});
    // Memory that can be executed is never made.
    check(seccomp_rule_add(filter.get(), SCMP_ACT_ALLOW, SCMP_SYS(mmap), 1,
                           scmp_arg_cmp{2, SCMP_CMP_MASKED_EQ, PROT_EXEC, 0}),
          "seccomp_rule_add");
    if (sanitized) {
        for (const int call : sanitizer)
            check(seccomp_rule_add(filter.get(), SCMP_ACT_ALLOW, call, 0), "seccomp_rule_add");
    }
    return filter;
}

}  // namespace

std::vector<sock_filter> system_call_filter(pid_t own, bool sanitized) {
    const auto filter = make_filter(own, sanitized);
    const UniqueFd file(::memfd_create("seccomp", MFD_CLOEXEC));
    if (!file) throw std::system_error(errno, std::generic_category(), "memfd_create");
    check(seccomp_export_bpf(filter.get(), file.get()), "seccomp_export_bpf");
    const auto size = ::lseek(file.get(), 0, SEEK_END);
    if (size < 0) throw std::system_error(errno, std::generic_category(), "lseek");
    std::vector<sock_filter> program(static_cast<std::size_t>(size) / sizeof(sock_filter));
    if (::pread(file.get(), program.data(), static_cast<std::size_t>(size), 0) != size)
        throw std::system_error(errno, std::generic_category(), "pread");
    return program;
}

void restrict_system_calls() {
    const rlimit none{0, 0};
    if (::setrlimit(RLIMIT_CORE, &none) != 0)
        throw std::system_error(errno, std::generic_category(), "RLIMIT_CORE");
    // Workers have the same user; and the leak check's own clone traces it.
    constexpr unsigned long traceable = is_sanitized ? 1 : 0;
    if (::prctl(PR_SET_DUMPABLE, traceable, 0, 0, 0) != 0) {
        throw std::system_error(errno, std::generic_category(), "PR_SET_DUMPABLE");
    }
    if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
        throw std::system_error(errno, std::generic_category(), "PR_SET_NO_NEW_PRIVS");
    }
    const auto filter = make_filter(::getpid(), is_sanitized);
    check(seccomp_load(filter.get()), "seccomp_load");
}

}  // namespace netlab::front
