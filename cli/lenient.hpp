#pragma once

#include "common/json.hpp"

#include <string>
#include <vector>

#include <boost/json/value.hpp>

namespace netlab::cli {

/// Leaves out of `value` what T has no member for: a daemon newer than this program may say more than it
/// knows.
template <class T>
void keep_known(boost::json::value& value) {
    if constexpr (described::is_optional<T>) {
        keep_known<typename T::value_type>(value);
    } else if constexpr (described::is_vector<T>) {
        if (auto* array = value.if_array()) {
            for (auto& element : *array)
                keep_known<typename T::value_type>(element);
        }
    } else if constexpr (described::Struct<T>) {
        auto* object = value.if_object();
        if (!object) return;
        boost::json::object known;
        boost::mp11::mp_for_each<described::members<T>>([&](auto member) {
            auto* entry = object->if_contains(described::public_name(member.name));
            if (!entry) return;
            keep_known<std::remove_cvref_t<decltype(std::declval<T&>().*member.pointer)>>(*entry);
            known[described::public_name(member.name)] = std::move(*entry);
        });
        *object = std::move(known);
    }
}

/// `value` into `out`, member by member; what T has no member for is passed over. False where a value does
/// not fit.
template <class T>
[[nodiscard]] bool read_known(const boost::json::value& value, T& out) {
    if constexpr (described::is_optional<T>) {
        out.reset();
        return value.is_null() || read_known(value, out.emplace());
    } else if constexpr (described::is_vector<T>) {
        const auto* array = value.if_array();
        if (!array) return false;
        out.clear();
        out.reserve(array->size());
        for (const auto& element : *array) {
            if (!read_known(element, out.emplace_back())) return false;
        }
        return true;
    } else if constexpr (std::same_as<T, bool>) {
        const auto* flag = value.if_bool();
        if (flag) out = *flag;
        return flag;
    } else if constexpr (std::integral<T>) {
        if (const auto* number = value.if_int64(); number && std::in_range<T>(*number)) {
            out = static_cast<T>(*number);
            return true;
        }
        const auto* large = value.if_uint64();
        if (!large || !std::in_range<T>(*large)) return false;
        out = static_cast<T>(*large);
        return true;
    } else if constexpr (std::same_as<T, std::string>) {
        const auto* text = value.if_string();
        if (text) out.assign(text->data(), text->size());
        return text;
    } else if constexpr (described::Struct<T>) {
        const auto* object = value.if_object();
        if (!object) return false;
        bool fits = true;
        boost::mp11::mp_for_each<described::members<T>>([&](auto member) {
            const auto* entry = fits ? object->if_contains(described::public_name(member.name)) : nullptr;
            if (entry) fits = read_known(*entry, out.*member.pointer);
        });
        return fits;
    } else {
        return static_cast<bool>(json::detail::assign(out, value, {}));
    }
}

/// json::decode for what a daemon says. errc::protocol_error, saying which field is not understood.
template <class T>
[[nodiscard]] Result<T> decode_answer(const boost::json::value& answer) {
    if (T out{}; read_known(answer, out)) return out;
    // Again, slower, for the words to say what does not fit.
    auto value = answer;
    keep_known<T>(value);
    auto decoded = json::decode<T>(value);
    if (!decoded) {
        return Error{errc::protocol_error,
                     "netlabd's answer is not understood: " + decoded.error().message,
                     "are netlab and netlabd of one version? netlab version",
                     {}};
    }
    return decoded;
}

}  // namespace netlab::cli
