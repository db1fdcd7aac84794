#pragma once

#include "common/described.hpp"

#include <algorithm>
#include <string>

namespace netlab::cli {

/// An enumerator as a person reads it: "timed out".
template <described::Enum E>
[[nodiscard]] std::string words_of(E value) {
    std::string text(described::enumerator_name(value));
    std::ranges::replace(text, '_', ' ');
    return text;
}

}  // namespace netlab::cli
