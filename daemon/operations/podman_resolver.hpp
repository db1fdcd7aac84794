#pragma once

#include "common/api/resolv.hpp"
#include "daemon/kernel/processes.hpp"

namespace netlab::operations {

/// aardvark-dns, which serves the names of Podman's networks from the host's network namespace, at the
/// networks' gateways.
class PodmanResolver {
  public:
    /// For `prepare` with Needs::processes, in the daemon's own namespace. errc::operation_failed.
    [[nodiscard]] static Result<PodmanResolver> open();

    /// For `run`, once: who listens at that address. Without `target`, rules and upstreams. errc as
    /// dump_inet_sockets().
    [[nodiscard]] Result<api::EmbeddedResolverRow> read(const IpAddress& server);

  private:
    PodmanResolver(UniqueFd diag, kernel::SocketHolders holders)
        : diag_(std::move(diag)), holders_(std::move(holders)) {}

    UniqueFd diag_;
    kernel::SocketHolders holders_;
};

}  // namespace netlab::operations
