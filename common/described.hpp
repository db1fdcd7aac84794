#pragma once

#include "common/error.hpp"

#include <concepts>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include <boost/describe.hpp>
#include <boost/mp11/algorithm.hpp>

/// What the two codecs (common/json, common/binary) share: how a described struct is taken apart.
namespace netlab::described {

template <class T>
concept Struct = boost::describe::has_describe_members<T>::value && !std::is_union_v<T>;

template <class T>
concept Enum = boost::describe::has_describe_enumerators<T>::value;

/// A class that has one text form, such as IpAddress.
template <class T>
concept Text = requires(const T& value, std::string_view text) {
    { value.to_string() } -> std::convertible_to<std::string>;
    { T::parse(text) } -> std::same_as<Result<T>>;
};

/// A struct that names itself in streams: {"type":"reply",…}. (A member of that name, as a DNS record has, is
/// no constant.)
template <class T>
concept Tagged = requires {
    typename std::bool_constant<std::string_view(T::type).empty()>;
};

template <class T>
inline constexpr bool is_optional = false;
template <class T>
inline constexpr bool is_optional<std::optional<T>> = true;
template <class T>
inline constexpr bool is_vector = false;
template <class T>
inline constexpr bool is_vector<std::vector<T>> = true;

template <class T>
using members =
    boost::describe::describe_members<T, boost::describe::mod_public | boost::describe::mod_inherited>;

/// The name that a member has outside C++: `namespace_` is `namespace`.
constexpr std::string_view public_name(std::string_view member) {
    if (member.ends_with('_')) member.remove_suffix(1);
    return member;
}

template <Enum E>
std::string_view enumerator_name(E value) {
    return boost::describe::enum_to_string(value, "unknown");
}

template <Struct T>
std::vector<std::string> member_names() {
    std::vector<std::string> names;
    boost::mp11::mp_for_each<members<T>>([&](auto member) { names.emplace_back(public_name(member.name)); });
    return names;
}

template <Enum E>
std::vector<std::string> enumerator_names() {
    std::vector<std::string> names;
    boost::mp11::mp_for_each<boost::describe::describe_enumerators<E>>(
        [&](auto enumerator) { names.emplace_back(public_name(enumerator.name)); });
    return names;
}

}  // namespace netlab::described
