#pragma once

#include "common/api/target.hpp"

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

/// The words that users write for targets, and what is said about those that name nothing.
namespace netlab::targets {

/// A word taken apart: `docker:co1` has runtime docker and name co1. The views point into the word.
struct Word {
    std::optional<api::Runtime> runtime;  ///< absent: a bare name
    std::string_view name;
    std::string_view unknown_prefix;  ///< of "dokcer:co1"; `name` then is what follows it
};

[[nodiscard]] Word split(std::string_view word);

/// "co2" before "co10": runs of digits compare as numbers.
[[nodiscard]] bool natural_less(std::string_view a, std::string_view b);

/// The form of the names that engines give to their own handles in /run/netns: netns-UUID (Podman), cni-UUID.
[[nodiscard]] bool is_engine_handle(std::string_view name);

/// Hexadecimal digits in lower case, as engines write their IDs.
[[nodiscard]] bool is_id_prefix(std::string_view word);

/// 1 to 2147483647; errc::bad_request for the rest.
[[nodiscard]] Result<std::int32_t> parse_pid(std::string_view text);

/// `names` are all that could have been meant; `remark` says what else is worth knowing, such as an engine
/// that is down.
[[nodiscard]] Error no_such_target(const Word& word, std::span<const std::string> names,
                                   const std::string& remark);

/// `candidates` are words that are not ambiguous.
[[nodiscard]] Error ambiguous_target(std::string_view word, std::vector<std::string> candidates);

[[nodiscard]] Error not_running(const api::Target& target);

}  // namespace netlab::targets
