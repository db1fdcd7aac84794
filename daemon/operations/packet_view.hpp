#pragma once

#include "common/error.hpp"
#include "common/unique_fd.hpp"
#include "daemon/operations/probe_packet.hpp"

#include <vector>

namespace netlab::operations {

/// Packet sockets that see a probe's packets on all interfaces of a namespace: SYNs, their answers and resets
/// of TCP, every datagram of UDP. One holds those from and to the probe's address and port; the other holds
/// the rest, among which are those that an address translation has changed, and on a busy host it overruns.
class PacketView {
  public:
    /// For `prepare`, in the namespace, with CAP_NET_RAW. It sees nothing yet. errc::operation_failed.
    [[nodiscard]] static Result<PacketView> open();

    /// For `run`: from now on the packets of probes to (and answers from) that address and port are kept, and
    /// others of that protocol and family. errc::operation_failed.
    [[nodiscard]] Result<void> watch(bool tcp, const IpAddress& address, std::uint16_t port);

    /// Appends what has been seen since the last call, 4,096 packets of each kind at most.
    [[nodiscard]] SeenAll take(std::vector<SeenPacket>& out);

  private:
    PacketView(UniqueFd own, UniqueFd rest) : own_(std::move(own)), rest_(std::move(rest)) {}

    UniqueFd own_;
    UniqueFd rest_;
};

}  // namespace netlab::operations
