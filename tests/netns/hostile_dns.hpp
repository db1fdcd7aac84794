#pragma once

#include <string>

namespace netlab::test {

/// A DNS server on port 53 of `address` (IPv4) that does what no server should, by the first label of the
/// name asked. Over UDP: "empty" a datagram of no bytes; "short" five bytes; "text" words of HTTP; "echo" the
/// question itself; "wrongid"; "wrongquestion"; "othersource" a good answer from another port; "loop" a name
/// that points to itself; "counts" 65,535 records in each section and none behind; "bomb" names of thousands
/// of pointers; "flood" a thousand answers with a wrong ID; "late" one with a wrong ID, then a good one;
/// "tc…" truncated; "silent" nothing; "good", and "tcpgood" over TCP, an A record 10.1.0.9. Over TCP, where
/// `tcp`: "tcpclose" ends the connection; "tcphalf" half an answer, and nothing more; "tcphang" nothing;
/// "tcpwrongid"; "tcpbomb" 64 KiB of "bomb"; "tcpcounts"; "tcpflood" answers with a wrong ID without end.
/// Writes a byte to `ready` and never returns.
[[noreturn]] void serve_hostile_dns(int ready, const std::string& address, bool tcp);

}  // namespace netlab::test
