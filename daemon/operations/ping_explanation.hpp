#pragma once

#include "common/api/context.hpp"
#include "common/api/ping.hpp"
#include "daemon/operations/echo_tracker.hpp"
#include "daemon/operations/explanation.hpp"

#include <optional>
#include <string>

/// Why a ping came out as it did, from what the engines say (the context) and what was seen. It says only
/// what follows from those: where they do not settle it, it says so or nothing.
namespace netlab::operations {

/// What was seen of the echoes.
struct EchoFacts {
    IpAddress address;                ///< where they went
    std::optional<IpAddress> source;  ///< the address they left from
    bool peer_address = false;        ///< `address` is the context's peer's
    EchoCounts counts;
    std::optional<api::PingError> error;  ///< the last one
    bool no_route = false;                ///< the kernel would not send: no route
    bool prohibited = false;              ///< … for a route or rule that prohibits it
    bool no_neighbour = false;  ///< the kernel has asked for its link-layer address, and got no answer
};

/// After the last echo; empty where all is well and nothing needs a word.
[[nodiscard]] Explanation explain_echoes(const api::Context& context, const api::PingRequest& request,
                                         const EchoFacts& facts);

}  // namespace netlab::operations
