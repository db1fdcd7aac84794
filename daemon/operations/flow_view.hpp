#pragma once

#include "common/api/why.hpp"
#include "common/error.hpp"
#include "common/unique_fd.hpp"
#include "daemon/operations/probe_packet.hpp"

#include <vector>

namespace netlab::operations {

/// A packet of one's own and what answers it, known by a port or echo identifier that nobody else has in the
/// namespace where it was sent.
struct Flow {
    api::WhyProtocol protocol = api::WhyProtocol::icmp;
    std::uint16_t own = 0;  ///< the source port, or the echo's identifier
    IpAddress remote;
    std::uint16_t remote_port = 0;  ///< of TCP and UDP
    friend bool operator==(const Flow&, const Flow&) = default;
};

/// A packet socket that sees one flow on all interfaces of a namespace: what has its own port (or
/// identifier) on either side and, as an address translation may have changed that, what has the remote one.
class FlowView {
  public:
    /// For `prepare`, in the namespace, with CAP_NET_RAW. It sees nothing yet. errc::operation_failed.
    [[nodiscard]] static Result<FlowView> open();

    [[nodiscard]] int descriptor() const { return socket_.get(); }
    /// For `run`. errc::operation_failed.
    [[nodiscard]] Result<void> watch(const Flow& flow);
    /// Appends what has been seen since the last call, 4,096 packets at most. False where some may have been
    /// missed.
    [[nodiscard]] bool take(std::vector<SeenPacket>& out);

  private:
    explicit FlowView(UniqueFd socket) : socket_(std::move(socket)) {}
    UniqueFd socket_;
    bool echo_ = false;
};

}  // namespace netlab::operations
