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

/// json::decode for what a daemon says. errc::protocol_error, saying which field is not understood.
template <class T>
[[nodiscard]] Result<T> decode_answer(boost::json::value value) {
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
