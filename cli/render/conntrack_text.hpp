#pragma once

#include "common/api/conntrack.hpp"

#include <string>

/// Entries of connection tracking as a person reads them. Not escaped.
namespace netlab::cli::conntrack_text {

enum class Names : bool { no, yes };

/// "py-server1 172.17.0.4:8080", "198.51.100.9:40000", "[fd00::2]:80".
[[nodiscard]] std::string end(const api::ConntrackEnd& end, Names names);

/// "ESTABLISHED", "SYN_SENT UNREPLIED", "REPLIED", "ASSURED"; "STALE" before what is.
[[nodiscard]] std::string state(const api::ConntrackRow& row);

/// "icmp echo id 7" has no ports, so it is said here: "icmp type 8 id 7", "tcp".
[[nodiscard]] std::string protocol(const api::ConntrackRow& row);

/// "dnat 198.51.100.1:8080 -> py-server1 172.17.0.4:8080", "snat 172.18.0.2 -> 198.51.100.1" (with the port
/// where that is translated too), both with a comma in between, "-".
[[nodiscard]] std::string translation(const api::ConntrackRow& row, Names names);

/// "12 packets, 840 bytes", "-" where nothing counts them.
[[nodiscard]] std::string counters(const api::ConntrackDirection& direction);

/// One event as a line with its newline, escaped.
[[nodiscard]] std::string line(const api::ConntrackRow& row, Names names);
[[nodiscard]] std::string line(const api::ConntrackLost& lost);

/// "3 of the 214 entries in the table of host (0 % of 262144)"; with what is wrong with it, and why it is
/// empty. Several lines, escaped.
[[nodiscard]] std::string table(const api::ConntrackTableRow& row, std::uint64_t shown);

/// "12 events: 4 new, 5 updates, 3 destroyed", with what was lost; a line.
[[nodiscard]] std::string counts(const api::ConntrackReport& report);

}  // namespace netlab::cli::conntrack_text
