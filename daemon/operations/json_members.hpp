#pragma once

#include "common/address.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>

/// Members of JSON that somebody else wrote: one of another type than it should be counts as absent.
namespace netlab::operations::json_members {

using boost::json::object;
using boost::json::value;

inline constexpr std::size_t longest_text = 512;
inline constexpr std::size_t most_texts = 64;

inline const object& no_object() {
    static const object empty;
    return empty;
}

[[nodiscard]] inline const object& object_at(const object& parent, std::string_view name) {
    const auto* found = parent.if_contains(name);
    const auto* inner = found != nullptr ? found->if_object() : nullptr;
    return inner != nullptr ? *inner : no_object();
}

/// Longer ones count as absent.
[[nodiscard]] inline std::string text_of(const value& any, std::size_t longest) {
    const auto* text = any.if_string();
    return text != nullptr && text->size() <= longest ? std::string(*text) : std::string();
}

[[nodiscard]] inline std::string text_at(const object& parent, std::string_view name,
                                         std::size_t longest = longest_text) {
    const auto* found = parent.if_contains(name);
    return found != nullptr ? text_of(*found, longest) : std::string();
}

/// Those of an array that are texts and not empty; the first 64.
[[nodiscard]] inline std::vector<std::string> texts_at(const object& parent, std::string_view name) {
    std::vector<std::string> out;
    const auto* found = parent.if_contains(name);
    const auto* array = found != nullptr ? found->if_array() : nullptr;
    if (array == nullptr) return out;
    for (const auto& element : *array) {
        auto text = text_of(element, longest_text);
        if (!text.empty() && out.size() < most_texts) out.push_back(std::move(text));
    }
    return out;
}

template <class T>
[[nodiscard]] T number_at(const object& parent, std::string_view name) {
    const auto* found = parent.if_contains(name);
    const auto* number = found != nullptr ? found->if_int64() : nullptr;
    return number != nullptr && std::in_range<T>(*number) ? static_cast<T>(*number) : T{};
}

/// Absent, too, where it is 0.0.0.0 or ::.
[[nodiscard]] inline std::optional<IpAddress> address_at(const object& parent, std::string_view name) {
    const auto text = text_at(parent, name);
    if (text.empty()) return std::nullopt;
    const auto address = IpAddress::parse(text);
    return address && !address->is_unspecified() ? std::optional(*address) : std::nullopt;
}

}  // namespace netlab::operations::json_members
