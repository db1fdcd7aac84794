#pragma once

#include "daemon/operations/why_facts.hpp"

/// What listens where the packet ends, in words. Pure.
namespace netlab::operations {

/// Why the sockets there, or behind a process of the engine's, do not take it; "" where they do, or could not
/// be asked.
[[nodiscard]] Explanation explain_listener(const WhyFacts& facts);

/// A process of the engine's (WhyFacts::proxied, which must be there) has it, and what came of its own
/// connection is not fine.
[[nodiscard]] Explanation explain_behind_proxy(const WhyFacts& facts);

}  // namespace netlab::operations
