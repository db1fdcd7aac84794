#pragma once

#include "cli/capture_file.hpp"
#include "cli/client.hpp"

#include <functional>

namespace netlab::cli {

enum class CaptureFate : std::uint8_t {
    complete,
    unwanted,  ///< the pipe that it goes to has lost its reader
};

/// Called twice a second at most, and no less often than that while the capture goes on.
using ShowProgress = std::function<void(const CaptureFile&)>;

/// Writes the answer to POST /v1/capture until its end. An interrupt has the daemon finish: what it has by
/// then still comes. The error that netlabd answered; errc::protocol_error where the capture broke off, with
/// what `file` holds nevertheless; errc as CaptureFile's. `progress` may be empty.
[[nodiscard]] Result<CaptureFate> write_capture(Exchange& exchange, const Interrupt& interrupt,
                                                CaptureFile& file, const ShowProgress& progress);

}  // namespace netlab::cli
