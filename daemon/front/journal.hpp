#pragma once

#include <span>
#include <string>

/// systemd's journal, for the audit.
namespace netlab::front {

/// Whether journald takes entries here. Opens the one socket that all entries go through: for the time before
/// system calls are restricted.
[[nodiscard]] bool open_journal();

/// One entry of fields "NAME=value" (systemd.journal-fields(7)); a value may hold any byte and ends nothing.
/// False where it could not be handed over.
[[nodiscard]] bool write_journal(std::span<const std::string> fields);

}  // namespace netlab::front
