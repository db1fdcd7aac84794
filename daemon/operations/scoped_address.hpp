#pragma once

#include "common/address.hpp"

#include <cstdint>

namespace netlab::operations {

/// An address with the interface that a link-local one needs (0: none).
struct ScopedAddress {
    IpAddress address;
    std::uint32_t scope_id = 0;
    friend bool operator==(const ScopedAddress&, const ScopedAddress&) = default;
};

}  // namespace netlab::operations
