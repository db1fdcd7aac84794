#pragma once

#include "common/api/dns.hpp"

#include <string_view>

namespace netlab::api {

/// What came in the place of an answer to the question: "an answer with another ID". "" of an outcome where
/// nothing came, or an answer did.
[[nodiscard]] std::string_view what_came(DnsAttemptOutcome outcome);

}  // namespace netlab::api
