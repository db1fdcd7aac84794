#pragma once

#include "common/api/watch.hpp"
#include "daemon/kernel/address.hpp"
#include "daemon/kernel/link.hpp"

namespace netlab::operations {

/// A namespace's interfaces with their addresses, in the order of their indexes.
struct Interfaces {
    std::vector<api::InterfaceFacts> facts;
    bool notified = false;  ///< something changed while they were read: read them again
};

/// Reads links and addresses through a route socket of the namespace. errc as kernel::dump().
[[nodiscard]] Result<Interfaces> read_interfaces(int route_socket,
                                                 std::chrono::milliseconds deadline = kernel::dump_deadline);

[[nodiscard]] std::vector<api::InterfaceFacts> join_interfaces(const std::vector<kernel::Link>& links,
                                                               const std::vector<kernel::Address>& addresses);

/// Leaves out what does not fit into one frame: bridge ports first, then interfaces without an address, then
/// the last.
void fit_into_frame(std::vector<api::InterfaceFacts>& interfaces);

}  // namespace netlab::operations
