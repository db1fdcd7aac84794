#pragma once

#include "common/api/firewall.hpp"

#include <string>
#include <vector>

namespace netlab::cli {

/// A chain and its rules as `netlab firewall` shows them; escaped.
[[nodiscard]] std::string firewall_chain_text(const api::FirewallChain& chain,
                                              const std::vector<api::FirewallRule>& rules, bool counters);
/// "set inet t s  # handle 5" and its lines.
[[nodiscard]] std::string firewall_object_text(const api::FirewallObject& object);

}  // namespace netlab::cli
