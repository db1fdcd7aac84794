#pragma once

#include "common/error.hpp"
#include "common/unique_fd.hpp"
#include "daemon/operations/probe_packet.hpp"

#include <vector>

namespace netlab::operations {

/// A packet socket that sees one probe's own packets on all interfaces of a namespace: SYNs, their answers
/// and resets of TCP, every datagram of UDP, from and to one address and port.
class PacketView {
  public:
    /// For `prepare`, in the namespace, with CAP_NET_RAW. It sees nothing yet. errc::operation_failed.
    [[nodiscard]] static Result<PacketView> open();

    /// For `run`: from now on the packets of probes to (and answers from) that address and port are kept.
    /// errc::operation_failed.
    [[nodiscard]] Result<void> watch(bool tcp, const IpAddress& address, std::uint16_t port);

    /// Appends what has been seen since the last call, 4,096 packets at most. False where some may have been
    /// missed.
    [[nodiscard]] bool take(std::vector<SeenPacket>& out);

  private:
    explicit PacketView(UniqueFd socket) : socket_(std::move(socket)) {}

    UniqueFd socket_;
};

}  // namespace netlab::operations
