#pragma once

#include "common/api/nat.hpp"

#include <string>
#include <vector>

/// `netlab nat` as a person reads it.
namespace netlab::cli::nat_text {

/// All rows, by target or by network; `wide` adds rules that no packet comes to.
[[nodiscard]] std::string page(const std::vector<api::NatOutRow>& out, const std::vector<api::NatInRow>& in,
                               bool wide);

}  // namespace netlab::cli::nat_text
