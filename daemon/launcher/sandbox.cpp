#include "daemon/launcher/sandbox.hpp"

#include "common/unique_fd.hpp"
#include "daemon/operations/read_only.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <cerrno>
#include <csignal>
#include <initializer_list>
#include <memory>
#include <system_error>

#include <cap-ng.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/netlink.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace netlab::launcher {

namespace {

constexpr std::array the_five{CAP_DAC_READ_SEARCH, CAP_NET_ADMIN, CAP_NET_RAW, CAP_SYS_PTRACE, CAP_SYS_ADMIN};
/// Of the supervisor as root, to start the others as another user and to end them.
constexpr std::array supervisors_own{CAP_SETUID, CAP_SETGID, CAP_SETPCAP, CAP_KILL};

[[noreturn]] void fail(const char* what) {
    throw std::system_error(errno, std::generic_category(), what);
}

std::string name_of(int capability) {
    std::string name = std::string("cap_") + capng_capability_to_name(static_cast<unsigned>(capability));
    std::ranges::transform(name, name.begin(),
                           [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
    return name;
}

/// Permitted and effective become `capabilities`, inheritable and ambient nothing.
bool set_capabilities(const std::vector<int>& capabilities, capng_select_t sets = CAPNG_SELECT_CAPS) {
    capng_clear(CAPNG_SELECT_BOTH);
    for (const int capability : capabilities) {
        capng_update(CAPNG_ADD, static_cast<capng_type_t>(CAPNG_EFFECTIVE | CAPNG_PERMITTED),
                     static_cast<unsigned>(capability));
    }
    return ::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) == 0 && capng_apply(sets) == 0;
}

bool permitted(int capability) {
    return capng_have_capability(CAPNG_PERMITTED, static_cast<unsigned>(capability)) == 1;
}

/// Those of the five that netlabd was started with. Where it is not root CAP_DAC_OVERRIDE too: the engines'
/// sockets are root's, and with their group every process of the daemon would have them.
std::vector<int> usable() {
    capng_get_caps_process();
    std::vector<int> out;
    std::ranges::copy_if(the_five, std::back_inserter(out), &permitted);
    if (::geteuid() != 0 && permitted(CAP_DAC_OVERRIDE)) out.push_back(CAP_DAC_OVERRIDE);
    return out;
}

/// The bounding set only matters for execve, which nobody here calls; where CAP_SETPCAP is had it is emptied
/// all the same.
capng_select_t sets_to_apply() {
    capng_get_caps_process();
    return permitted(CAP_SETPCAP) ? CAPNG_SELECT_BOTH : CAPNG_SELECT_CAPS;
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
#ifdef NETLAB_SANITIZED
    // What the sanitizers' run-time calls when it reports.
    allow(filter,
          {SCMP_SYS(sigaltstack), SCMP_SYS(mprotect), SCMP_SYS(sched_yield), SCMP_SYS(sched_getaffinity),
           SCMP_SYS(getrlimit), SCMP_SYS(prlimit64), SCMP_SYS(openat), SCMP_SYS(readlink), SCMP_SYS(mmap),
           SCMP_SYS(rt_sigaction), SCMP_SYS(tgkill), SCMP_SYS(pipe), SCMP_SYS(pipe2), SCMP_SYS(getuid),
           SCMP_SYS(prctl), SCMP_SYS(open), SCMP_SYS(ioctl)});
#endif
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

void allow_netfilter(const FilterContext& filter) {
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
#ifndef NETLAB_SANITIZED
    refuse(filter, EACCES, {SCMP_SYS(openat), SCMP_SYS(open), SCMP_SYS(ioctl)});
#endif
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

/// Soft and hard limit become `soft` and `hard`, or less where the hard limit is lower already.
bool limit(__rlimit_resource resource, rlim_t soft, rlim_t hard) {
    rlimit now{};
    if (::getrlimit(resource, &now) != 0) return false;
    const rlimit wanted{std::min(soft, now.rlim_max), std::min(hard, now.rlim_max)};
    return ::setrlimit(resource, &wanted) == 0;
}

bool limit(__rlimit_resource resource, rlim_t value) {
    return limit(resource, value, value);
}

/// The last thing before `run`.
Result<void> install(const std::vector<sock_filter>& filter) {
    const sock_fprog program{static_cast<unsigned short>(filter.size()),
                             const_cast<sock_filter*>(filter.data())};
    // Some filters of service managers know the older of the two calls only; no_new_privs has been set by the
    // launcher.
    if (::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) != 0 &&
        ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0) != 0) {
        return system_error(errc::operation_failed, "install the system call filter", errno);
    }
    return {};
}

}  // namespace

std::vector<MissingCapability> missing_capabilities() {
    capng_get_caps_process();
    std::vector<MissingCapability> missing;
    for (const int capability : the_five) {
        if (!permitted(capability))
            missing.push_back(
                {name_of(capability), capability == CAP_SYS_ADMIN || capability == CAP_SYS_PTRACE});
    }
    if (::geteuid() != 0) return missing;
    for (const int capability : supervisors_own) {
        if (!permitted(capability)) missing.push_back({name_of(capability), true});
    }
    return missing;
}

void become_supervisor() {
    if (::geteuid() != 0) return;
    auto kept = usable();
    kept.insert(kept.end(), std::begin(supervisors_own), std::end(supervisors_own));
    if (!set_capabilities(kept)) fail("keep the supervisor's capabilities");
}

void become_launcher(Credentials credentials) {
    const auto sets = sets_to_apply();
    const auto kept = usable();
    if (::geteuid() == 0) {
        if (::setgroups(0, nullptr) != 0) fail("setgroups");
        if (::setresgid(credentials.gid, 0, credentials.gid) != 0) fail("setresgid");
        if (::setresuid(credentials.uid, 0, credentials.uid) != 0) fail("setresuid");
    }
    if (!set_capabilities(kept, sets)) fail("keep the capabilities");
    if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) fail("no_new_privs");
    if (!limit(RLIMIT_CORE, 0)) fail("RLIMIT_CORE");
    // `prepare` may have to open a descriptor for each of many namespaces.
    if (!limit(RLIMIT_NOFILE, RLIM_INFINITY)) fail("RLIMIT_NOFILE");
}

void become_unprivileged(Credentials credentials) {
    const auto sets = sets_to_apply();
    if (::geteuid() == 0) {
        // The order matters: the bounding set while CAP_SETPCAP is there, the groups while CAP_SETGID is.
        if (sets == CAPNG_SELECT_BOTH) {
            capng_clear(CAPNG_SELECT_BOUNDS);
            if (capng_apply(CAPNG_SELECT_BOUNDS) != 0) fail("empty the bounding set");
        }
        if (::setgroups(0, nullptr) != 0) fail("setgroups");
        if (::setresgid(credentials.gid, credentials.gid, credentials.gid) != 0) fail("setresgid");
        if (::setresuid(credentials.uid, credentials.uid, credentials.uid) != 0) fail("setresuid");
    }
    if (!set_capabilities({})) fail("drop the capabilities");
    if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) fail("no_new_privs");
    if (!limit(RLIMIT_CORE, 0)) fail("RLIMIT_CORE");
}

SystemCallFilters make_filters() {
    const auto make = [](const auto& allow_more) {
        FilterContext filter(seccomp_init(SCMP_ACT_KILL_PROCESS), &seccomp_release);
        if (!filter) throw std::runtime_error("seccomp_init");
        // Binary search instead of a chain: a filter runs at each system call.
        seccomp_attr_set(filter.get(), SCMP_FLTATR_CTL_OPTIMIZE, 2);
        allow_plain(filter);
        allow_more(filter);
        return compiled(filter);
    };
    return {make([](const FilterContext&) {}), make(allow_ip_sockets), make(allow_threads),
            make(allow_netfilter)};
}

Result<void> narrow_capabilities(const operations::Needs& needs) {
    std::vector<int> wanted{CAP_SYS_ADMIN};
    if (needs.net_raw) wanted.push_back(CAP_NET_RAW);
    if (needs.net_admin) wanted.push_back(CAP_NET_ADMIN);
    if (needs.processes) wanted.insert(wanted.end(), {CAP_SYS_PTRACE, CAP_DAC_READ_SEARCH});
    const auto there = usable();
    const auto is_there = [&](int capability) { return std::ranges::find(there, capability) != there.end(); };
    for (const int capability : wanted) {
        if (is_there(capability)) continue;
        return Error{errc::operation_failed,
                     "this takes " + name_of(capability) + ", which netlabd was started without",
                     "CapabilityBoundingSet= of netlabd.service has all that it can use",
                     {}};
    }
    // For what root's user id alone would be enough: its files, and the engines' sockets.
    if (::geteuid() != 0 && is_there(CAP_DAC_READ_SEARCH)) wanted.push_back(CAP_DAC_READ_SEARCH);
    if (needs.engines && is_there(CAP_DAC_OVERRIDE)) wanted.push_back(CAP_DAC_OVERRIDE);
    if (!set_capabilities(wanted))
        return system_error(errc::operation_failed, "narrow the capabilities", errno);
    // libxtables ends a process (exit code 111) whose real user is not its effective one: it takes it for a
    // setuid program. The saved one is what the worker becomes.
    constexpr auto unchanged = static_cast<uid_t>(-1);
    if (needs.net_admin && ::setresuid(::geteuid(), unchanged, unchanged) != 0)
        return system_error(errc::operation_failed, "become the effective user", errno);
    return {};
}

Result<void> drop_everything(Credentials credentials, const operations::Needs& needs,
                             const SystemCallFilters& filters) {
    const auto failed = [](const char* what) { return system_error(errc::operation_failed, what, errno); };
    const auto [uid, gid] = credentials;
    if (::setresgid(gid, gid, gid) != 0) return failed("give up the group");
    if (::setresuid(uid, uid, uid) != 0) return failed("give up the user");
    if (!set_capabilities({})) return failed("give up the capabilities");
    if (::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) return failed("become undumpable");
#ifndef NETLAB_SANITIZED
    if (!limit(RLIMIT_AS, needs.address_space)) return failed("limit the memory");
#endif
    // At the soft limit comes SIGXCPU, which says why; at the hard one SIGKILL.
    if (needs.cpu_seconds > 0 && !limit(RLIMIT_CPU, needs.cpu_seconds, needs.cpu_seconds + 1))
        return failed("limit the processor time");
    if (!limit(RLIMIT_NOFILE, needs.descriptors)) return failed("limit the descriptors");
    if (needs.ip_sockets && needs.threads)
        return Error{
            errc::operation_failed, "there is no system call filter for IP sockets and threads", {}, {}};
    const auto& filter = needs.ip_sockets ? filters.with_ip_sockets
                         : needs.threads  ? filters.with_threads
                                          : filters.plain;
    return install(filter);
}

Result<void> drop_but_net_admin(Credentials credentials, const SystemCallFilters& filters) {
    constexpr rlim_t cpu_seconds = 10;
    const auto failed = [](const char* what) { return system_error(errc::operation_failed, what, errno); };
    const auto [uid, gid] = credentials;
    // Otherwise a change from root to another user takes all capabilities.
    if (::prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) != 0) return failed("keep capabilities");
    if (::setresgid(gid, gid, gid) != 0) return failed("give up the group");
    if (::setresuid(uid, uid, uid) != 0) return failed("give up the user");
    if (!set_capabilities({CAP_NET_ADMIN})) return failed("give up the capabilities but one");
    if (::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) return failed("become undumpable");
    // After the change of the credentials, which forgets it; and before the filter, which does not know
    // prctl(2).
    if (::prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) != 0) return failed("die with the operation");
#ifndef NETLAB_SANITIZED
    if (!limit(RLIMIT_AS, operations::Needs{}.address_space)) return failed("limit the memory");
#endif
    if (!limit(RLIMIT_CPU, cpu_seconds, cpu_seconds + 1)) return failed("limit the processor time");
    if (!limit(RLIMIT_NOFILE, operations::Needs{}.descriptors)) return failed("limit the descriptors");
    return install(filters.with_netfilter);
}

}  // namespace netlab::launcher
