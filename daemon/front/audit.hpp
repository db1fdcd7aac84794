#pragma once

#include "common/api/role.hpp"
#include "common/frame.hpp"
#include "daemon/front/peer.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <spdlog/common.h>

/// Who did what: one entry when a request is decided, before anything is done, and one when it is over. To
/// the journal where there is one, each field a field of its own, else as a line to the log of the front.
namespace netlab::front {

/// `text`, which a client wrote, as the value of one field: what could end the field or the line, or steer a
/// terminal, becomes \xNN; 128 bytes at most, "-" where it is empty.
[[nodiscard]] std::string escaped(std::string_view text);

/// The same for a sentence at the end of a line, which somebody else wrote: spaces, quotes and `=` stay.
[[nodiscard]] std::string printable(std::string_view text);

/// The decision on a client that lives in another user or PID namespace than the daemon.
inline constexpr std::string_view foreign_peer = "foreign_peer";

/// A target that is looked at.
struct AuditTarget {
    std::string id;           ///< an engine's ID, a PID; the name of what has none
    std::uint64_t inode = 0;  ///< of its network namespace, 0 unknown
    friend bool operator==(const AuditTarget&, const AuditTarget&) = default;
};

/// What the lines of one request have in common and what becomes of it.
struct AuditEntry {
    std::uint64_t request = 0;
    std::string_view operation = "-";  ///< the catalogue's name
    api::Roles roles;                  ///< those that it needs, and makes use of
    std::string target;                ///< the words of the request, unescaped
    std::vector<AuditTarget> targets;  ///< all that they come to, each once
    std::string peer;
    std::optional<std::string> filter;      ///< of a capture, unescaped
    std::optional<frame::Counts> counts{};  ///< of a capture: as far as its worker has said
    std::string_view result = "ok";         ///< an errc, or client_gone
    std::uint64_t bytes = 0;                ///< of the response's body
    std::chrono::steady_clock::time_point since = std::chrono::steady_clock::now();
};

/// Names in lower case, and values in which nothing can end a field, a line or an entry. A name that comes
/// several times, one after the other, has so many values.
using AuditFields = std::vector<std::pair<std::string_view, std::string>>;

/// req uid pid op role decision target id peer ns, of a capture filter; `decision` is "allowed",
/// foreign_peer, or the errc of the refusal. There is an `id` and an `ns` for each target, in one order.
[[nodiscard]] AuditFields decision_fields(const AuditEntry& entry, const Peer& peer,
                                          std::string_view decision);
/// req op result bytes ms, of a capture packets dropped
[[nodiscard]] AuditFields result_fields(const AuditEntry& entry, std::chrono::steady_clock::time_point now);

/// "req=… uid=… …"; of several values "id=…,…".
[[nodiscard]] std::string line_of(const AuditFields& fields);
/// "MESSAGE=…" (the line), "MESSAGE_ID=…", "PRIORITY=…", "SYSLOG_IDENTIFIER=netlabd", and "NETLAB_REQ=…", …
[[nodiscard]] std::vector<std::string> journal_entry(const AuditFields& fields, std::string_view message_id,
                                                     int priority);

/// Of an entry about a decision, and of one about a result: `journalctl MESSAGE_ID=…` (docs/security.md).
inline constexpr std::string_view decision_id = "5b2f0c6a1d9e4c7fb3a84e0d7c61f925";
inline constexpr std::string_view result_id = "c0d4e7b19a3f4b62854d1f6e2a7093b8";

void log_decision(const AuditEntry& entry, const Peer& peer, std::string_view decision);
void log_result(const AuditEntry& entry);

/// Sets up this process' log: standard error, UTC, `level`; and the audit's way to the journal, where there
/// is one, else to standard error whatever the level. Reads what the time conversions want to read, once.
void open_log(spdlog::level::level_enum level);

}  // namespace netlab::front
