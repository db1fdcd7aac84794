#pragma once

#include "common/described.hpp"

#include <array>
#include <charconv>
#include <limits>
#include <utility>

#include <boost/json/value.hpp>

/// Described structs <-> JSON. Stricter than boost::json::value_to and with defaults: a member that is absent
/// keeps its initial value, a member that is unknown is an error with the nearest name, a number out of range
/// is an error.
namespace netlab::json {

/// RFC 8259, no extensions, nesting of 32 at most; errc::bad_request with the place where it stops being
/// JSON.
[[nodiscard]] Result<boost::json::value> parse(std::string_view text);

/// As parse, and an object that has a member twice is refused: readers differ in which of them they take.
[[nodiscard]] Result<boost::json::value> parse_request(std::string_view text);

/// One line, no space, numbers in their shortest decimal form; strings become valid UTF-8.
[[nodiscard]] std::string write(const boost::json::value& value);

namespace detail {

Error expected(std::string_view path, std::string_view what, const boost::json::value& got);
Error unknown_field(std::string_view path, std::string_view name, const std::vector<std::string>& known);
Error unknown_word(std::string_view path, std::string_view word, const std::vector<std::string>& known);
std::string child(std::string_view path, std::string_view name);

template <class T>
Result<void> assign(T& out, const boost::json::value& value, const std::string& path);

template <std::integral T>
Result<void> assign_integer(T& out, const boost::json::value& value, const std::string& path) {
    const std::string what = "a whole number from " + std::to_string(std::numeric_limits<T>::min()) + " to " +
                             std::to_string(std::numeric_limits<T>::max());
    if (const auto* number = value.if_int64(); number && std::in_range<T>(*number)) {
        out = static_cast<T>(*number);
    } else if (const auto* large = value.if_uint64(); large && std::in_range<T>(*large)) {
        out = static_cast<T>(*large);
    } else {
        return expected(path, what, value);
    }
    return {};
}

template <described::Struct T>
Result<void> assign_struct(T& out, const boost::json::value& value, const std::string& path) {
    const auto* object = value.if_object();
    if (!object) return expected(path, "an object", value);
    for (const auto& entry : *object) {
        bool known = false;
        Result<void> result;
        boost::mp11::mp_for_each<described::members<T>>([&](auto member) {
            if (known || described::public_name(member.name) != std::string_view(entry.key())) return;
            known = true;
            result = assign(out.*member.pointer, entry.value(), child(path, entry.key()));
        });
        if (!result) return result;
        if (!known) return unknown_field(path, entry.key(), described::member_names<T>());
    }
    return {};
}

template <class T>
Result<void> assign(T& out, const boost::json::value& value, const std::string& path) {
    if constexpr (described::is_optional<T>) {
        return assign(out.emplace(), value, path);
    } else if constexpr (described::is_vector<T>) {
        const auto* array = value.if_array();
        if (!array) return expected(path, "an array", value);
        out.clear();
        for (const auto& element : *array) {
            if (auto result = assign(out.emplace_back(), element, path + "[]"); !result) return result;
        }
        return {};
    } else if constexpr (std::same_as<T, bool>) {
        const auto* flag = value.if_bool();
        if (!flag) return expected(path, "true or false", value);
        out = *flag;
        return {};
    } else if constexpr (std::integral<T>) {
        return assign_integer(out, value, path);
    } else if constexpr (std::floating_point<T>) {
        if (!value.is_number()) return expected(path, "a number", value);
        out = value.to_number<T>();
        return {};
    } else if constexpr (std::same_as<T, std::string>) {
        const auto* text = value.if_string();
        if (!text) return expected(path, "a string", value);
        out.assign(text->data(), text->size());
        return {};
    } else if constexpr (described::Enum<T>) {
        const auto* text = value.if_string();
        if (!text) return expected(path, "a word", value);
        bool known = false;
        boost::mp11::mp_for_each<boost::describe::describe_enumerators<T>>([&](auto enumerator) {
            if (described::public_name(enumerator.name) != std::string_view(*text)) return;
            known = true;
            out = enumerator.value;
        });
        if (!known) return unknown_word(path, *text, described::enumerator_names<T>());
        return {};
    } else if constexpr (described::Text<T>) {
        const auto* text = value.if_string();
        if (!text) return expected(path, "a string", value);
        auto parsed = T::parse(*text);
        if (!parsed) return parsed.error();
        out = *parsed;
        return {};
    } else {
        return assign_struct(out, value, path);
    }
}

}  // namespace detail

/// errc::bad_request or errc::unknown_field, saying which field and what was expected.
template <class T>
[[nodiscard]] Result<T> decode(const boost::json::value& value) {
    T out{};
    auto result = detail::assign(out, value, {});
    if (!result) return result.error();
    return out;
}

namespace detail {

void append_text(std::string& out, std::string_view text);
void append_number(std::string& out, double number);

/// No tree in between: a dump of 100,000 sockets is written as fast as the kernel gives it.
template <class T>
void append(std::string& out, const T& value) {
    if constexpr (described::is_optional<T>) {
        if (value) {
            append(out, *value);
        } else {
            out += "null";
        }
    } else if constexpr (described::is_vector<T>) {
        out += '[';
        for (bool first = true; const auto& element : value) {
            if (!std::exchange(first, false)) out += ',';
            append(out, element);
        }
        out += ']';
    } else if constexpr (std::same_as<T, bool>) {
        out += value ? "true" : "false";
    } else if constexpr (std::floating_point<T>) {
        append_number(out, value);
    } else if constexpr (std::integral<T>) {
        std::array<char, 24> digits;
        out.append(digits.data(), std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr);
    } else if constexpr (std::convertible_to<T, std::string_view>) {
        append_text(out, value);
    } else if constexpr (described::Enum<T>) {
        append_text(out, described::public_name(described::enumerator_name(value)));
    } else if constexpr (described::Text<T>) {
        append_text(out, value.to_string());
    } else {
        out += '{';
        bool first = true;
        const auto key = [&](std::string_view name) {
            if (!std::exchange(first, false)) out += ',';
            out.append(1, '"').append(name).append("\":");
        };
        if constexpr (described::Tagged<T>) {
            key("type");
            append_text(out, T::type);
        }
        boost::mp11::mp_for_each<described::members<T>>([&](auto member) {
            const auto& field = value.*member.pointer;
            if constexpr (described::is_optional<std::remove_cvref_t<decltype(field)>>) {
                if (!field) return;
            }
            key(described::public_name(member.name));
            append(out, field);
        });
        out += '}';
    }
}

}  // namespace detail

/// Appends one line of JSON without its newline: no space, numbers in their shortest decimal form, strings as
/// valid UTF-8. An absent optional member is left out; a Tagged struct begins with its "type".
template <class T>
requires described::Struct<T> || described::is_vector<T>
void append(std::string& out, const T& value) {
    detail::append(out, value);
}

template <class T>
requires described::Struct<T> || described::is_vector<T>
[[nodiscard]] std::string write(const T& value) {
    std::string out;
    detail::append(out, value);
    return out;
}

/// The same as a tree, for who wants to look at it.
template <class T>
[[nodiscard]] boost::json::value encode(const T& value) {
    return *parse(write(value));
}

/// {"error":{…}} without its empty members, as every error of the API looks.
[[nodiscard]] std::string write_error(const Error& error);

}  // namespace netlab::json
