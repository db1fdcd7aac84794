#pragma once

#include "common/api/ports.hpp"
#include "daemon/operations/client_networks.hpp"

/// What is told of clients whom rules name, beside the verdict on any client. Pure.
namespace netlab::operations {

/// What becomes of clients whom rules name, where that is not what `row` says of any client: `judged` says it
/// of each of them.
void tell_named_clients(api::PortRow& row, const Clients& clients, const std::vector<api::PortRow>& judged);

}  // namespace netlab::operations
