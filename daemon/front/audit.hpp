#pragma once

#include "common/frame.hpp"
#include "daemon/front/peer.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <spdlog/common.h>

/// Who did what: one line when a request is decided, one when it is over, to the log of the front.
namespace netlab::front {

/// `text`, which a client wrote, as the value of one field: what could end the field or the line, or steer a
/// terminal, becomes \xNN; 128 bytes at most, "-" where it is empty.
[[nodiscard]] std::string escaped(std::string_view text);

/// The same for a sentence at the end of a line, which somebody else wrote: spaces, quotes and `=` stay.
[[nodiscard]] std::string printable(std::string_view text);

/// What the lines of one request have in common and what becomes of it.
struct AuditEntry {
    std::uint64_t request = 0;
    std::string_view operation = "-";  ///< the catalogue's name
    std::string_view role = "-";       ///< what it needs
    std::string target;                ///< the words of the request, unescaped
    std::string peer;
    std::optional<std::string> filter;      ///< of a capture, unescaped
    std::optional<frame::Counts> counts{};  ///< of a capture: as far as its worker has said
    std::uint64_t inode = 0;                ///< of the target's network namespace, 0 unknown
    std::string_view result = "ok";         ///< an errc, or client_gone
    std::uint64_t bytes = 0;                ///< of the response's body
    std::chrono::steady_clock::time_point since = std::chrono::steady_clock::now();
};

/// "req=… uid=… pid=… op=… role=… decision=… target=… peer=… ns=…", of a capture " filter=…"; `decision` is
/// "allowed" or the errc of the refusal.
[[nodiscard]] std::string decision_line(const AuditEntry& entry, const Peer& peer, std::string_view decision);
/// "req=… op=… result=… bytes=… ms=…", of a capture " packets=… dropped=…"
[[nodiscard]] std::string result_line(const AuditEntry& entry, std::chrono::steady_clock::time_point now);

void log_decision(const AuditEntry& entry, const Peer& peer, std::string_view decision);
void log_result(const AuditEntry& entry);

/// Sets up this process' log: standard error, UTC, `level`. Reads what the time conversions want to read,
/// once.
void open_log(spdlog::level::level_enum level);

}  // namespace netlab::front
