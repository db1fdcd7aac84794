#pragma once

#include "common/api/nat_rule.hpp"

#include <string>

namespace netlab::cli {

/// "ip nat DOCKER handle 11", "ip nat DOCKER rule 3 (legacy)". Not escaped, as the rest.
[[nodiscard]] std::string rule_place(const api::NatRule& rule);
/// "14 packets, 840 bytes"; "" where it does not count.
[[nodiscard]] std::string rule_counter(const api::NatRule& rule);

}  // namespace netlab::cli
