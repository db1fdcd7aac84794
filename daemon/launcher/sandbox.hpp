#pragma once

#include "common/error.hpp"
#include "daemon/launcher/system_calls.hpp"
#include "daemon/operations/operation.hpp"

#include <cstdint>
#include <string>
#include <vector>

#include <sys/types.h>

/// What privileged processes of the daemon give up, and when.
namespace netlab::launcher {

/// Who the unprivileged processes are.
struct Credentials {
    uid_t uid = 0;
    gid_t gid = 0;
};

/// A capability that the daemon uses. Of the five (as root, or ambient): SYS_ADMIN for setns, SYS_PTRACE for
/// /proc/PID/ns and /proc/PID/root, DAC_READ_SEARCH for the engines' directories and all processes, NET_RAW
/// for echoes and captures, NET_ADMIN for netfilter. Of root, which has to start the others as another user
/// and to end them, also SETUID, SETGID, SETPCAP and KILL.
struct MissingCapability {
    std::string name;     ///< "CAP_NET_RAW"
    bool by_all = false;  ///< nothing works without it; of the others, those need them whose Needs say so
};
/// Those it lacks.
[[nodiscard]] std::vector<MissingCapability> missing_capabilities();

/// Leaves the supervisor with the five, and what it takes to start and end the others: SETUID, SETGID,
/// SETPCAP, KILL. Without effect where it was not started as root. Throws std::system_error.
void become_supervisor();

/// Makes this process the launcher: those of the five capabilities that it has, and no other in any set.
/// Started as root it keeps the effective uid 0 (the engines' sockets belong to root) with `credentials` as
/// its real and saved ids, so that a worker can become that user for good without CAP_SETUID. Started as
/// another user it keeps CAP_DAC_OVERRIDE too where it was given that: for the engines' sockets. Throws
/// std::system_error.
void become_launcher(Credentials credentials);

/// Makes this process the front: `credentials`, no group beside, no capability in any set. Throws
/// std::system_error.
void become_unprivileged(Credentials credentials);

/// Before `prepare`: leaves the effective set with what `needs` names, and CAP_SYS_ADMIN for setns(2); of a
/// daemon that is not root CAP_DAC_READ_SEARCH, and CAP_DAC_OVERRIDE where the engines are asked.
/// errc::operation_failed, also where the daemon was started without one of them: then it is named.
[[nodiscard]] Result<void> narrow_capabilities(const operations::Needs& needs);

/// Before `run`: user, capabilities, no_new_privs, resource limits, and at last the filter. Nothing of it can
/// be taken back.
[[nodiscard]] Result<void> drop_everything(Credentials credentials, const operations::Needs& needs,
                                           const SystemCallFilters& filters);

/// In an operations::BesideProcess, with what `prepare` may: what drop_everything() does, but that
/// CAP_NET_ADMIN and the sockets of netfilter stay.
[[nodiscard]] Result<void> drop_but_net_admin(Credentials credentials, const SystemCallFilters& filters);

}  // namespace netlab::launcher
