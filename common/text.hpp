#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace netlab {

/// `bytes` with every sequence that is not valid UTF-8 (RFC 3629) replaced by U+FFFD.
[[nodiscard]] std::string valid_utf8(std::string_view bytes);

/// What a user reads of a word that he gave: valid UTF-8, in quotes, cut after 64 bytes.
[[nodiscard]] std::string quoted(std::string_view word);

/// The candidates nearest to a misspelt `word`, best first; at most `limit`, none that is far from it.
/// Distance is optimal string alignment (a swap of neighbours counts one).
[[nodiscard]] std::vector<std::string> nearest(std::string_view word, std::span<const std::string> candidates,
                                               std::size_t limit = 3);

/// "a", "a or b", "a, b or c".
[[nodiscard]] std::string join_or(std::span<const std::string> words);

}  // namespace netlab
