#pragma once

#include <span>
#include <string>

/// systemd's journal, for the audit, by its native protocol. Not by sd_journal_sendv(3): its socket blocks,
/// and a journald that hangs would hold up everybody.
namespace netlab::front {

/// Whether journald takes entries here. Opens the one socket that all entries go through: for the time before
/// system calls are restricted.
[[nodiscard]] bool open_journal();

/// One entry of fields "NAME=value" (systemd.journal-fields(7)), which hold no line's end. False where there
/// is no journald; what one that is there does not take at once is lost, and the next entry that it takes is
/// preceded by their number.
[[nodiscard]] bool write_journal(std::span<const std::string> fields);

}  // namespace netlab::front
