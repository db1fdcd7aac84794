#pragma once

#include <string>

namespace netlab::test {

/// A DNS server on port 53 of `address` (IPv4), UDP and TCP, that answers by the first label of the name
/// asked: "good" A 10.77.0.10; "six" AAAA fd77::10 only; "both" A and AAAA; "big" the same as "good", but
/// truncated over UDP; "fail" SERVFAIL; "refused" REFUSED; "silent" nothing at all; anything else NXDOMAIN.
/// Writes a byte to `ready` and never returns.
[[noreturn]] void serve_dns(int ready, const std::string& address);

}  // namespace netlab::test
