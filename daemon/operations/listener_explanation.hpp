#pragma once

#include "daemon/operations/explanation.hpp"
#include "daemon/operations/listeners.hpp"
#include "daemon/operations/reach_request.hpp"

#include <string>
#include <vector>

/// What a namespace's sockets say of a packet that nobody took, in words.
namespace netlab::operations {

/// A packet that came to `to`, and what else is known there.
struct ListenerQuestion {
    std::string to;  ///< name of the target whose sockets those are
    IpAddress destination;
    std::uint16_t port = 0;
    bool udp = false;
    std::optional<bool> other_family;        ///< whether `to` has an address of the other family, where known
    std::vector<std::string> came_by;        ///< interfaces that it was seen to come in by
    std::vector<std::uint16_t> other_ports;  ///< that it would have been taken on
    const ReachRequest& request;             ///< how to ask again
};

/// Why nobody took it; empty where somebody should have (ListenerVerdict::takes).
[[nodiscard]] Explanation explain_listeners(const ListenerQuestion& question, const Judgement& judgement);

[[nodiscard]] std::string accept_queue_is_full(const ListenerQuestion& question,
                                               const api::Listener& listener);

}  // namespace netlab::operations
