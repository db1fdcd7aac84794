#pragma once

#include "common/error.hpp"

#include <string>

namespace netlab::operations {

/// What is read of a file that a container owns.
struct ContainerText {
    std::string text;        ///< any bytes; whole lines only where it is truncated
    bool truncated = false;  ///< there is more than `most`
    static constexpr std::size_t most = 64 * 1024;
};

/// The first 64 KiB, whatever the file's size and position; empty for no descriptor. errc::operation_failed.
[[nodiscard]] Result<ContainerText> read_container_text(int file);

}  // namespace netlab::operations
