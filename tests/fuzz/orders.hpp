#pragma once

#include "common/api/catalogue.hpp"
#include "common/api/context.hpp"
#include "common/binary.hpp"
#include "tests/fuzz/check.hpp"

namespace netlab::fuzz {

/// What decodes must encode to bytes that decode to the same again. False where it does not decode.
template <class T>
bool round_trip(std::span<const std::byte> bytes) {
    const auto value = binary::decode<T>(bytes);
    if (!value) return false;
    const auto encoded = binary::encode(*value);
    const auto again = binary::decode<T>(encoded);
    // By their bytes: a NaN is not equal to itself.
    check(again && binary::encode(*again) == encoded);
    return true;
}

/// As the worker decodes the order of that row of the catalogue, while it is still privileged.
inline bool decode_order(std::uint16_t operation, std::span<const std::byte> bytes) {
    bool decoded = false;
    std::uint16_t number = 0;
    std::apply(
        [&](const auto&... row) {
            ((number++ == operation
                  ? void(decoded =
                             round_trip<api::Order<typename std::remove_cvref_t<decltype(row)>::Request>>(
                                 bytes))
                  : void()),
             ...);
        },
        api::catalogue);
    return decoded;
}

}  // namespace netlab::fuzz
