#pragma once

#include "daemon/operations/dns_evidence.hpp"

/// What an answer of DNS does not say of itself: why a name is none in FROM, whose answer it is, what a
/// program would have made of it. Only what follows from the engines' words (the context) and from what was
/// seen is said.
namespace netlab::operations {

[[nodiscard]] DnsExplanation explain_dns(const DnsFacts& facts);

}  // namespace netlab::operations
