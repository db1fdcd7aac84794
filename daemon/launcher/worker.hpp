#pragma once

#include "daemon/launcher/protocol.hpp"
#include "daemon/launcher/sandbox.hpp"

namespace netlab::launcher {

/// What every worker inherits from the launcher.
struct WorkerSetting {
    Credentials credentials;
    SystemCallFilters filters;
    int host_namespace = -1;  ///< borrowed
};

/// The life of a worker, in the process just forked for it: opens the namespaces, prepares, drops everything,
/// runs, ends. Whatever goes wrong is said on `stream` and nowhere else.
[[noreturn]] void work(const WorkerSetting& setting, const Launch& launch, UniqueFd stream);

/// Whether the catalogue has an operation of that number.
[[nodiscard]] bool is_operation(std::uint16_t number);

}  // namespace netlab::launcher
