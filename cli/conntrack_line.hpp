#pragma once

#include "common/api/conntrack.hpp"

#include <memory>
#include <string_view>

namespace netlab::cli {

/// Reads the lines of conntrack entries one after another into the same row, without a tree in between: there
/// may be 100,000. What such a row does not have is passed over.
class ConntrackLineReader {
  public:
    ConntrackLineReader();
    ~ConntrackLineReader();
    ConntrackLineReader(const ConntrackLineReader&) = delete;
    ConntrackLineReader& operator=(const ConntrackLineReader&) = delete;

    /// Valid until the next call. errc::protocol_error.
    [[nodiscard]] Result<const api::ConntrackRow*> read(std::string_view line);

  private:
    struct Parser;
    std::unique_ptr<Parser> parser_;
};

}  // namespace netlab::cli
