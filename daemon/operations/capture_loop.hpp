#pragma once

#include "common/api/capture.hpp"
#include "common/api/context.hpp"
#include "daemon/operations/capture_filter.hpp"
#include "daemon/operations/capture_points.hpp"
#include "daemon/operations/capture_ring.hpp"
#include "daemon/operations/inspection.hpp"
#include "daemon/operations/operation.hpp"
#include "daemon/operations/target_watch.hpp"

#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <vector>

/// What `capture` and `packets` have in common: the rings of all sources, read in the order of their packets'
/// times.
namespace netlab::operations {

/// Needs::address_space: rings of a GiB, and a filter's compiling.
inline constexpr std::uint64_t capture_memory = (1024ULL + 320) << 20;

/// One interface that is captured at.
struct CaptureSource {
    CapturePlace place;
    std::optional<CaptureRing> ring;  ///< none after its end
    std::uint64_t delivered = 0;
    std::uint64_t bytes = 0;    ///< of these, on the wire
    std::uint64_t dropped = 0;  ///< in the kernel's ring: nobody took its packets out in time
    std::string ended;          ///< why, where it ended before the capture
    /// When its interface was seen to be down; it may come up again or be removed.
    std::optional<std::uint64_t> down_ns;
    std::uint64_t started_ns = 0;
    std::uint64_t ended_ns = 0;
    std::optional<Output::Clock::time_point> closes;  ///< it was stopped: its last packets are there by then
};

struct CaptureHandles {
    std::vector<CaptureSource> sources;
    std::vector<TargetWatch> watches;  ///< by target
    std::vector<std::size_t> homes;    ///< by target: the place that its namespace is known by
    FilterCompilers compilers;
    std::map<std::string, std::uint16_t> services;  ///< that the filter may mean
    std::chrono::milliseconds batch{};
};

/// For `prepare`. `batch`: how long packets may wait in the kernel for others to come.
/// errc as find_places() and CaptureRing::open().
[[nodiscard]] Result<CaptureHandles> open_capture(Namespaces& namespaces, const api::CaptureRequest& request,
                                                  const api::Context& context,
                                                  std::chrono::milliseconds batch);

/// For `run`: compiles the filter and has every source admit what it admits. Returns the filter as libpcap
/// read it. errc as FilterCompilers::compile() and CaptureRing::admit().
[[nodiscard]] Result<std::string> admit_packets(CaptureHandles& handles, const api::CaptureRequest& request,
                                                const api::Context& context);

/// Where the packets go.
class CaptureSink {
  public:
    virtual ~CaptureSink() = default;
    /// False where there is no room for it before some more has been sent.
    [[nodiscard]] virtual bool take(std::size_t source, const RingPacket& packet) = 0;
    /// Begins to send what there is, without waiting.
    virtual void flush() = 0;
    /// All has been sent.
    [[nodiscard]] virtual bool idle() const = 0;
};

/// Captures until the request's count or time, the client's wish, or the end of the last source.
api::CaptureEnd run_capture(CaptureHandles& handles, const api::CaptureRequest& request, CaptureSink& sink,
                            Output& output);

}  // namespace netlab::operations
