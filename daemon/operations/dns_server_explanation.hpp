#pragma once

#include "daemon/operations/dns_evidence.hpp"

/// What is wrong between FROM and the servers that it asks, one subject each; nothing is said where it is not
/// so.
namespace netlab::operations {

/// lo is down in FROM, and a server there was asked: true where it is so.
[[nodiscard]] bool explain_loopback_down(const DnsEvidence& evidence, DnsExplanation& said);
/// Docker's resolver says SERVFAIL, or nothing, where the servers behind it say nothing (libnetwork,
/// resolver.go).
void explain_embedded_failure(const DnsEvidence& evidence, DnsExplanation& said);
/// A server has an answer, which does not come through.
[[nodiscard]] bool is_lost_over_tcp(const DnsEvidence& evidence);
void explain_lost_over_tcp(const DnsEvidence& evidence, DnsExplanation& said);
/// A loopback address of the host's in FROM's resolv.conf.
void explain_loopback_server(const DnsEvidence& evidence, DnsExplanation& said);
/// What came was no answer to the question.
void explain_wrong_answers(const DnsEvidence& evidence, DnsExplanation& said);
/// A server in front of the one that answered said nothing.
void explain_late_server(const DnsEvidence& evidence, DnsExplanation& said);

}  // namespace netlab::operations
