#pragma once

#include "common/api/connect.hpp"
#include "common/api/context.hpp"
#include "daemon/operations/explanation.hpp"
#include "daemon/operations/listeners.hpp"
#include "daemon/operations/probe_packet.hpp"
#include "daemon/operations/reach_request.hpp"

#include <optional>
#include <string>

/// Why a connection came out as it did, from what the engines say (the context), what the two kernels say and
/// which packets were seen. It says only what follows from those: where they do not settle it, it says so or
/// nothing.
namespace netlab::operations {

/// What is known of one attempt.
struct ConnectFacts {
    api::ConnectAttempt attempt;
    bool udp = false;
    bool peer_address = false;    ///< it went to an address of the context's peer
    bool own_address = false;     ///< it went to an address of FROM itself
    bool same_namespace = false;  ///< FROM and the peer live in one
    ProbeTrace trace;
    bool half_open = false;     ///< the peer has accepted the SYN, and waits for the handshake's last packet
    bool no_way_back = false;   ///< the peer has no route to where the packet came from
    bool no_neighbour = false;  ///< nobody has answered for the next hop's link-layer address
    std::optional<IpAddress> gateway;  ///< the next hop, where it is not the destination itself
    /// What the sockets say of the peer, or of FROM where it is its own; absent where they could not be
    /// asked.
    std::optional<Judgement> listener;
    std::vector<std::string> came_by;        ///< the peer's interfaces that it was seen to come in by
    std::vector<std::uint16_t> other_ports;  ///< that the peer takes connections on from elsewhere
};

/// Empty where all is well and nothing needs a word.
[[nodiscard]] Explanation explain_connection(const api::Context& context, const ReachRequest& request,
                                             const ConnectFacts& facts);

}  // namespace netlab::operations
