#pragma once

#include "common/api/sockets.hpp"

#include <memory>

namespace netlab::cli {

/// Reads lines of {"type":"socket",…} into one row, without a tree in between: there may be 100,000 of them.
/// What is in `tcp_info` and `memory`, and what a newer netlabd may add, is passed over.
class SocketLineReader {
  public:
    SocketLineReader();
    ~SocketLineReader();

    /// The row is good until the next call. errc::protocol_error.
    [[nodiscard]] Result<const api::SocketRow*> read(std::string_view line);

  private:
    struct Parser;
    std::unique_ptr<Parser> parser_;
};

}  // namespace netlab::cli
