#include "daemon/launcher/sandbox.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <cerrno>
#include <csignal>
#include <system_error>

#include <cap-ng.h>
#include <grp.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/resource.h>
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
    if (!is_sanitized && !limit(RLIMIT_AS, needs.address_space)) return failed("limit the memory");
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
    if (!is_sanitized && !limit(RLIMIT_AS, operations::Needs{}.address_space))
        return failed("limit the memory");
    if (!limit(RLIMIT_CPU, cpu_seconds, cpu_seconds + 1)) return failed("limit the processor time");
    if (!limit(RLIMIT_NOFILE, operations::Needs{}.descriptors)) return failed("limit the descriptors");
    return install(filters.with_netfilter);
}

}  // namespace netlab::launcher
