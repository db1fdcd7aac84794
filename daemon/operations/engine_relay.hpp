#pragma once

#include "daemon/operations/operation.hpp"

#include <string>
#include <string_view>

namespace netlab::operations {

/// The whole of what is sent to an engine to GET `target` (path and query).
[[nodiscard]] std::string engine_request(std::string_view target);

/// Whether `request` is engine_request() of something that the daemon asks engines for: lists and
/// inspections of containers and networks, and events. Not every GET is as harmless: Docker's
/// /containers/ID/attach/ws writes to a container, /containers/ID/archive reads its files.
[[nodiscard]] bool is_engine_inspection(std::string_view request);

/// Puts a process of its own between the operation and a connection to an engine: whoever has such a
/// connection can have the engine start a container that is root on the host, so `run`, which parses what
/// others wrote, has none. The process passes on what is_engine_inspection(), whole requests only, and what
/// the engine answers; at anything else it ends. It has nothing but its two sockets, is confined like `run`
/// (Namespaces::confine_relay), and ends with either side. Where there is no such confinement, in tests that
/// are one process, the connection itself comes back.
///
/// For `prepare`, with Needs::engines; `engine` is connected and non-blocking, and so is what is returned.
/// errc::operation_failed.
[[nodiscard]] Result<UniqueFd> relay_engine(Namespaces& namespaces, UniqueFd engine);

}  // namespace netlab::operations
