#include "daemon/front/peer.hpp"

#include "common/described.hpp"
#include "common/text.hpp"

#include <algorithm>
#include <cerrno>

#include <sys/socket.h>

namespace netlab::front {

Result<Peer> peer_of(int socket) {
    Peer peer;
    ucred credentials{};
    socklen_t size = sizeof credentials;
    if (::getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &credentials, &size) != 0) {
        return system_error(errc::operation_failed, "learn who is connected", errno);
    }
    peer.uid = credentials.uid;
    peer.pid = credentials.pid;
    peer.groups.resize(32);
    for (;;) {
        size = static_cast<socklen_t>(peer.groups.size() * sizeof(gid_t));
        if (::getsockopt(socket, SOL_SOCKET, SO_PEERGROUPS, peer.groups.data(), &size) == 0) break;
        // ERANGE says how many there are.
        if (errno != ERANGE) return system_error(errc::operation_failed, "learn the client's groups", errno);
        peer.groups.resize(size / sizeof(gid_t));
    }
    peer.groups.resize(size / sizeof(gid_t));
    peer.groups.insert(peer.groups.begin(), credentials.gid);
    return peer;
}

api::Roles roles_of(const Peer& peer, const AccessTable& access) {
    if (peer.uid == 0) return api::Roles::all();
    api::Roles roles;
    boost::mp11::mp_for_each<boost::describe::describe_enumerators<api::Role>>([&](auto role) {
        for (const auto& group : access[role.value]) {
            if (std::ranges::find(peer.groups, group.id) != peer.groups.end()) roles.add(role.value);
        }
    });
    return roles;
}

Error missing_role(std::string_view what, api::Role role, const AccessTable& access) {
    const std::string name(described::enumerator_name(role));
    Error error{errc::permission_denied, std::string(what) + " needs the " + name + " role", {}, {}};
    std::vector<std::string> groups;
    for (const auto& group : access[role])
        groups.push_back(group.name);
    if (groups.empty()) {
        error.hint = "only root has it here: name a group for " + name + " under [access] in netlabd.toml";
    } else {
        error.hint = std::string(groups.size() == 1 ? "members of the group " : "members of the groups ") +
                     join_or(groups) + " have it: usermod -aG " + groups.front() + " USER, then log in anew";
    }
    return error;
}

}  // namespace netlab::front
