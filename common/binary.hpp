#pragma once

#include "common/described.hpp"

#include <cstddef>
#include <cstring>
#include <span>

/// Described structs <-> bytes, for what passes between the daemon's own processes: requests on their way to
/// a worker, records on their way back. Fixed widths, native byte order, lengths in front, members in their
/// order; nothing else. Decoding trusts nothing: a length past the end, a byte left over, an enumerator that
/// is none, are all refused. It is this small so that it can be read and fuzzed whole: it runs where JSON
/// must not.
namespace netlab::binary {

using Bytes = std::vector<std::byte>;

namespace detail {

template <class T>
concept Number = std::integral<T> || std::floating_point<T>;

class Reader {
  public:
    explicit Reader(std::span<const std::byte> bytes) : rest_(bytes) {}

    [[nodiscard]] bool at_end() const { return rest_.empty(); }

    template <class T>
    [[nodiscard]] bool read(T& out) {
        if constexpr (std::same_as<T, bool>) {
            std::uint8_t byte = 0;
            if (!read(byte) || byte > 1) return false;
            out = byte == 1;
            return true;
        } else if constexpr (Number<T>) {
            if (rest_.size() < sizeof(T)) return false;
            std::memcpy(&out, rest_.data(), sizeof(T));
            rest_ = rest_.subspan(sizeof(T));
            return true;
        } else if constexpr (described::Enum<T>) {
            std::underlying_type_t<T> value{};
            if (!read(value)) return false;
            out = static_cast<T>(value);
            return boost::describe::enum_to_string(out, nullptr) != nullptr;
        } else if constexpr (std::same_as<T, std::string>) {
            std::uint32_t length = 0;
            if (!read(length) || length > rest_.size()) return false;
            out.assign(reinterpret_cast<const char*>(rest_.data()), length);
            rest_ = rest_.subspan(length);
            return true;
        } else if constexpr (described::is_vector<T>) {
            std::uint32_t count = 0;
            // No element is shorter than a byte, so a count past the end is refused before memory is taken.
            if (!read(count) || count > rest_.size()) return false;
            out.clear();
            for (std::uint32_t i = 0; i < count; ++i) {
                if (!read(out.emplace_back())) return false;
            }
            return true;
        } else if constexpr (described::is_optional<T>) {
            bool present = false;
            if (!read(present)) return false;
            out.reset();
            return !present || read(out.emplace());
        } else if constexpr (described::Text<T>) {
            std::string text;
            if (!read(text)) return false;
            auto parsed = T::parse(text);
            if (!parsed) return false;
            out = *parsed;
            return true;
        } else {
            static_assert(described::Struct<T>);
            bool fine = true;
            boost::mp11::mp_for_each<described::members<T>>(
                [&](auto member) { fine = fine && read(out.*member.pointer); });
            return fine;
        }
    }

  private:
    std::span<const std::byte> rest_;
};

template <class T>
void append(Bytes& out, const T& value) {
    if constexpr (std::same_as<T, bool>) {
        out.push_back(value ? std::byte{1} : std::byte{0});
    } else if constexpr (Number<T>) {
        const auto* bytes = reinterpret_cast<const std::byte*>(&value);
        out.insert(out.end(), bytes, bytes + sizeof value);
    } else if constexpr (described::Enum<T>) {
        append(out, static_cast<std::underlying_type_t<T>>(value));
    } else if constexpr (std::same_as<T, std::string>) {
        append(out, static_cast<std::uint32_t>(value.size()));
        const auto* bytes = reinterpret_cast<const std::byte*>(value.data());
        out.insert(out.end(), bytes, bytes + value.size());
    } else if constexpr (described::is_vector<T>) {
        append(out, static_cast<std::uint32_t>(value.size()));
        for (const auto& element : value)
            append(out, element);
    } else if constexpr (described::is_optional<T>) {
        append(out, value.has_value());
        if (value) append(out, *value);
    } else if constexpr (described::Text<T>) {
        append(out, value.to_string());
    } else {
        static_assert(described::Struct<T>);
        boost::mp11::mp_for_each<described::members<T>>(
            [&](auto member) { append(out, value.*member.pointer); });
    }
}

}  // namespace detail

template <class T>
[[nodiscard]] Bytes encode(const T& value) {
    Bytes out;
    detail::append(out, value);
    return out;
}

/// errc::protocol_error where the bytes are not exactly one T.
template <class T>
[[nodiscard]] Result<T> decode(std::span<const std::byte> bytes) {
    T out{};
    detail::Reader reader(bytes);
    if (!reader.read(out) || !reader.at_end())
        return Error{errc::protocol_error, "a message that is not one", {}, {}};
    return out;
}

}  // namespace netlab::binary
