#pragma once

#include "daemon/operations/dns_evidence.hpp"

namespace netlab::operations {

/// Where several servers were asked: who said nothing, and what they do not agree about.
void explain_disagreement(const DnsEvidence& evidence, DnsExplanation& said);

}  // namespace netlab::operations
