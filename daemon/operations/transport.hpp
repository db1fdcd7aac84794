#pragma once

#include "daemon/kernel/route_query.hpp"
#include "daemon/operations/flow_view.hpp"

#include <netinet/in.h>

namespace netlab::operations {

/// What a policy rule may ask of a packet beyond its addresses (ipproto, sport and dport of ip-rule(8)).
struct Transport {
    std::uint8_t protocol = 0;      ///< IPPROTO_*; 0: not said
    std::uint16_t source_port = 0;  ///< to the kernel 0 is a port like another
    std::uint16_t destination_port = 0;

    /// Of the packet's answer.
    [[nodiscard]] Transport back() const { return {protocol, destination_port, source_port}; }

    void say_in(kernel::RouteQuery& query) const {
        query.protocol = protocol;
        query.source_port = source_port;
        query.destination_port = destination_port;
    }
};

/// With `remote_port` for its destination's, which a translation may have changed. An echo has no ports;
/// where FROM's is not known yet it is one of those that kernels choose.
[[nodiscard]] inline Transport transport_of(const Flow& flow, std::uint16_t remote_port) {
    constexpr std::uint16_t ephemeral = 40'000;
    const auto own = flow.own != 0 ? flow.own : ephemeral;
    switch (flow.protocol) {
        case api::WhyProtocol::icmp:
            return {flow.remote.is_v4() ? std::uint8_t{IPPROTO_ICMP} : std::uint8_t{IPPROTO_ICMPV6}, 0, 0};
        case api::WhyProtocol::udp:
            return {IPPROTO_UDP, own, remote_port};
        case api::WhyProtocol::tcp:
            break;
    }
    return {IPPROTO_TCP, own, remote_port};
}

}  // namespace netlab::operations
