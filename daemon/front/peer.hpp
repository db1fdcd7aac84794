#pragma once

#include "common/api/role.hpp"
#include "common/error.hpp"

#include <array>
#include <string>
#include <vector>

#include <sys/types.h>

/// Who is at the other end of a connection, and what that makes of him.
namespace netlab::front {

struct Group {
    gid_t id = 0;
    std::string name;  ///< as netlabd.toml names it, for messages
};

/// [access] of netlabd.toml: the groups that have each role.
class AccessTable {
  public:
    [[nodiscard]] std::vector<Group>& operator[](api::Role role) {
        return groups_.at(static_cast<std::size_t>(role));
    }
    [[nodiscard]] const std::vector<Group>& operator[](api::Role role) const {
        return groups_.at(static_cast<std::size_t>(role));
    }

  private:
    std::array<std::vector<Group>,
               boost::mp11::mp_size<boost::describe::describe_enumerators<api::Role>>::value>
        groups_;
};

/// As they were when the client connected: what it dropped or gained since then does not count.
struct Peer {
    uid_t uid = static_cast<uid_t>(-1);
    pid_t pid = 0;              ///< 0 where it lives in another PID namespace
    std::vector<gid_t> groups;  ///< the effective one first
};

/// Asks the kernel (SO_PEERCRED, SO_PEERGROUPS) for the peer of a connected Unix socket.
/// errc::operation_failed.
[[nodiscard]] Result<Peer> peer_of(int socket);

/// uid 0 has all roles, everybody else those of his groups.
[[nodiscard]] api::Roles roles_of(const Peer& peer, const AccessTable& access);

/// The 403: which role is missing for `what`, and which groups would have it.
[[nodiscard]] Error missing_role(std::string_view what, api::Role role, const AccessTable& access);

}  // namespace netlab::front
