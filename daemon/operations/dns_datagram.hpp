#pragma once

#include "common/api/dns.hpp"

#include <cstdint>
#include <optional>
#include <span>

namespace netlab::operations {

/// Why `received`, from the server that was asked, is no answer to the query `sent`; nothing where it is one,
/// truncated or not. Any bytes will do.
[[nodiscard]] std::optional<api::DnsAttemptOutcome> why_no_answer(std::span<const std::uint8_t> sent,
                                                                  std::span<const std::uint8_t> received);

/// The TC bit of something that has a header.
[[nodiscard]] bool is_truncated(std::span<const std::uint8_t> message);

}  // namespace netlab::operations
